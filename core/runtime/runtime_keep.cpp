// The runtime of sessions that are kept in a store: commits on their way, sessions that come and go.
#include <algorithm>
#include <cassert>
#include <iterator>

#include "core/runtime/scheduler.h"
#include "core/runtime/session.h"

namespace teal::runtime {

std::mutex& Runtime::mutex() {
  return scheduler_->mutex();
}

Session* Runtime::Carry(SessionStart start, std::unique_ptr<KeptSession> kept) {
  assert(options_.store != nullptr && Find(start.id) == nullptr);
  Session* const session = Keep(std::make_shared<Session>(this, std::move(start)));
  session->KeepIn(std::move(kept));
  session->Begin();
  session->WantCommit();
  return session;
}

Result<Session*> Runtime::CarryOn(SessionStart start, std::unique_ptr<KeptSession> kept, record::Session session,
                                  std::vector<std::pair<std::string, record::Thread>> threads,
                                  const std::function<Result<std::string>(const Sha256&)>& segment_of) {
  assert(options_.store != nullptr && Find(start.id) == nullptr);
  Session* const carried = Keep(std::make_shared<Session>(this, std::move(start)));
  carried->KeepIn(std::move(kept));
  Status resumed = carried->Resume(std::move(session), std::move(threads), segment_of);
  if (resumed.ok()) return carried;
  carried->kept()->lost = true;
  Drop(*carried);
  return resumed.failure();
}

void Runtime::Drop(Session& session) {
  const auto place =
      std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& one) { return one.get() == &session; });
  if (place == sessions_.end()) return;
  left_.push_back(*place);
  by_sid_.erase(session.sid());
  *place = std::move(sessions_.back());
  sessions_.pop_back();
  if (!session.ended()) --living_;
  session.Abandon();
}

void Runtime::Later(std::function<void()> call) {
  later_.push_back(std::move(call));
  scheduler_->WakeIfIdle();
}

template <typename T>
void Runtime::Land(std::vector<T>* among, T one) {
  {
    const std::lock_guard<std::mutex> lock(landed_mutex_);
    among->push_back(std::move(one));
    if (any_landed_.exchange(true)) return;  // who brought the first has woken, or will wake, who serves
  }
  scheduler_->WakeIfIdle(std::unique_lock(scheduler_->mutex()));
}

void Runtime::Land(LandedCall call) {
  Land(&landed_calls_, std::move(call));
}

void Runtime::Post(std::function<void()> call) {
  Land(&posted_, std::move(call));
}

bool Runtime::TakeIn() {
  if (!any_landed_) return false;
  std::vector<LandedCall> calls;
  std::vector<LandedCommit> commits;
  {
    const std::lock_guard<std::mutex> lock(landed_mutex_);
    calls.swap(landed_calls_);
    commits.swap(landed_commits_);
    std::move(posted_.begin(), posted_.end(), std::back_inserter(later_));
    posted_.clear();
    any_landed_ = false;
  }
  for (LandedCommit& landed : commits) {
    if (landed.at + 1 < landed.commits->size() && landed.outcome.ok() && landed.outcome->applied) {
      // Not from here: the memory is called without the mutex.
      later_.push_back([this, landed] { SendCommit(landed.session, landed.commits, landed.at + 1); });
      continue;
    }
    --commits_in_air_;
    landed.session->Committed(landed.outcome);
  }
  for (LandedCall& landed : calls) {
    landed.session->CallLanded(*landed.record, landed.generation, std::move(landed.outcome));
  }
  return true;
}

// A call was given to it that may wait for Flush.
void Runtime::Gathers(ForeignCalls* foreign) {
  ++gathered_;
  if (std::find(gathering_.begin(), gathering_.end(), foreign) == gathering_.end()) gathering_.push_back(foreign);
}

// Whether what wants a commit has been gathered for long enough (kTogetherMax, kTogetherNs).
bool Runtime::MayCommit() const {
  if (wanting_.empty()) return false;
  if (scheduler_->ReadyCount() == 0 || wanting_.size() >= kTogetherMax) return true;
  return scheduler_->clock().NowUnixNs() - wanting_.front()->kept()->wanted_since_ns >= kTogetherNs;
}

bool Runtime::SendCommits(std::unique_lock<std::mutex>& lock) {
  std::vector<std::shared_ptr<Session>> due;
  size_t kept = 0;
  for (std::shared_ptr<Session>& session : wanting_) {
    if (session->kept()->lost || session->kept()->in_air || !session->kept()->wanted) continue;
    if (session->CommitIsDue()) {
      due.push_back(std::move(session));
    } else {
      wanting_[kept++] = std::move(session);
    }
  }
  wanting_.resize(kept);
  if (due.empty()) return false;
  std::vector<Commits> commits;
  commits.reserve(due.size());
  for (const std::shared_ptr<Session>& session : due) {
    commits.push_back(std::make_shared<std::vector<std::vector<StoreWrite>>>(session->MakeCommit()));
  }
  commits_in_air_ += due.size();
  lock.unlock();
  for (size_t i = 0; i < due.size(); ++i) SendCommit(std::move(due[i]), std::move(commits[i]), 0);
  lock.lock();
  return true;
}

// What is to be done between two slices. Gives whether anything was.
bool Runtime::Between(std::unique_lock<std::mutex>& lock) {
  bool did = TakeIn();
  for (const std::shared_ptr<Session>& session : left_) scheduler_->Forget(session.get());
  left_.clear();
  if (MayCommit() && SendCommits(lock)) did = true;
  if (gathered_ > 0 && (scheduler_->ReadyCount() == 0 || gathered_ >= kTogetherMax)) {
    const std::vector<ForeignCalls*> foreign = std::move(gathering_);
    gathering_.clear();
    gathered_ = 0;
    lock.unlock();
    for (ForeignCalls* one : foreign) one->Flush();
    lock.lock();
    did = true;
  }
  if (events_ != nullptr && scheduler_->clock().NowUnixNs() >= alarm_ns_) {
    alarm_ns_ = INT64_MAX;
    later_.push_back([events = events_] { events->OnAlarm(); });
  }
  if (!later_.empty()) {
    std::vector<std::function<void()>> calls = std::move(later_);
    later_.clear();
    lock.unlock();
    for (const std::function<void()>& call : calls) call();
    lock.lock();
    did = true;
  }
  return did;
}

// Without the mutex: the store may answer at once.
void Runtime::SendCommit(std::shared_ptr<Session> session, Commits commits, size_t at) {
  std::vector<StoreWrite> writes = std::move((*commits)[at]);
  options_.store->Commit(std::move(writes), [this, session = std::move(session), commits = std::move(commits),
                                             at](Result<StoreCommitted> outcome) {
    Land(&landed_commits_, LandedCommit{session, commits, at, std::move(outcome)});
  });
}

int64_t Runtime::ServeReady(KeepEvents* events) {
  std::unique_lock<std::mutex> lock(scheduler_->mutex());
  events_ = events;
  return ServeReady(lock);
}

int64_t Runtime::ServeReady(std::unique_lock<std::mutex>& lock) {
  const int64_t due = scheduler_->ServeReady(lock, [this, &lock] { return Between(lock); });
  return std::min(due, alarm_ns_);
}

void Runtime::Serve(KeepEvents* events) {
  std::unique_lock<std::mutex> lock(scheduler_->mutex());
  events_ = events;
  for (;;) {
    const int64_t due = ServeReady(lock);
    if (stopping_ && commits_in_air_ == 0) return;
    scheduler_->WaitUntil(lock, due);
  }
}

void Runtime::SetAlarm(int64_t unix_ns) {
  const std::lock_guard<std::mutex> lock(scheduler_->mutex());
  alarm_ns_ = unix_ns;
  scheduler_->WakeIfIdle();
}

void Runtime::StopServing() {
  const std::lock_guard<std::mutex> lock(scheduler_->mutex());
  stopping_ = true;
  scheduler_->WakeIfIdle();
}

}  // namespace teal::runtime

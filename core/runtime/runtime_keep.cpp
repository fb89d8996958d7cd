// The runtime of sessions that are kept in a store: commits on their way, sessions that come and go.
#include <algorithm>
#include <cassert>

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

// What is to be done between two slices. Gives whether anything was.
bool Runtime::Between(std::unique_lock<std::mutex>& lock) {
  bool did = false;
  for (const std::shared_ptr<Session>& session : left_) scheduler_->Forget(session.get());
  left_.clear();
  if (!wanting_.empty()) {
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
    if (!due.empty()) {
      std::vector<std::shared_ptr<std::vector<std::vector<StoreWrite>>>> commits;
      for (const std::shared_ptr<Session>& session : due) {
        commits.push_back(std::make_shared<std::vector<std::vector<StoreWrite>>>(session->MakeCommit()));
      }
      commits_in_air_ += due.size();
      lock.unlock();
      for (size_t i = 0; i < due.size(); ++i) SendCommit(std::move(due[i]), std::move(commits[i]), 0);
      lock.lock();
      did = true;
    }
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
void Runtime::SendCommit(std::shared_ptr<Session> session,
                         std::shared_ptr<std::vector<std::vector<StoreWrite>>> commits, size_t at) {
  std::vector<StoreWrite> writes = std::move((*commits)[at]);
  options_.store->Commit(std::move(writes), [this, session, commits, at](Result<StoreCommitted> outcome) {
    const std::lock_guard<std::mutex> guard(scheduler_->mutex());
    if (at + 1 < commits->size() && outcome.ok() && outcome->applied) {
      // Not from here: the memory may not be called from what it calls.
      return Later([this, session, commits, at] { SendCommit(session, commits, at + 1); });
    }
    --commits_in_air_;
    session->Committed(outcome);
    scheduler_->WakeIfIdle();
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

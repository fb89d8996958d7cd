#include "core/runtime/scheduler.h"

#include <algorithm>
#include <cassert>
#include <chrono>

#include "core/runtime/session.h"

namespace teal::runtime {
namespace {

bool Later(const Timer& a, const Timer& b) {
  return a.due_ns != b.due_ns ? a.due_ns > b.due_ns : a.order > b.order;
}

// Longer waits are cut: a sum with the present time must not overflow.
constexpr int64_t kWaitMaxNs = 3600 * kNanosecondsPerSecond;

}  // namespace

Scheduler::Scheduler(Clock* clock, unsigned cores) : clock_(clock), cores_(std::max(cores, 1u)) {}

Scheduler::~Scheduler() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  helper_wake_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void Scheduler::MakeReady(ThreadRecord* record, bool behind) {
  assert(record->phase != Phase::kEnded);
  record->phase = Phase::kReady;
  record->session->Queued();
  if (behind) {
    lanes_[record->priority].push_back({record, turn_});
    ++waiting_;
  } else {
    fresh_.push_back(record);
  }
  if (main_idle_) Wake();
  // Whoever stands behind a used-up budget has waited for a whole slice.
  if (ReadyCount() > (behind ? 1 : kQueueSlack)) Offload();
}

std::vector<ThreadRecord*> Scheduler::ReadyInOrder() const {
  std::vector<ThreadRecord*> all = fresh_;
  for (const auto& [priority, lane] : lanes_) {
    for (const Entry& entry : lane) all.push_back(entry.record);
  }
  return all;
}

// There is more to do than this OS thread can at once.
void Scheduler::Offload() {
  if (helpers_idle_ > 0) {
    helper_wake_.notify_one();
  } else if (helpers_.size() + 1 < cores_ && !stopping_) {
    helpers_.emplace_back([this] { Help(); });
  }
}

void Scheduler::SetTimer(Timer timer) {
  timer.order = ++timers_set_;
  timers_.push_back(timer);
  std::push_heap(timers_.begin(), timers_.end(), Later);
  // Somebody else may sleep towards a later one.
  if (main_idle_) Wake();
}

void Scheduler::CallStarted(ForeignCalls* by) {
  ++calls_in_flight_;
  if (by == nullptr || !by->CanWaitHere()) return;
  if (helped_calls_ == 0) helped_ = by;
  if (helped_ == by) ++helped_calls_;
}

void Scheduler::CallEnded(ForeignCalls* by) {
  assert(calls_in_flight_ > 0);
  --calls_in_flight_;
  if (by != nullptr && helped_calls_ > 0 && helped_ == by) --helped_calls_;
  ++calls_ended_;
  if (main_idle_) Wake();
}

void Scheduler::Wake() {
  if (waits_in_ != nullptr) {
    waits_in_->EndWait();
  } else {
    main_wake_.notify_one();
  }
}

ThreadRecord* Scheduler::Next() {
  for (; !fresh_.empty(); fresh_.pop_back()) {
    lanes_[fresh_.back()->priority].push_front({fresh_.back(), turn_});
    ++waiting_;
  }
  while (waiting_ > 0) {
    std::deque<Entry>* from = nullptr;
    bool oldest = false;
    for (auto& [priority, lane] : lanes_) {
      if (lane.empty()) continue;
      const bool too_long = turn_ - lane.back().turn > kTurnsUntilOldest;
      if (from == nullptr || (too_long && !oldest)) from = &lane;
      oldest = oldest || too_long;
    }
    ThreadRecord* record = oldest ? from->back().record : from->front().record;
    if (oldest) {
      from->pop_back();
    } else {
      from->pop_front();
    }
    --waiting_;
    ++turn_;
    record->session->Unqueued();
    assert(record->phase == Phase::kReady || record->phase == Phase::kEnded);
    if (record->phase == Phase::kReady && record->session->TakeSlot(*record)) return record;
  }
  return nullptr;
}

void Scheduler::RunOne(ThreadRecord* record, std::unique_lock<std::mutex>& lock) {
  ++running_;
  record->session->Slice(*record, lock);
  --running_;
  if (!timers_.empty()) FireDue();
}

void Scheduler::Help() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    if (ThreadRecord* record = Next()) {
      RunOne(record, lock);
      continue;
    }
    // The last one to stop leaves it to the main OS thread to see what comes next.
    if (running_ == 0 && main_idle_) Wake();
    ++helpers_idle_;
    helper_wake_.wait(lock);
    --helpers_idle_;
  }
}

bool Scheduler::FireDue() {
  if (timers_.empty()) return false;
  const int64_t now = clock_->NowUnixNs();
  bool fired = false;
  while (!timers_.empty() && timers_.front().due_ns <= now) {
    std::pop_heap(timers_.begin(), timers_.end(), Later);
    const Timer timer = timers_.back();
    timers_.pop_back();
    if (!timer.session->TimerMatters(timer)) {
      if (void_timers_ > 0) --void_timers_;
      continue;
    }
    fired = true;
    timer_lag_ns_ = now - timer.due_ns;
    timer.session->TimerFired(timer);
  }
  return fired;
}

void Scheduler::ForgetVoidTimers() {
  if (void_timers_ == 0) return;
  std::erase_if(timers_, [](const Timer& timer) { return !timer.session->TimerMatters(timer); });
  std::make_heap(timers_.begin(), timers_.end(), Later);
  void_timers_ = 0;
}

// Waits for whatever comes next, for at most `longest`. False: nothing can come.
bool Scheduler::Wait(std::unique_lock<std::mutex>& lock, int64_t longest) {
  if (FireDue()) return true;
  const bool others_work = running_ > 0 || calls_in_flight_ > 0;
  if (void_timers_ * 2 >= timers_.size() || !others_work) ForgetVoidTimers();
  if (timers_.empty() && !others_work) return false;
  if (clock_->IsVirtual() && !others_work) {
    clock_->JumpTo(timers_.front().due_ns);
    return true;
  }
  if (!timers_.empty() && !clock_->IsVirtual()) {
    longest = std::clamp<int64_t>(timers_.front().due_ns - clock_->NowUnixNs(), 0, longest);
  }
  WaitAtMost(lock, longest);
  return true;
}

// For a wake-up. Who waits for a call carries it on itself: that saves two switches between OS threads.
void Scheduler::WaitAtMost(std::unique_lock<std::mutex>& lock, int64_t nanoseconds) {
  main_idle_ = true;
  if (helped_calls_ > 0) {
    waits_in_ = helped_;
    lock.unlock();
    waits_in_->WaitHere(std::chrono::nanoseconds(nanoseconds));
    lock.lock();
    waits_in_ = nullptr;
  } else {
    main_wake_.wait_for(lock, std::chrono::nanoseconds(nanoseconds));
  }
  main_idle_ = false;
}

void Scheduler::Forget(const Session* session) {
  const auto of_it = [session](const auto& entry) { return entry.session == session; };
  std::erase_if(fresh_, [&](const ThreadRecord* record) { return of_it(*record); });
  waiting_ = 0;
  for (auto& [priority, lane] : lanes_) {
    std::erase_if(lane, [&](const Entry& entry) { return of_it(*entry.record); });
    waiting_ += lane.size();
  }
  const auto from = std::remove_if(timers_.begin(), timers_.end(), of_it);
  if (from == timers_.end()) return;
  timers_.erase(from, timers_.end());
  std::make_heap(timers_.begin(), timers_.end(), Later);
}

int64_t Scheduler::ServeReady(std::unique_lock<std::mutex>& lock, const std::function<bool()>& between) {
  for (;;) {
    if (between()) continue;
    if (ThreadRecord* record = Next()) {
      RunOne(record, lock);
      continue;
    }
    if (FireDue()) continue;
    if (void_timers_ * 2 >= timers_.size()) ForgetVoidTimers();
    return timers_.empty() ? INT64_MAX : timers_.front().due_ns;
  }
}

void Scheduler::WaitUntil(std::unique_lock<std::mutex>& lock, int64_t unix_ns) {
  const int64_t now = clock_->NowUnixNs();
  if (unix_ns > now) WaitAtMost(lock, std::min(unix_ns - now, kWaitMaxNs));
}

void Scheduler::Run(std::unique_lock<std::mutex>& lock, const std::function<bool()>& finished,
                    const std::function<void()>& idle, const std::function<void()>& stuck) {
  assert(lock.owns_lock());
  bool told = false;  // idle() was called since anything ran
  while (!finished()) {
    if (ThreadRecord* record = Next()) {
      RunOne(record, lock);
      told = false;
      continue;
    }
    // A short wait, such as for a quick call, is not worth what idle() costs.
    const auto begun = std::chrono::steady_clock::now();
    const bool can_go_on = Wait(lock, told ? kWaitMaxNs : std::chrono::nanoseconds(kIdleAfter).count());
    if (!told && (!can_go_on || std::chrono::steady_clock::now() - begun >= kIdleAfter)) {
      told = true;
      lock.unlock();
      idle();
      lock.lock();
    } else if (!can_go_on) {
      stuck();
    }
  }
  // A slice of a session that was ended from outside may still run on a helper; its records must outlive it.
  while (running_ > 0) {
    main_idle_ = true;
    main_wake_.wait(lock);
    main_idle_ = false;
  }
}

}  // namespace teal::runtime

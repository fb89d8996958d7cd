#include "core/host/pool.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <csignal>

#include "core/host/call.h"

namespace teal::host {

Pool::~Pool() {
  Close();
  for (std::thread& thread : threads_) thread.join();
}

void Pool::Start(void (Pool::*run)()) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  ++running_;
  threads_.emplace_back([this, run] {
    (this->*run)();
    const std::lock_guard lock(mutex_);
    --running_;
    ended_.notify_all();
  });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

teal_status Pool::Post(const teal_call* call, Function function) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return TEAL_CLOSED;
    if (waiting_.size() < calls_max_) {
      waiting_.push_back({call, std::move(function)});
      if (idle_ >= waiting_.size()) {
        ready_.notify_one();
      } else if (threads_.size() < threads_max_ + (urgent_started_ ? 1U : 0U)) {
        Start(&Pool::Run);
      }
      return TEAL_OK;
    }
  }
  EndWith(call, TEAL_THROTTLED, "too many calls wait for this plugin; ask less of it at once");
  return TEAL_OK;
}

void Pool::PostUrgent(std::function<void()> function) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  urgent_.push_back(std::move(function));
  if (!urgent_started_) {
    urgent_started_ = true;
    Start(&Pool::RunUrgent);
  }
  urgent_ready_.notify_one();
}

bool Pool::CancelWaiting(uint64_t op_id) {
  if (op_id == 0) return false;
  const teal_call* call = nullptr;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
      if (at->call->op_id != op_id) continue;
      call = at->call;
      waiting_.erase(at);
      break;
    }
  }
  if (call == nullptr) return false;
  EndWith(call, TEAL_CANCELLED, "cancelled before it began");
  return true;
}

void Pool::Close() {
  std::deque<Waiting> dropped;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(waiting_);
    urgent_.clear();
  }
  ready_.notify_all();
  urgent_ready_.notify_all();
  for (const Waiting& waiting : dropped) EndWith(waiting.call, TEAL_CLOSED, "the plugin is being closed");
}

std::vector<uint64_t> Pool::Running() {
  const std::lock_guard lock(mutex_);
  return inside_;
}

bool Pool::Join(uint64_t ns_max) {
  std::unique_lock lock(mutex_);
  return ended_.wait_for(lock, std::chrono::nanoseconds(ns_max), [&] { return running_ == 0; });
}

void Pool::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    ready_.wait(lock, [&] { return closed_ || !waiting_.empty(); });
    --idle_;
    if (waiting_.empty()) return;
    const Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    const uint64_t op_id = next.call->op_id;
    inside_.push_back(op_id);
    lock.unlock();
    const teal_status status = next.function();
    if (status != TEAL_OK) EndWith(next.call, status, "refused by the plugin at once");
    lock.lock();
    inside_.erase(std::find(inside_.begin(), inside_.end(), op_id));
  }
}

void Pool::RunUrgent() {
  std::unique_lock lock(mutex_);
  while (true) {
    urgent_ready_.wait(lock, [&] { return closed_ || !urgent_.empty(); });
    if (urgent_.empty()) return;
    const std::function<void()> next = std::move(urgent_.front());
    urgent_.pop_front();
    lock.unlock();
    next();
    lock.lock();
  }
}

}  // namespace teal::host

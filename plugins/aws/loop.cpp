#include "plugins/aws/loop.hpp"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace teal::aws {

void Loop::Start() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // the new thread inherits it
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Loop::Stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    wake_.notify_one();
  }
  thread_.join();
}

void Loop::Post(Ready& ready) noexcept {
  const std::lock_guard lock(mutex_);
  ready.next = nullptr;
  const bool was_empty = first_ == nullptr;
  (was_empty ? first_ : last_->next) = &ready;
  last_ = &ready;
  if (was_empty) wake_.notify_one();
}

void Loop::PostCancel(uint64_t op_id) {
  const std::lock_guard lock(mutex_);
  cancels_.push_back(op_id);
  wake_.notify_one();
}

void Loop::Run() {
  std::vector<uint64_t> cancels;
  for (;;) {
    Ready* ready;
    {
      std::unique_lock lock(mutex_);
      const auto something = [this] { return first_ != nullptr || !cancels_.empty() || stop_; };
      if (timers_.empty()) {
        wake_.wait(lock, something);
      } else {
        wake_.wait_until(lock, timers_.begin()->first, something);
      }
      ready = std::exchange(first_, nullptr);
      last_ = nullptr;
      std::swap(cancels, cancels_);
      if (stop_ && ready == nullptr && cancels.empty()) return;
    }
    while (ready != nullptr) {
      Ready* const next = ready->next;  // resuming frees it
      ready->handle.resume();
      ready = next;
    }
    for (const uint64_t op_id : cancels) cancelled_(cancelled_ctx_, op_id);
    cancels.clear();
    const Clock::time_point now = Clock::now();
    while (!timers_.empty() && timers_.begin()->first <= now) {
      const std::coroutine_handle<> handle = timers_.begin()->second;
      timers_.erase(timers_.begin());
      handle.resume();
    }
  }
}

}  // namespace teal::aws

#include "core/runtime/memory_store_delays.h"

#include <pthread.h>

#include <csignal>
#include <utility>

namespace teal::runtime::store {

Delays::~Delays() {
  std::thread thread;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    thread = std::move(thread_);
    changed_.notify_all();
  }
  if (thread.joinable()) thread.join();
}

void Delays::After(uint64_t delay_ns, std::function<void()> run) {
  const Time due = std::chrono::steady_clock::now() + std::chrono::nanoseconds(delay_ns);
  const std::lock_guard lock(mutex_);
  later_.emplace(due, std::move(run));
  if (thread_.joinable()) {
    changed_.notify_all();
    return;
  }
  // Signals are the business of the threads that ask for them: this one, and none that it begins, takes any.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Delays::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (later_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto first = later_.begin();
    if (const Time due = first->first; std::chrono::steady_clock::now() < due) {
      changed_.wait_until(lock, due);
      continue;
    }
    const std::function<void()> run = std::move(first->second);
    later_.erase(first);
    lock.unlock();
    run();
    lock.lock();
  }
}

}  // namespace teal::runtime::store

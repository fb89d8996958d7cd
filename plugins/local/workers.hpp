// A few threads for work that waits for the disk. Tasks begin in the order added. Thread-safe; Stop is a control call.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "plugins/local/quiet.hpp"

namespace teal::local {

class Workers {
 public:
  explicit Workers(int threads) {
    const Quiet quiet;
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
  }
  ~Workers() { Stop(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // `task` does not throw. False once Stop was called: it is not run.
  bool Add(std::function<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return false;
      tasks_.push_back(std::move(task));
    }
    added_.notify_one();
    return true;
  }
  // Ends all tasks added, then the threads.
  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    added_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      added_.wait(lock, [this] { return stop_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable added_;
  std::deque<std::function<void()>> tasks_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace teal::local

// Ctrl-C, counted.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace teal::cli {

// While it lives, SIGINT and SIGTERM come to `on_signal` (with how many there have been) on a thread of its own,
// instead of ending the process. Make one before any other thread is started: threads inherit what it blocks.
class Interrupt {
 public:
  explicit Interrupt(std::function<void(int times)> on_signal);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  int times() const { return times_; }

 private:
  const std::function<void(int)> on_signal_;
  std::atomic<int> times_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace teal::cli

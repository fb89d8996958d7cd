// Functions that run later, on one thread that begins with the first of them. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace teal::runtime::store {

class Delays {
 public:
  Delays() = default;
  // Drops what has not begun, and waits for what has. Nothing may be added meanwhile. Not from one of the functions.
  ~Delays();
  Delays(const Delays&) = delete;
  Delays& operator=(const Delays&) = delete;

  void After(uint64_t delay_ns, std::function<void()> run);

 private:
  using Time = std::chrono::steady_clock::time_point;
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::multimap<Time, std::function<void()>> later_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace teal::runtime::store

// One thread that runs what it is given, in order, and some of it later.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace teal::trigger {

// Thread-safe.
class WorkQueue {
 public:
  using Work = std::function<void()>;

  WorkQueue();
  ~WorkQueue();  // Stop
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // Never blocks for long, so sinks may call it. After Stop: dropped.
  void Post(Work work);
  void After(uint64_t ns, Work work);
  // The same, and comes back when it has run. Not from the queue's own thread. After Stop: comes back at once.
  void Do(const Work& work);
  // Ends the work at hand and drops the rest.
  void Stop();

 private:
  using Time = std::chrono::steady_clock::time_point;

  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> ready_;           // guarded by mutex_
  std::multimap<Time, Work> later_;  // guarded by mutex_
  bool stopped_ = false;             // guarded by mutex_
  std::thread thread_;
};

}  // namespace teal::trigger

// The one thread of an instance, on which everything of the plugin but `validate` and `decode` runs: work that is put
// here, watched descriptors, times that come.
#pragma once

#include <sys/eventfd.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "triggers/s3/files.hpp"

namespace teal::s3 {

class Loop {
 public:
  using Clock = std::chrono::steady_clock;
  using Task = std::function<void()>;
  struct Turn {
    std::vector<int> watched;  // a turn comes when one of them is readable,
    Clock::time_point next;    // or at this time
  };

  Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // `turn` is called on the thread after the tasks that were posted. Its thread blocks all signals (LIFE-12). Throws
  // std::system_error where there can be no thread.
  void Start(std::function<Turn()> turn);
  // Once: what was posted runs, then `last`, then the thread ends.
  void Stop(Task last);

  // Any thread; does not block. False: it was stopped, and the task is not taken.
  bool Post(Task task);

 private:
  void Run();
  void Wake();

  Fd wake_;
  std::function<Turn()> turn_;
  std::thread thread_;
  std::mutex mutex_;  // guards what follows
  std::vector<Task> tasks_;
  bool stopped_ = false;
};

}  // namespace teal::s3

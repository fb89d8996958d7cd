// What this process has: threads, descriptors, time spent waiting. Of Linux's /proc.
#pragma once

#include <cstdint>
#include <set>

namespace teal::kit {

std::set<int> Threads();      // ids of all threads of this process
std::set<int> Descriptors();  // that are open
// The signals that a thread blocks, bit n-1 for signal n; all if it has ended.
uint64_t BlockedSignals(int thread);

// How long the calling thread has been neither running nor ready to run, in nanoseconds since some moment.
class WaitingTime {
 public:
  WaitingTime();
  ~WaitingTime();
  WaitingTime(const WaitingTime&) = delete;
  WaitingTime& operator=(const WaitingTime&) = delete;
  // On the thread that made it.
  uint64_t Now() const;

 private:
  int file_;
};

}  // namespace teal::kit

// Runs the threads of all sessions of this process on its cores.
//
// One mutex guards the queues, the timers and every record of every session: what happens under it is a few hundred
// nanoseconds. The OS thread that calls Run takes part; others are started only when there is work left over, so that
// a program with one thread pays for none of this.
//
// Order: what one slice spawned or woke runs next, in that order, before what was ready earlier (depth first, which
// keeps few threads alive); a thread that used up its budget goes to the end. Threads of a larger priority go before
// all that; but what has waited for kTurnsUntilOldest turns of others goes next.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/runtime/clock.h"
#include "core/runtime/foreign.h"
#include "core/runtime/records.h"

namespace teal::runtime {

// Calls and backward jumps of one slice: about a millisecond.
inline constexpr uint64_t kSliceBudget = 20'000;
inline constexpr uint64_t kTurnsUntilOldest = 1'000;
// Longer than between two ticks of most kernels: a timer that is the next to fire costs a setting of the hardware.
inline constexpr std::chrono::milliseconds kIdleAfter{5};
inline constexpr size_t kQueueSlack = 4;  // ready threads that are not worth another core

enum class TimerKind : uint8_t {
  kFuture,     // target: a FutureCell
  kThread,     // target: a ThreadRecord whose wait ends, of `generation`
  kTerminate,  // target: a ThreadRecord whose time for cleaning up ends
};

struct Timer {
  int64_t due_ns;
  uint64_t order;  // of setting, for equal times
  Session* session;
  TimerKind kind;
  uint32_t generation;
  void* target;
};

class Scheduler {
 public:
  // clock must outlive the scheduler. cores: OS threads at most, the caller of Run being one; at least 1.
  Scheduler(Clock* clock, unsigned cores);
  ~Scheduler();  // precondition: nobody is in Run
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  std::mutex& mutex() { return mutex_; }
  Clock& clock() { return *clock_; }

  // Everything from here on needs the mutex.

  // The record's phase becomes kReady. `behind`: it used up its budget.
  void MakeReady(ThreadRecord* record, bool behind = false);
  std::vector<ThreadRecord*> ReadyInOrder() const;
  void SetTimer(Timer timer);  // order is filled in
  // A timer that was set has lost its meaning: forgotten some time later.
  void TimerIsVoid() { ++void_timers_; }
  // Forgets them now: afterwards none refers to what has ended.
  void ForgetVoidTimers();
  // Nothing here refers to the session any more. Precondition: no slice of it runs.
  void Forget(const Session* session);
  // by: who carries it out, if the OS thread that has nothing else to do may help; alive until the call has ended.
  void CallStarted(ForeignCalls* by = nullptr);
  void CallEnded(ForeignCalls* by = nullptr);
  // Threads that could run now; how late the last timer fired; foreign calls that have ended so far.
  size_t ReadyCount() const { return fresh_.size() + waiting_; }
  int64_t timer_lag_ns() const { return timer_lag_ns_; }
  uint64_t calls_ended() const { return calls_ended_; }

  // Runs until finished(). idle() is called without the mutex once a wait has lasted for kIdleAfter, and before
  // stuck(). stuck() is called when nothing can
  // ever happen again; afterwards finished() must hold.
  void Run(std::unique_lock<std::mutex>& lock, const std::function<bool()>& finished, const std::function<void()>& idle,
           const std::function<void()>& stuck);
  // For sessions that come from outside, where nothing is ever over: runs all there is to do. between() is called
  // before each slice and at the end; it may release the mutex meanwhile, and gives whether it did something. Gives
  // when the next timer is due; INT64_MAX: none.
  int64_t ServeReady(std::unique_lock<std::mutex>& lock, const std::function<bool()>& between);
  // Waits for WakeIfIdle, for something to become ready, or for that time.
  void WaitUntil(std::unique_lock<std::mutex>& lock, int64_t unix_ns);
  // Ends the wait of Run or WaitUntil, if somebody waits.
  void WakeIfIdle() {
    if (main_idle_) Wake();
  }
  // The same, and releases the mutex before, so that who is woken does not have to wait for it.
  void WakeIfIdle(std::unique_lock<std::mutex> lock) {
    if (!main_idle_) return;
    if (waits_in_ != nullptr) return Wake();
    lock.unlock();
    main_wake_.notify_one();
  }
  // Makes Run look at finished() again. Safe to call from any thread with the mutex.
  void Wake();

 private:
  struct Entry {
    ThreadRecord* record;
    uint64_t turn;  // when it became ready
  };

  ThreadRecord* Next();
  void RunOne(ThreadRecord* record, std::unique_lock<std::mutex>& lock);
  void Help();
  void Offload();
  bool FireDue();
  bool Wait(std::unique_lock<std::mutex>& lock, int64_t longest);
  void WaitAtMost(std::unique_lock<std::mutex>& lock, int64_t nanoseconds);

  // Constant after construction.
  Clock* const clock_;
  const unsigned cores_;

  std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<ThreadRecord*> fresh_;  // goes to the front of its lane, in order, before the next choice
  // Those ready, in their order, of each priority; the largest comes first. Lanes stay when they are empty.
  std::map<float, std::deque<Entry>, std::greater<>> lanes_;
  size_t waiting_ = 0;  // in all lanes
  uint64_t turn_ = 0;
  std::vector<Timer> timers_;  // a heap, the earliest first
  uint64_t timers_set_ = 0;
  size_t void_timers_ = 0;
  size_t calls_in_flight_ = 0;
  uint64_t calls_ended_ = 0;
  int64_t timer_lag_ns_ = 0;
  size_t running_ = 0;  // slices
  bool main_idle_ = false;
  ForeignCalls* helped_ = nullptr;    // one of those that can be waited for and have calls in flight
  size_t helped_calls_ = 0;           // those; 0: there is none
  ForeignCalls* waits_in_ = nullptr;  // main is idle, within its WaitHere
  bool stopping_ = false;
  size_t helpers_idle_ = 0;
  std::condition_variable main_wake_;
  std::condition_variable helper_wake_;
  std::vector<std::thread> helpers_;
};

}  // namespace teal::runtime

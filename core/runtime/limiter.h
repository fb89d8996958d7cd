// The attributes `concurrency` and `rate` within one process: how many calls of an import, or threads of a function,
// run at once, and how many begin in a time, for each value of a parameter.
//
// Fair: who waits is admitted in the order of arrival; only one whose keys are free passes those whose keys are not.
// The rate holds for every window: of any `begins_max + 1` that follow one another, the last begins at least
// `per_seconds` after the first.
//
// Everything needs the scheduler's mutex.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>

namespace teal::runtime {

class Scheduler;
struct ThreadRecord;

struct LimitPolicy {
  uint32_t running_max = 0;  // 0: any number
  std::string running_key;   // the parameter; empty: one count for all
  uint32_t begins_max = 0;   // 0: any number
  double per_seconds = 60;   // above 0
  std::string begins_key;    // as running_key
  bool Any() const { return running_max > 0 || begins_max > 0; }
};

class Limiter;

// A place among those that a limiter admits: asked for, waited for, held. It is given back by the destructor.
class Admission {
 public:
  // The keys: an encoding of the parameter's value, or empty where there is none.
  Admission(Limiter* limiter, std::string running_key, std::string begins_key);
  ~Admission() { Leave(); }
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  bool inside() const { return state_ == State::kInside; }
  Limiter& limiter() const { return *limiter_; }
  const std::string& running_key() const { return keys_.first; }
  const std::string& begins_key() const { return keys_.second; }

  // True: inside. False: `who`, which is to be parked, waits; Session::Admitted tells when it is inside.
  // Precondition: not inside, not waiting.
  bool Enter(ThreadRecord* who);
  // Inside whether there is a place or not: for what was inside already when its session moved here.
  void TakePlace();
  // Gives the place back, or ends the wait.
  void Leave();

 private:
  friend class Limiter;
  enum class State : uint8_t { kOutside, kWaiting, kInside };

  Limiter* const limiter_;
  const std::pair<std::string, std::string> keys_;  // of running, of begins
  State state_ = State::kOutside;
};

class Limiter {
 public:
  // index, name: of the import or function. scheduler: outlives the limiter.
  Limiter(Scheduler* scheduler, uint32_t index, std::string name, LimitPolicy policy);
  Limiter(const Limiter&) = delete;
  Limiter& operator=(const Limiter&) = delete;

  uint32_t index() const { return index_; }
  const std::string& name() const { return name_; }
  const LimitPolicy& policy() const { return policy_; }
  // The time has come for which a waiting thread's timer was set.
  void TimerFired();

 private:
  friend class Admission;
  struct Entry {
    Admission* admission;
    ThreadRecord* who;
    uint64_t arrival;
  };
  using Keys = std::pair<std::string, std::string>;
  using Line = std::deque<Entry>;  // those who wait with the same keys, in order; never empty

  bool HasRoom(const Keys& keys) const;
  int64_t BeginsFrom(const Keys& keys) const;  // when the rate lets the next one begin
  void Take(Admission* admission, int64_t now);
  void Admit();
  void Arm();
  void Disarm();  // the timer that was set, if there is one, means nothing any more
  void Forget(int64_t now);

  Scheduler* const scheduler_;
  const uint32_t index_;
  const std::string name_;
  const LimitPolicy policy_;
  const int64_t per_ns_;

  std::map<Keys, Line> lines_;
  std::unordered_map<std::string, uint32_t> running_;            // by key; none is 0
  std::unordered_map<std::string, std::deque<int64_t>> begins_;  // by key: the last begins_max times, in order
  size_t forget_at_ = 64;                                        // keys in begins_
  uint64_t arrivals_ = 0;
  ThreadRecord* armed_for_ = nullptr;  // waits here, and a timer of its wait is set
  int64_t armed_ns_ = 0;
};

}  // namespace teal::runtime

// What a session keeps of each of its threads and futures.
//
// Invariants:
//  - All fields are guarded by the scheduler's mutex, except `ThreadRecord::thread` while phase is kRunning: then it
//    belongs to the OS thread that runs it.
//  - Records live as long as their session; pointers between records of one session therefore need no counting.
//  - Values in cells are shared (vm::Share) before they are stored.
//  - A wait holds for one `generation`: whoever ends a wait counts it up, and what still refers to an older one
//    (waiters in cells, timers) is void.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/runtime/foreign.h"
#include "core/runtime/kept.h"
#include "core/runtime/limiter.h"
#include "core/runtime/policy.h"
#include "core/runtime/trace.h"
#include "core/vm/thread.h"
#include "core/vm/value.h"

namespace teal::runtime {

class Session;
struct FutureCell;
struct ThreadRecord;

enum class CellState : uint8_t { kPending, kOk, kFailed };

// Who is told when a future resolves: a waiting thread (with its wait's generation), or the cell of another future,
// which resolves likewise (a chained thread's, or a timeout's).
class Waiter {
 public:
  static Waiter Of(ThreadRecord* thread, uint32_t index = 0);  // of its present wait; index: in its list of futures
  static Waiter Of(FutureCell* cell) { return Waiter(reinterpret_cast<uintptr_t>(cell) | 1, 0, 0); }

  FutureCell* cell() const { return (who_ & 1) != 0 ? reinterpret_cast<FutureCell*>(who_ & ~uintptr_t{1}) : nullptr; }
  ThreadRecord* thread() const { return (who_ & 1) != 0 ? nullptr : reinterpret_cast<ThreadRecord*>(who_); }
  uint32_t index() const { return index_; }
  // Whether it still waits.
  bool Waits() const;

 private:
  friend class Waiters;
  Waiter() = default;  // nobody
  Waiter(uintptr_t who, uint32_t generation, uint32_t index) : who_(who), generation_(generation), index_(index) {}

  uintptr_t who_ = 0;  // both are aligned, so that the lowest bit is free: 1: a cell
  uint32_t generation_ = 0;
  uint32_t index_ = 0;
};

// Those who wait for one future, in order. Most often there is one: it takes no memory of its own.
class Waiters {
 public:
  void Add(Waiter waiter);
  // All of them; none are left.
  std::vector<Waiter> Take();
  bool AnyWaits() const;
  bool AnyThreadWaits() const;

 private:
  Waiter first_;  // nobody: there are none
  std::unique_ptr<std::vector<Waiter>> more_;
};

// The state of one future.
struct FutureCell {
  vm::FutureKind kind = vm::FutureKind::kThread;
  CellState state = CellState::kPending;
  bool awaited = false;  // somebody took or waits for its outcome
  bool armed = false;    // a timer for its deadline is set
  uint64_t order = 0;    // of resolution in its session, from 1; 0: pending
  vm::Value outcome;     // the value or the error
  Waiters waiters;
  ThreadRecord* thread = nullptr;  // kThread: whose
  // Whose outcome becomes its own: kThread that ended with a future: that one; kTimeout: what it limits.
  FutureCell* inner = nullptr;

  bool IsChained() const { return kind == vm::FutureKind::kThread && inner != nullptr; }
};

// Of all kinds but kThread.
struct MadeCell : FutureCell {
  vm::Value future;     // itself
  int64_t made_ns = 0;  // kTimeout: when it began
  ThreadRecord* maker = nullptr;

  const vm::Future& Made() const { return *future.As<vm::Future>(); }
};

// The waits of __wait (builtins.def).
enum class WaitMode : uint8_t { kAll, kSettle, kRace, kSome };

struct MultiWait {
  WaitMode mode = WaitMode::kAll;
  int64_t wanted = 0;
  int64_t failures_allowed = 0;
  std::vector<FutureCell*> cells;  // null: a member that is no future
  uint64_t pending = 0;
  int64_t failed = 0;
  int64_t last_failure = -1;
  std::vector<uint32_t> resolved_well;  // indexes in order of resolution
};

// A foreign call of a waiting thread, through all its attempts. The arguments stay in the thread's request.
struct PendingCall {
  uint32_t attempt = 1;  // those that ended by themselves, and this one
  uint32_t losses = 0;   // attempts that ended with their worker
  uint64_t number = 0;   // of ForeignCalls; 0: not in flight, or not known yet
  bool in_flight = false;
  bool committed = false;                 // the store knows that this attempt begins
  bool interrupted = false;               // at most once, and nobody knows how far it came
  std::unique_ptr<Admission> admission;   // of its import; null: nothing limits that
  std::unique_ptr<ForeignOutcome> early;  // it ended before its thread was parked
};

enum class Phase : uint8_t {
  kReady,    // in a queue
  kRunning,  // an OS thread has it
  kWaiting,  // for a future, several, or a time
  kForeign,  // for a foreign call or its next attempt
  kEnded,
};

// An answer waits here until its thread runs: a thread that has been answered cannot be written down before it ran.
enum class AnswerKind : uint8_t { kNone, kValue, kError };

enum class WaitKind : uint8_t { kNone, kFuture, kSeveral, kTime, kRetry, kCall, kPlace, kGate };

// What few threads need.
struct SeldomNeeded {
  uint64_t budget_seed = 0;                            // SuspensionTests
  int64_t grace_end_ns = 0;                            // once cancel_raised
  std::unique_ptr<const std::string> terminate_error;  // why it is terminated, if not for the end of its grace
};

struct ThreadRecord {
  Session* session = nullptr;
  vm::Value name;                 // its thread id, a shared string: its futures hold it too
  ThreadRecord* owner = nullptr;  // who spawned it; null: the main thread
  uint32_t depth = 0;
  uint32_t generation = 0;
  Phase phase = Phase::kReady;
  WaitKind wait = WaitKind::kNone;
  AnswerKind answered = AnswerKind::kNone;
  bool has_slot = false;  // counts as running
  bool started = false;   // has run
  bool asked = false;     // its request is not answered yet
  bool cancel_raised = false;
  bool changed = false;          // since its last commit was made
  bool stored = false;           // it has a record
  bool parked_noted = false;     // its history says that it waits
  bool foreign_name = false;     // read back: values name it by another object than `name`
  bool fake = false;             // answers a foreign call of its owner (Session::Options::fakes)
  bool has_effect_step = false;  // `effect_step` is the number of the pending effect
  std::atomic<bool> cancel_requested{false};
  std::atomic<bool> terminate{false};
  float priority = 0;  // larger goes first
  uint64_t effect_step = 0;
  uint64_t spawn_step = 0;             // of its owner
  uint32_t living_children = 0;        // records of threads that it spawned
  uint64_t parked = 0;                 // when, in the order of its session
  int64_t wake_ns = 0;                 // kTime, kRetry: when; kept when the thread moves
  std::unique_ptr<vm::Thread> thread;  // null once ended
  FutureCell cell;
  vm::Value answer;              // of kind `answered`
  FutureCell* awaits = nullptr;  // kFuture
  std::vector<MadeCell*> made;   // its futures that are no threads; with a store only
  std::unique_ptr<MultiWait> several;
  std::unique_ptr<PendingCall> call;
  std::unique_ptr<Admission> admission;  // of the function it began with; null: nothing limits that
  std::unique_ptr<SeldomNeeded> seldom;  // null: all as at first
  const SpawnSite* site = nullptr;       // of the session; null: the main thread

  std::string_view tid() const { return name.Text(); }
  SeldomNeeded& Seldom() {
    if (seldom == nullptr) seldom = std::make_unique<SeldomNeeded>();
    return *seldom;
  }
};

inline Waiter Waiter::Of(ThreadRecord* thread, uint32_t index) {
  return Waiter(reinterpret_cast<uintptr_t>(thread), thread->generation, index);
}

inline bool Waiter::Waits() const {
  return cell() != nullptr || (who_ != 0 && thread()->generation == generation_);
}

}  // namespace teal::runtime

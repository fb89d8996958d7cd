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
struct Waiter {
  ThreadRecord* thread = nullptr;
  FutureCell* cell = nullptr;
  uint32_t generation = 0;
  uint32_t index = 0;  // in the thread's list of futures
};

// The state of one future.
struct FutureCell {
  vm::FutureKind kind = vm::FutureKind::kThread;
  CellState state = CellState::kPending;
  bool awaited = false;     // somebody took or waits for its outcome
  bool armed = false;       // a timer for `deadline_ns` is set
  uint64_t order = 0;       // of resolution in its session, from 1; 0: pending
  int64_t deadline_ns = 0;  // kTimer, kTimeout
  int64_t made_ns = 0;      // kTimeout: when it began
  vm::Value outcome;        // the value or the error
  std::vector<Waiter> waiters;
  ThreadRecord* thread = nullptr;    // kThread: whose; kEvent, kRequest: who asked
  FutureCell* inner = nullptr;       // kTimeout: what it limits
  FutureCell* chained_to = nullptr;  // kThread that ended with a future: that one
  vm::Value future;                  // all but kThread: the future itself
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

enum class WaitKind : uint8_t { kNone, kFuture, kSeveral, kTime, kRetry, kCall };

struct ThreadRecord {
  Session* session = nullptr;
  std::string tid;
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
  bool fake = false;             // answers a foreign call of its owner (Session::Options::fakes)
  bool has_effect_step = false;  // `effect_step` is the number of the pending effect
  std::atomic<bool> cancel_requested{false};
  std::atomic<bool> terminate{false};
  uint64_t effect_step = 0;
  uint64_t budget_seed = 0;            // SuspensionTests
  uint64_t parked = 0;                 // when, in the order of its session
  int64_t grace_end_ns = 0;            // once cancel_raised
  int64_t wake_ns = 0;                 // kTime, kRetry: when; kept when the thread moves
  std::unique_ptr<vm::Thread> thread;  // null once ended
  FutureCell cell;
  vm::Value answer;              // of kind `answered`
  FutureCell* awaits = nullptr;  // kFuture
  std::unique_ptr<MultiWait> several;
  std::unique_ptr<PendingCall> call;
  std::unique_ptr<const std::string> terminate_error;  // why it is terminated, if not for the end of its grace
  std::shared_ptr<const SpawnSite> site;               // null: the main thread
};

}  // namespace teal::runtime

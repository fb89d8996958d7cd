// What the runtime needs of whoever carries out foreign calls.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "core/vm/program.h"
#include "core/vm/value.h"

namespace teal::runtime {

struct ForeignCall {
  uint16_t import = 0;                   // index into Program::imports
  bool keywords = false;                 // the last argument is a hash of keyword arguments
  std::span<const vm::Value> arguments;  // these three live until Start returns
  std::string_view session;
  std::string_view thread;
  uint64_t step = 0;
  uint32_t attempt = 1;
  double timeout_seconds = 0;    // 0: none
  double heartbeat_seconds = 0;  // 0: none
  float priority = 0;            // of calls that wait, the larger goes first
  bool gather = false;           // it may wait for others until Flush, so that they are sent together
};

struct ForeignOutcome {
  bool ok = false;
  // The worker died, or closed or broke its pipe while the call was with it: nobody knows how far it came.
  bool worker_lost = false;
  // The trace of the error begins at the entry point; else it holds the foreign frames only, or is null.
  bool whole_trace = false;
  vm::Value value;  // the result, or the error
};

class ForeignCalls {
 public:
  virtual ~ForeignCalls() = default;
  // Gives a number for Cancel. `done` is called once, from any OS thread, also before Start returns. The runtime's
  // lock is not held during Start.
  virtual uint64_t Start(const ForeignCall& call, std::function<void(ForeignOutcome)> done) = 0;
  // Sends what was gathered. From any OS thread.
  virtual void Flush() {}
  // The call is no longer wanted: it is told, has the grace to end, and still ends with `done`, which is not called
  // from within Cancel. Nothing happens if it has ended.
  virtual void Cancel(uint64_t number, double grace_seconds) = 0;
  // Which positional argument of an import's calls is its parameter of that name; -1: there is none, or nobody knows.
  virtual int PositionOf(uint16_t, std::string_view) const { return -1; }
  // Whether WaitHere can be used.
  virtual bool CanWaitHere() const { return false; }
  // The calling OS thread has nothing else to do: it carries the calls on, and so calls `done`, until some have ended,
  // EndWait is called or `longest` is over; may return early. Without the runtime's lock. For one OS thread at a time.
  virtual void WaitHere(std::chrono::nanoseconds) {}
  // Ends the present WaitHere, or else the next one. From any OS thread.
  virtual void EndWait() {}
  // Ends everything; afterwards no `done` is called any more. Idempotent.
  virtual void Shutdown() = 0;
};

}  // namespace teal::runtime

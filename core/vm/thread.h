// A thread of a program: one object that is all its state.
//
// Invariants:
//  - Registers of all frames stand in one array; frame i's window is [frames[i].base, frames[i].base + its function's
//    registers); windows of caller and callee overlap in the arguments. Everything above the top frame's window is null.
//  - A thread is run by one OS thread at a time, and changed by nobody else.
//  - Between runs the thread is at a suspension point: its top frame's pc is the next instruction; when `pending` is
//    set, the instruction before it asked for something (request()), and Resolve or Raise answers it.
// Not synchronised: whoever hands a thread from one OS thread to another provides the order.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/vm/program.h"
#include "core/vm/value.h"

namespace teal::vm {

inline constexpr uint32_t kFramesMax = 100000;         // stack_overflow
inline constexpr uint64_t kValueBytesMax = 64u << 20;  // one value
inline constexpr uint64_t kStateBytesMax = 256u << 20; // one thread's state
inline constexpr uint32_t kTailCallsKept = 16;         // of each frame, for traces

struct Frame {
  uint32_t function;
  uint32_t pc;           // next instruction; of a frame below the top: the one after its call
  uint32_t base;         // first register
  uint32_t return_to;    // register of the caller's frame that takes the result
  uint32_t tail_history; // 0: none, else 1 + index into the thread's tail-call histories
};

enum class RequestKind : uint8_t { kNone, kForeign, kSpawn, kAwait, kHost };

// What a stopped thread asks for. Views into the thread, valid until it runs again.
struct Request {
  RequestKind kind = RequestKind::kNone;
  uint16_t id = 0;             // kForeign: import index; kHost: builtin id
  bool keywords = false;       // the last argument is a hash of keyword arguments
  std::span<Value> arguments;  // kAwait: the future; kSpawn: callee, then its arguments. May be moved out of.
};

enum class RunState : uint8_t {
  kDone,     // result() holds the value
  kFailed,   // result() holds the error
  kRequest,  // request() says for what; answer with Resolve or Raise, then run again
  kBudget,   // the budget is used up; run again
};

// Where a frame is, for traces and inspection.
struct FrameView {
  const Function* function;
  uint32_t pc;  // of the instruction that runs or asked, for position
  std::span<const Value> registers;
  bool replaced;  // a function that a tail call replaced: it has no registers
};

class Thread {
 public:
  // A thread that will run callee(arguments). tid: as the language's tid(); it also seeds the identity of closures.
  // Any callable will do; a wrong number of arguments fails the thread with `arity` when it runs.
  Thread(std::shared_ptr<const Program> program, std::string tid, Value callee, std::vector<Value> arguments);
  ~Thread();
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  // Runs until it ends, asks for something, or about `budget` backward jumps and calls were made. Never blocks.
  RunState Run(uint64_t budget);

  const Request& request() const { return request_; }
  // Answers the request. Precondition: state is kRequest.
  void Resolve(Value value);
  // The request failed, or something is raised from outside (cancellation): `error` is an error value; its trace is
  // filled with this thread's frames unless it has one, in which case it is joined behind them.
  void Raise(Value error);
  const Value& result() const { return result_; }
  RunState state() const { return state_; }

  const std::shared_ptr<const Program>& program() const { return program_; }
  const std::string& tid() const { return tid_; }
  // Number of the next effect; the runtime takes one for each foreign call, spawn, event, … (key = sid/tid/step).
  uint64_t TakeStep() { return next_step_++; }
  uint64_t next_step() const { return next_step_; }

  std::vector<FrameView> Stack() const;  // bottom first, replaced ones included
  // The trace of the place the thread is at: entry point first.
  Value TraceHere() const;
  // Gives back memory that a parked thread does not need.
  void Shrink();
  uint64_t MemorySize() const;

 private:
  friend class Interpreter;
  friend class CheckpointWriter;
  friend class CheckpointReader;
  Thread(std::shared_ptr<const Program> program, std::string tid);

  std::shared_ptr<const Program> program_;
  std::string tid_;
  uint64_t origin_ = 0;         // hash of tid, for closures
  uint64_t closures_ = 0;       // made so far
  uint64_t next_step_ = 0;
  Value* registers_ = nullptr;  // capacity_ values; all constructed
  uint32_t capacity_ = 0;
  std::vector<Frame> frames_;
  struct TailHistory {
    uint32_t count = 0;  // ever; the last kTailCallsKept are kept, in a ring
    struct Entry { uint32_t function, pc; } ring[kTailCallsKept];
  };
  std::vector<TailHistory> tail_histories_;
  // The least number of frames since the last checkpoint: frames below were not touched since.
  uint32_t low_water_ = 0;
  // Content hashes of the segments of untouched frames, kept by checkpoint.cpp.
  std::vector<Sha256> frame_segments_;
  RunState state_ = RunState::kBudget;
  Request request_;
  Value result_;
};

}  // namespace teal::vm

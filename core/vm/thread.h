// A thread of a program: one object that is all its state.
//
// Invariants:
//  - Registers of all frames stand in one array; frame i's window is [frames[i].base, frames[i].base + its function's
//    registers); windows of caller and callee overlap in the arguments. Everything above the top frame's window is
//    null.
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

inline constexpr uint32_t kFramesMax = 100000;          // stack_overflow
inline constexpr uint64_t kValueBytesMax = 64u << 20;   // one value
inline constexpr uint64_t kStateBytesMax = 256u << 20;  // one thread's state
inline constexpr uint32_t kTailCallsKept = 16;          // of each frame, for traces

// A thread that is near its limit is measured after so many allocated bytes, so this is what it may pass the limit by.
inline constexpr uint64_t kMeasureBytesMin = kStateBytesMax / 8;
// Budget: so many bytes allocated, compared, searched, hashed or moved count as one backward jump, which they take
// about as long as.
inline constexpr uint64_t kBytesPerTurn = 128;

// The registers of all frames together; past it: stack_overflow.
inline constexpr uint64_t kStackRegistersMax = kStateBytesMax / sizeof(Value);

struct Frame {
  uint32_t function;
  uint32_t pc;            // next instruction; of a frame below the top: the one after its call
  uint32_t base;          // first register
  uint32_t return_to;     // register of the caller's frame that takes the result
  uint32_t tail_history;  // 0: none, else 1 + index into the thread's tail-call histories
};

// The frames of a thread, bottom first: as std::vector, but with its ends in reach of the interpreter. Never has room
// for more than kFramesMax frames, so that "full" is the only question a call must ask.
class FrameStack {
 public:
  FrameStack() = default;
  ~FrameStack();
  FrameStack(const FrameStack&) = delete;
  FrameStack& operator=(const FrameStack&) = delete;

  uint32_t size() const { return static_cast<uint32_t>(end_ - begin_); }
  uint32_t capacity() const { return static_cast<uint32_t>(limit_ - begin_); }
  // size() in bytes: to be compared without a division.
  size_t offset() const { return static_cast<size_t>(reinterpret_cast<char*>(end_) - reinterpret_cast<char*>(begin_)); }
  bool empty() const { return begin_ == end_; }
  bool full() const { return end_ == limit_; }
  Frame& operator[](size_t i) {
    assert(i < size());
    return begin_[i];
  }
  const Frame& operator[](size_t i) const {
    assert(i < size());
    return begin_[i];
  }
  Frame& back() {
    assert(!empty());
    return end_[-1];
  }
  const Frame& back() const {
    assert(!empty());
    return end_[-1];
  }
  Frame* begin() { return begin_; }
  Frame* end() { return end_; }
  const Frame* begin() const { return begin_; }
  const Frame* end() const { return end_; }
  // Precondition: size() < kFramesMax.
  void push_back(const Frame& frame) {
    if (full()) [[unlikely]]
      Grow();
    *end_++ = frame;
  }
  void pop_back() {
    assert(!empty());
    --end_;
  }
  void clear() { end_ = begin_; }
  void reserve(uint32_t capacity);  // precondition: capacity <= kFramesMax
  void shrink_to_fit();

 private:
  void Grow();
  void Reallocate(uint32_t capacity);
  Frame* begin_ = nullptr;
  Frame* end_ = nullptr;
  Frame* limit_ = nullptr;
};

enum class RequestKind : uint8_t { kNone, kForeign, kSpawn, kAwait, kHost };

// What a stopped thread asks for. Views into the thread, valid until it runs again.
struct Request {
  RequestKind kind = RequestKind::kNone;
  uint16_t id = 0;        // kForeign: import index; kHost: builtin id
  bool keywords = false;  // the last argument is a hash of keyword arguments
  // kSpawn: callee, then its arguments. May be moved out of. kAwait: the future; to be copied, the register stays as it
  // is.
  std::span<Value> arguments;
};

// Where the request of an instruction stands in its frame.
struct RequestPlace {
  RequestKind kind = RequestKind::kNone;
  uint16_t id = 0;
  bool keywords = false;
  bool spread = false;  // kApply: the arguments are the elements of the list in the second kept register
  // The registers from which RebuildRequest makes the request again: a checkpoint of a pending request keeps them
  // beside the live ones. Two single registers (kApply) or a range.
  uint32_t first = 0, count = 0;
  uint32_t second = 0;     // kApply only: the list
  uint32_t arguments = 0;  // first register of Request::arguments, unless spread
  uint32_t argument_count = 0;
  uint32_t destination = 0;
};
// What the instruction asks for, given the registers of its frame (a call may ask or not, by what it calls).
// kNone: it is no request. Precondition: a verified instruction.
RequestPlace RequestOf(const Instruction& instruction, const Value* registers);

enum class RunState : uint8_t {
  kDone,     // result() holds the value
  kFailed,   // result() holds the error
  kRequest,  // request() says for what; answer with Resolve or Raise, then run again
  kBudget,   // the budget is used up, or a request was answered; run (again)
};

// Where a frame is, for traces and inspection.
struct FrameView {
  const Function* function;
  uint32_t pc;  // of the instruction that runs or asked, for position
  std::span<const Value> registers;
  bool replaced;  // a function that a tail call replaced: it has no registers
};

struct CheckpointMemo;

class Thread {
 public:
  // A thread that will run callee(arguments). tid: as the language's tid(); it also seeds the identity of closures.
  // Any callable will do; a wrong number of arguments fails the thread with `arity` when it runs.
  // keywords: the last argument is a hash of keyword arguments.
  Thread(std::shared_ptr<const Program> program, std::string tid, Value callee, std::vector<Value> arguments,
         bool keywords = false);
  ~Thread();
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  // Runs until it ends, asks for something, or about `budget` backward jumps and calls were made, where making,
  // comparing and searching large values counts as many (kBytesPerTurn). What it goes on by after that is bounded: one
  // instruction counts at most kWorkBytesMax and what it allocates, and stops are only at calls and backward jumps.
  // Raises `limit` when its values take more than kStateBytesMax. Never blocks. Precondition: no request is pending.
  RunState Run(uint64_t budget);

  const Request& request() const { return request_; }
  // Answers the request. Precondition: state is kRequest. Afterwards the thread must run before it is checkpointed.
  void Resolve(Value value);
  // The request failed, or something is raised from outside (cancellation): `error` is an error value; its trace is
  // filled with TraceHere() unless it has one (the runtime joins the traces of several threads), which stays as it is.
  // Precondition: the thread has not ended. Afterwards it must run before it is checkpointed, or has failed.
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
  // Gives back memory that a parked thread does not need: room, and values that it will not look at again.
  void Shrink();
  // Bytes of this object, its stack and the values it reaches.
  uint64_t MemorySize() const;

 private:
  friend class Interpreter;
  friend class CheckpointWriter;
  friend class CheckpointReader;
  Thread(std::shared_ptr<const Program> program, std::string tid);

  // For a thread that was read back: makes request_ and state_ from the top frame's last instruction. False: it asks
  // for nothing. Precondition: frames_ and registers_ are in place, pc > 0.
  bool RebuildRequest();
  // Room for registers_[0 .. count); false: past kStackRegistersMax. Moves registers_.
  bool EnsureRegisters(uint64_t count);
  void EnterRequest(const RequestPlace& place);
  // top_pc: of the instruction that the top frame is at.
  std::vector<FrameView> Stack(uint32_t top_pc) const;
  void ClearRequest();
  // Nulls the registers that a checkpoint would leave out. Precondition: state is kRequest.
  void DropDead();
  // Names this thread in the identity of its closures: a hash of the tid. Made when first asked for, because most
  // threads that come back from a checkpoint never ask.
  uint64_t Origin() {
    if (origin_ == 0) [[unlikely]]
      origin_ = OriginOf(tid_);
    return origin_;
  }
  static uint64_t OriginOf(std::string_view tid);

  std::shared_ptr<const Program> program_;
  std::string tid_;
  uint64_t origin_ = 0;    // 0: not yet computed; see Origin()
  uint64_t closures_ = 0;  // made so far
  uint64_t next_step_ = 0;
  Value* registers_ = nullptr;  // capacity_ values; all constructed
  uint32_t capacity_ = 0;
  FrameStack frames_;
  struct TailHistory {
    uint32_t count = 0;  // ever; the last kTailCallsKept are kept, in a ring
    struct Entry {
      uint32_t function, pc;
    } ring[kTailCallsKept];
  };
  std::vector<TailHistory> tail_histories_;  // in the order of their frames
  // The least number of frames since the last checkpoint: frames below the one on top then were not touched since.
  uint32_t low_water_ = 0;
  // Which segments the last checkpoint reaches, kept by checkpoint*.cpp; null: none.
  std::shared_ptr<CheckpointMemo> checkpoint_memo_;
  // So many bytes may be allocated until the values are measured again; see Interpreter::Account.
  uint64_t measure_in_ = kMeasureBytesMin;
  RunState state_ = RunState::kBudget;
  Request request_;
  // The spread arguments of a pending kApply; made again from its list when needed.
  std::unique_ptr<std::vector<Value>> spread_;
  Value result_;
};

}  // namespace teal::vm

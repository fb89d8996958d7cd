// The machine. Runs a thread's bytecode; everything it knows between two runs is in the Thread.
//
// interpreter.cpp holds the loop with the fast paths; interpreter_calls.cpp and interpreter_data.cpp what is done out
// of line; unwind.cpp what happens to errors. All of it works on verified code (verifier.h), but trusts no value's
// type.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/vm/program.h"
#include "core/vm/thread.h"
#include "core/vm/value.h"

namespace teal::vm {

class Interpreter {
 public:
  // See Thread::Run.
  static RunState Run(Thread& thread, uint64_t budget);

  // Raises the error in thread.result_ at `pc` of the top frame: fills its trace unless it has one, releases frames up
  // to the innermost handler and goes on there (true), or fails the thread (false).
  static bool Unwind(Thread& thread, uint32_t pc);

  // Checks what the instruction asks for: callable, number of arguments, a hash of keywords. False: the error stands in
  // thread.result_.
  static bool CheckRequest(Thread& thread, const RequestPlace& place, const Value* registers);

  static void ClearRange(Value* from, Value* to) {
    for (; from < to; ++from) Clear(*from);
  }

 private:
  enum class Outcome : uint8_t {
    kGo,       // the next instruction of the top frame, whichever that is now
    kRequest,  // the thread asks for something
    kError,    // in thread.result_
  };

  // ---- registers ----
  static bool IsHeap(Tag tag) { return tag >= Tag::kString; }
  static void Drop(Object* object) {
    const int32_t refs = object->refs.load(std::memory_order_relaxed);
    if (refs > 1)
      object->refs.store(refs - 1, std::memory_order_relaxed);
    else
      DropLast(object);
  }
  [[gnu::noinline]] static void DropLast(Object* object);
  static void Clear(Value& r) {
    if (IsHeap(r.tag_)) [[unlikely]]
      Drop(r.bits_.o);
    r.tag_ = Tag::kNull;
  }
  static void SetInt(Value& r, int64_t i) {
    if (IsHeap(r.tag_)) [[unlikely]]
      Drop(r.bits_.o);
    r.bits_.i = i;
    r.tag_ = Tag::kInt;
  }
  static void SetFloat(Value& r, double d) {
    if (IsHeap(r.tag_)) [[unlikely]]
      Drop(r.bits_.o);
    r.bits_.d = d;
    r.tag_ = Tag::kFloat;
  }
  static void SetBool(Value& r, bool b) {
    if (IsHeap(r.tag_)) [[unlikely]]
      Drop(r.bits_.o);
    r.bits_.i = b;
    r.tag_ = Tag::kBool;
  }
  static void SetIndex(Value& r, Tag tag, uint32_t index) {
    if (IsHeap(r.tag_)) [[unlikely]]
      Drop(r.bits_.o);
    r.bits_.i = index;
    r.tag_ = tag;
  }
  static void Copy(Value& to, const Value& from) {
    const Value::Bits bits = from.bits_;
    const Tag tag = from.tag_;
    if (IsHeap(tag)) from.RetainIfHeap();
    if (IsHeap(to.tag_)) [[unlikely]]
      Drop(to.bits_.o);
    to.bits_ = bits;
    to.tag_ = tag;
  }
  static void Move(Value& to, Value& from) {
    const Value::Bits bits = from.bits_;
    const Tag tag = from.tag_;
    from.tag_ = Tag::kNull;
    if (IsHeap(to.tag_)) [[unlikely]]
      Drop(to.bits_.o);
    to.bits_ = bits;
    to.tag_ = tag;
  }
  // An operand: moved out of its register when the instruction says that it is dead.
  static Value Operand(Value& r, bool take) {
    if (take) return std::move(r);
    return r;
  }

  // ---- errors: all give false, with the error in thread.result_ ----
  [[gnu::cold]] static bool Failed(Thread& thread, std::string_view kind, std::string_view message);
  [[gnu::cold]] static bool WrongCount(Thread& thread, std::string_view name, uint64_t least, uint64_t most,
                                       uint64_t given);
  [[gnu::cold]] static bool NotCallable(Thread& thread, const Value& value);

  // Takes note of what was allocated since `*counted`, a reading of allocated_bytes, which is brought up to now, and of
  // the budget that this costs. False: `limit`, the thread's values take too much.
  static bool Account(Thread& thread, uint64_t* counted, uint64_t* left);
  // The reading from which on Account is due.
  static uint64_t NextAccount(const Thread& thread, uint64_t counted);

  // ---- calls (interpreter_calls.cpp) ----
  // Room for registers up to `end` and, if wanted, one more frame; false: stack_overflow. Moves frames and registers.
  static bool MakeRoom(Thread& thread, uint64_t end, bool frame);
  // The calls that the loop does not do itself. Precondition: the top frame's pc is saved.
  static Outcome CallValue(Thread& thread, Instruction i);
  static Outcome Apply(Thread& thread, Instruction i);
  static Outcome TailCallFunction(Thread& thread, Instruction i);
  static Outcome CallBuiltinValue(Thread& thread, uint16_t id, Value* arguments, uint32_t count, bool keywords,
                                  Value* result);
  static Outcome AskFor(Thread& thread, Instruction i);
  static Outcome Enter(Thread& thread, const Value& callee, uint32_t base, uint32_t count, bool keywords,
                       uint32_t return_to, bool tail);
  static bool BindKeywords(Thread& thread, const Function& function, Value* arguments, uint32_t count);
  static void RecordTailCall(Thread& thread, Frame& frame);

  // ---- data (interpreter_data.cpp): false: the error stands in thread.result_ ----
  static bool Arithmetic(Thread& thread, uint8_t op, Value& to, Value& b, const Value& c, uint8_t flags);
  static bool NegateSlow(Thread& thread, Value& to, const Value& b);
  // 1 or 0; -1: error.
  static int EqualOf(Thread& thread, const Value& a, const Value& b);
  static int Less(Thread& thread, const Value& a, const Value& b, bool or_equal);
  static bool MakeClosureOf(Thread& thread, Instruction i, Value* registers);
  static bool Builtin(Thread& thread, Instruction i, Value* registers);
  static bool RangePrepare(Thread& thread, Value* range, bool* empty);
  static bool IterPrepare(Thread& thread, Value* loop);
  // 1: the next element is there; 0: past the end; -1: error.
  static int IterNext(Thread& thread, Value* loop, bool two);
  static bool NewHash(Thread& thread, Instruction i, Value* registers);
  static bool NewList(Instruction i, Value* registers);
  static bool Append(Thread& thread, Instruction i, Value* registers);
  static bool Index(Thread& thread, Value& to, const Value& object, const Value& index);
  static bool Field(Thread& thread, Value& to, const Value& object, const Value& name);
  static bool Slice(Thread& thread, Instruction i, Value* registers);
  static bool SetElement(Thread& thread, Instruction i, Value* registers);
  static bool Update(Thread& thread, Instruction i, Value* registers);
  static bool Format(Thread& thread, Instruction i, Value* registers);
  static bool Raise(Thread& thread, Value& error);
  static bool RaiseNew(Thread& thread, Value* parts);
  static void Suppress(Value* errors);
  static bool IsCancelled(const Value& value);
};

}  // namespace teal::vm

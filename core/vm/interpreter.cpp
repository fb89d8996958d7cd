// Rules for correctness
//  1. R, ip and everything derived from them die at whatever may move them: calls, returns, unwinding, MakeRoom. Such
//  paths
//     save the frame's pc first (SAVE) and go on through `reload`.
//  2. A register is written only through Set…, Copy, Move and Clear, which release what was there: after reading the
//  operands,
//     since destination and operand may be one register.
//  3. Fast paths check the tags of all their operands. Whatever is not the fast case goes out of line, to code that
//     handles every type; damaged bytecode may put any value into any register.
//  4. Registers above the top frame's window are null, always: a call clears what it overlaps, a return clears its
//  window.
//  5. Code out of line gives false with the error in thread.result_; then `failed` raises it at ip - 1.
//  6. The thread stops only at suspension points: with a request, or with the budget used up at an entry or a jump's
//  target
//     that has a live map.
#include "core/vm/interpreter.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/base/mutant.h"
#include "core/vm/builtins.h"
#include "core/vm/value_inline.h"
#include "core/vm/value_walk.h"
#include "core/vm/verifier.h"

namespace teal::vm {
namespace {

// An instruction in one machine register: its address is never taken.
struct Word {
  uint64_t bits;
  uint8_t op() const { return static_cast<uint8_t>(bits); }
  uint8_t flags() const { return static_cast<uint8_t>(bits >> 8); }
  uint16_t a() const { return static_cast<uint16_t>(bits >> 16); }
  uint16_t b() const { return static_cast<uint16_t>(bits >> 32); }
  uint16_t c() const { return static_cast<uint16_t>(bits >> 48); }
  int32_t d() const { return static_cast<int32_t>(bits >> 32); }
  int16_t immB() const { return static_cast<int16_t>(b()); }
  int16_t immC() const { return static_cast<int16_t>(c()); }
  Instruction whole() const { return std::bit_cast<Instruction>(bits); }
};
static_assert(std::endian::native == std::endian::little);

inline Word Fetch(const Instruction* at) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

}  // namespace

// The machine's registers of the loop, as macros so that each instruction ends with a dispatch of its own.
#define NEXT               \
  do {                     \
    i = Fetch(ip++);       \
    goto* kLabels[i.op()]; \
  } while (false)
#define FRAME (thread.frames_.end()[-1])
#define SAVE (FRAME.pc = static_cast<uint32_t>(ip - self->code))
#define JUMP(offset)                        \
  do {                                      \
    const int64_t by = (offset);            \
    ip += by;                               \
    if (by < 0 && --left == 0) [[unlikely]] \
      goto out_of_budget;                   \
    NEXT;                                   \
  } while (false)
#define TRY(call)             \
  do {                        \
    if (!(call)) [[unlikely]] \
      goto failed;            \
  } while (false)

// As TRY, of what may make large values.
#define MAKE(call)                                  \
  do {                                              \
    TRY(call);                                      \
    if (allocated_bytes >= account_at) [[unlikely]] \
      goto account;                                 \
  } while (false)

// Behind what may take long without making anything, and has written nothing yet.
#define ACCOUNT_WORK                                      \
  do {                                                    \
    if (allocated_bytes >= account_at) [[unlikely]] {     \
      const bool good = Account(thread, &counted, &left); \
      account_at = NextAccount(thread, counted);          \
      TRY(good);                                          \
    }                                                     \
  } while (false)

#define ARITHMETIC(name, c_operand, builtin_overflow, operator_)                                            \
  op_##name : {                                                                                             \
    Value& x = R[i.b()];                                                                                    \
    const Value& y = (c_operand);                                                                           \
    if (x.tag_ == Tag::kInt && y.tag_ == Tag::kInt) {                                                       \
      int64_t result;                                                                                       \
      if (!builtin_overflow(x.bits_.i, y.bits_.i, &result) || TEAL_MUTANT("arithmetic_wraps")) [[likely]] { \
        SetInt(R[i.a()], result);                                                                           \
        NEXT;                                                                                               \
      }                                                                                                     \
    } else if (x.tag_ == Tag::kFloat && y.tag_ == Tag::kFloat) {                                            \
      SetFloat(R[i.a()], x.bits_.d operator_ y.bits_.d);                                                    \
      NEXT;                                                                                                 \
    }                                                                                                       \
    MAKE(Arithmetic(thread, i.op(), R[i.a()], x, y, i.flags()));                                            \
    NEXT;                                                                                                   \
  }
#define ARITHMETIC_IMMEDIATE(name, slow, builtin_overflow)                                            \
  op_##name : {                                                                                       \
    Value& x = R[i.b()];                                                                              \
    int64_t result;                                                                                   \
    if (x.tag_ == Tag::kInt && !builtin_overflow(x.bits_.i, int64_t{i.immC()}, &result)) [[likely]] { \
      SetInt(R[i.a()], result);                                                                       \
      NEXT;                                                                                           \
    }                                                                                                 \
    TRY(Arithmetic(thread, slow, R[i.a()], x, Value::Int(i.immC()), 0));                              \
    NEXT;                                                                                             \
  }
#define DIVIDE(name, c_operand)                                             \
  op_##name : {                                                             \
    Value& x = R[i.b()];                                                    \
    const Value& y = (c_operand);                                           \
    if (x.tag_ == Tag::kFloat && y.tag_ == Tag::kFloat && y.bits_.d != 0) { \
      SetFloat(R[i.a()], x.bits_.d / y.bits_.d);                            \
      NEXT;                                                                 \
    }                                                                       \
    TRY(Arithmetic(thread, i.op(), R[i.a()], x, y, i.flags()));             \
    NEXT;                                                                   \
  }
#define MODULO(name, c_operand)                                                         \
  op_##name : {                                                                         \
    Value& x = R[i.b()];                                                                \
    const Value& y = (c_operand);                                                       \
    if (x.tag_ == Tag::kInt && y.tag_ == Tag::kInt && y.bits_.i > 0) {                  \
      const int64_t rest = x.bits_.i % y.bits_.i;                                       \
      SetInt(R[i.a()], rest < 0 && !TEAL_MUTANT("mod_sign") ? rest + y.bits_.i : rest); \
      NEXT;                                                                             \
    }                                                                                   \
    TRY(Arithmetic(thread, i.op(), R[i.a()], x, y, i.flags()));                         \
    NEXT;                                                                               \
  }
// Puts into `holds` whether x < y (or <=); x and y are evaluated once.
#define COMPARE(x_, y_, operator_, or_equal, holds)              \
  {                                                              \
    const Value& x = (x_);                                       \
    const Value& y = (y_);                                       \
    if (x.tag_ == Tag::kInt && y.tag_ == Tag::kInt) {            \
      holds = x.bits_.i operator_ y.bits_.i;                     \
    } else if (x.tag_ == Tag::kFloat && y.tag_ == Tag::kFloat) { \
      holds = x.bits_.d operator_ y.bits_.d;                     \
    } else {                                                     \
      const int less = Less(thread, x, y, or_equal);             \
      TRY(less >= 0);                                            \
      ACCOUNT_WORK;                                              \
      holds = less != 0;                                         \
    }                                                            \
  }
#define EQUAL(x_, y_, holds)                          \
  {                                                   \
    const Value& x = (x_);                            \
    const Value& y = (y_);                            \
    if (x.tag_ == Tag::kInt && y.tag_ == Tag::kInt) { \
      holds = x.bits_.i == y.bits_.i;                 \
    } else {                                          \
      const int equal = EqualOf(thread, x, y);        \
      TRY(equal >= 0);                                \
      ACCOUNT_WORK;                                   \
      holds = equal != 0;                             \
    }                                                 \
  }
#define JUMP_COMPARED(name, operator_, or_equal, wanted)    \
  op_##name : {                                             \
    bool holds;                                             \
    COMPARE(R[i.a()], R[i.b()], operator_, or_equal, holds) \
    if (holds == (wanted)) JUMP(i.immC());                  \
    NEXT;                                                   \
  }
#define JUMP_EQUAL(name, other, wanted)    \
  op_##name : {                            \
    bool holds;                            \
    EQUAL(R[i.a()], other, holds)          \
    if (holds == (wanted)) JUMP(i.immC()); \
    NEXT;                                  \
  }
#define JUMP_IMMEDIATE(name, operator_, wanted, slow) \
  op_##name : {                                       \
    const Value& x = R[i.a()];                        \
    bool holds;                                       \
    if (x.tag_ == Tag::kInt) {                        \
      holds = x.bits_.i operator_ i.immB();           \
    } else {                                          \
      const int held = (slow);                        \
      TRY(held >= 0);                                 \
      holds = held != 0;                              \
    }                                                 \
    if (holds == (wanted)) JUMP(i.immC());            \
    NEXT;                                             \
  }

RunState Interpreter::Run(Thread& thread, uint64_t budget) {
  static const void* const kLabels[] = {
#define X(name, operands, meaning) &&op_##name,
      TEAL_OPCODES(X)
#undef X
  };
  if (thread.state_ == RunState::kDone || thread.state_ == RunState::kFailed) return thread.state_;
  assert(thread.state_ == RunState::kBudget && !thread.frames_.empty());
  const Program& program = *thread.program_;
  const Program::Callee* const callees = program.callees_.data();
  const Value* const K = program.constants_.data();
  const uint64_t function_count = program.functions_.size();
  uint64_t left = std::max<uint64_t>(budget, 1);
  // The frames of before this run that were never on top are untouched; see Thread::low_water_.
  size_t lowest = thread.frames_.offset();
  uint64_t counted = allocated_bytes;
  uint64_t account_at = NextAccount(thread, counted);
  Word i;
  const Instruction* ip;
  const Program::Callee* self;  // the function of the top frame
  Value* R;
  goto reload;

  // ---- moving ----
op_kNop:
  NEXT;
op_kMove:
  Copy(R[i.a()], R[i.b()]);
  NEXT;
op_kTake:
  Move(R[i.a()], R[i.b()]);
  NEXT;
op_kLoadNull:
  Clear(R[i.a()]);
  NEXT;
op_kLoadTrue:
  SetBool(R[i.a()], true);
  NEXT;
op_kLoadFalse:
  SetBool(R[i.a()], false);
  NEXT;
op_kLoadInt:
  SetInt(R[i.a()], i.d());
  NEXT;
op_kLoadConst:
  Copy(R[i.a()], K[i.d()]);
  NEXT;
op_kLoadFunction:
  SetIndex(R[i.a()], Tag::kFunction, i.b());
  NEXT;
op_kLoadBuiltin:
  SetIndex(R[i.a()], Tag::kBuiltin, i.b());
  NEXT;
op_kLoadForeign:
  SetIndex(R[i.a()], Tag::kForeign, i.b());
  NEXT;
op_kClosure:
  MAKE(MakeClosureOf(thread, i.whole(), R));
  NEXT;

  // ---- arithmetic ----
  ARITHMETIC(kAdd, R[i.c()], __builtin_add_overflow, +)
  ARITHMETIC(kSub, R[i.c()], __builtin_sub_overflow, -)
  ARITHMETIC(kMul, R[i.c()], __builtin_mul_overflow, *)
  ARITHMETIC(kAddConst, K[i.c()], __builtin_add_overflow, +)
  ARITHMETIC(kSubConst, K[i.c()], __builtin_sub_overflow, -)
  ARITHMETIC(kMulConst, K[i.c()], __builtin_mul_overflow, *)
  DIVIDE(kDiv, R[i.c()])
  DIVIDE(kDivConst, K[i.c()])
  MODULO(kMod, R[i.c()])
  MODULO(kModConst, K[i.c()])
  ARITHMETIC_IMMEDIATE(kAddImm, kAdd, __builtin_add_overflow)
  ARITHMETIC_IMMEDIATE(kSubImm, kSub, __builtin_sub_overflow)
op_kNegate:
  if (R[i.b()].tag_ == Tag::kFloat)
    SetFloat(R[i.a()], -R[i.b()].bits_.d);
  else
    TRY(NegateSlow(thread, R[i.a()], R[i.b()]));
  NEXT;
op_kNot:
  SetBool(R[i.a()], !R[i.b()].Truthy());
  NEXT;

  // ---- comparison ----
op_kEqual: {
  bool holds;
  EQUAL(R[i.b()], R[i.c()], holds)
  SetBool(R[i.a()], holds);
  NEXT;
}
op_kNotEqual: {
  bool holds;
  EQUAL(R[i.b()], R[i.c()], holds)
  SetBool(R[i.a()], !holds);
  NEXT;
}
op_kLess: {
  bool holds;
  COMPARE(R[i.b()], R[i.c()], <, false, holds)
  SetBool(R[i.a()], holds);
  NEXT;
}
op_kLessEqual: {
  bool holds;
  COMPARE(R[i.b()], R[i.c()], <=, true, holds)
  SetBool(R[i.a()], holds);
  NEXT;
}

  // ---- jumps ----
op_kJump:
  JUMP(i.d());
op_kJumpIfTrue:
  if (R[i.a()].Truthy()) JUMP(i.d());
  NEXT;
op_kJumpIfFalse:
  if (!R[i.a()].Truthy()) JUMP(i.d());
  NEXT;
  JUMP_EQUAL(kJumpEqual, R[i.b()], true)
  JUMP_EQUAL(kJumpNotEqual, R[i.b()], false)
  JUMP_EQUAL(kJumpEqualConst, K[i.b()], true)
  JUMP_EQUAL(kJumpNotEqualConst, K[i.b()], false)
  JUMP_COMPARED(kJumpLess, <, false, true)
  JUMP_COMPARED(kJumpNotLess, <, false, false)
  JUMP_COMPARED(kJumpLessEqual, <=, true, true)
  JUMP_COMPARED(kJumpNotLessEqual, <=, true, false)
  JUMP_IMMEDIATE(kJumpEqualImm, ==, true, EqualOf(thread, x, Value::Int(i.immB())))
  JUMP_IMMEDIATE(kJumpNotEqualImm, ==, false, EqualOf(thread, x, Value::Int(i.immB())))
  JUMP_IMMEDIATE(kJumpLessImm, <, true, Less(thread, x, Value::Int(i.immB()), false))
  JUMP_IMMEDIATE(kJumpNotLessImm, <, false, Less(thread, x, Value::Int(i.immB()), false))
  JUMP_IMMEDIATE(kJumpGreaterImm, >, true, Less(thread, Value::Int(i.immB()), x, false))
  JUMP_IMMEDIATE(kJumpNotGreaterImm, >, false, Less(thread, Value::Int(i.immB()), x, false))
op_kJumpCancelled:
  if (IsCancelled(R[i.a()])) JUMP(i.d());
  NEXT;

  // ---- loops ----
op_kRangePrepare: {
  bool empty;
  TRY(RangePrepare(thread, R + i.a(), &empty));
  if (empty) JUMP(i.d());
  NEXT;
}
op_kRangeLoop: {
  Value* range = R + i.a();
  if (range[0].tag_ != Tag::kInt || range[1].tag_ != Tag::kInt || range[2].tag_ != Tag::kInt) [[unlikely]] {
    TRY(Failed(thread, "internal", "the registers of a range loop do not hold integers"));
  }
  const int64_t next = range[0].bits_.i;
  const int64_t end = range[1].bits_.i;
  const int64_t step = range[2].bits_.i;
  if (step > 0 || TEAL_MUTANT("range_only_upwards") ? next < end : next > end && step != 0) [[likely]] {
    SetInt(range[3], next);
    int64_t after;
    range[0].bits_.i = __builtin_add_overflow(next, step, &after) ? end : after;
    JUMP(i.d());
  }
  NEXT;
}
op_kIterPrepare:
  TRY(IterPrepare(thread, R + i.a()));
  NEXT;
op_kIterNext1: {
  Value* loop = R + i.a();
  if (loop[0].tag_ == Tag::kList && loop[1].tag_ == Tag::kInt) [[likely]] {
    const List* list = reinterpret_cast<const List*>(loop[0].bits_.o);
    const auto at = static_cast<uint64_t>(loop[1].bits_.i);
    if (at >= list->size) NEXT;
    loop[1].bits_.i = static_cast<int64_t>(at + 1);
    Copy(loop[2], list->items[at]);
    JUMP(i.d());
  }
  const int more = IterNext(thread, loop, false);
  TRY(more >= 0);
  if (more != 0) JUMP(i.d());
  NEXT;
}
op_kIterNext2: {
  const int more = IterNext(thread, R + i.a(), true);
  TRY(more >= 0);
  if (more != 0) JUMP(i.d());
  NEXT;
}

  // ---- calls ----
op_kCall: {
  const Value& callee = R[i.a()];
  uint32_t index;
  const Value* captures;
  uint32_t capture_count;
  if (i.flags() != 0) goto call_out_of_line;
  if (callee.tag_ == Tag::kClosure) {
    Closure* closure = reinterpret_cast<Closure*>(callee.bits_.o);
    index = closure->function;
    capture_count = closure->count;
    captures = closure->captures();
  } else if (callee.tag_ == Tag::kFunction) {
    index = static_cast<uint32_t>(callee.bits_.i);
    capture_count = 0;
    captures = nullptr;
  } else {
    goto call_out_of_line;
  }
  if (index >= function_count) [[unlikely]]
    goto call_out_of_line;
  const Program::Callee& to = callees[index];
  Value* base = R + i.a() + 1;
  if (to.parameters != i.b() || to.captures != capture_count || thread.frames_.full() ||
      base + to.registers > thread.registers_ + thread.capacity_) [[unlikely]] {
    goto call_out_of_line;
  }
  SAVE;
  ClearRange(base + to.parameters, R + self->registers);
  Value* at = base + to.parameters;
  for (const Value* end = captures + capture_count; captures < end; ++captures, ++at) Copy(*at, *captures);
  if (to.self_register)
    Move(*at, R[i.a()]);
  else
    Clear(R[i.a()]);
  thread.frames_.push_back({index, 0, static_cast<uint32_t>(base - thread.registers_), i.c(), 0});
  R = base;
  self = &to;
  ip = to.code;
  if (--left == 0) [[unlikely]]
    goto out_of_budget;
  NEXT;
}
op_kCallFunction: {
  const Program::Callee& to = callees[i.b()];
  Value* base = R + i.a();
  if (thread.frames_.full() || base + to.registers > thread.registers_ + thread.capacity_) [[unlikely]] {
    SAVE;
    TRY(MakeRoom(thread, static_cast<uint64_t>(base - thread.registers_) + to.registers, true));
    R = thread.registers_ + FRAME.base;
    base = R + i.a();
  }
  SAVE;
  ClearRange(base + to.parameters, R + self->registers);
  if (to.self_register) SetIndex(base[to.parameters], Tag::kFunction, i.b());
  thread.frames_.push_back({i.b(), 0, static_cast<uint32_t>(base - thread.registers_), i.c(), 0});
  R = base;
  self = &to;
  ip = to.code;
  if (--left == 0) [[unlikely]]
    goto out_of_budget;
  NEXT;
}
op_kCallBuiltin:
  MAKE(Builtin(thread, i.whole(), R));
  NEXT;
op_kTailCall:
op_kApply:
call_out_of_line:
  SAVE;
  switch (i.op() == kApply ? Apply(thread, i.whole()) : CallValue(thread, i.whole())) {
    case Outcome::kGo:
      break;
    case Outcome::kRequest:
      goto stop;
    case Outcome::kError:
      goto failed_saved;
  }
  // A function that was entered is accounted for by what it does itself.
  if (allocated_bytes >= account_at && FRAME.pc != 0) [[unlikely]]
    goto account_saved;
  if (--left == 0) [[unlikely]]
    goto out_of_budget_saved;
  goto reload;
op_kTailCallFunction:
  SAVE;
  if (TailCallFunction(thread, i.whole()) == Outcome::kError) [[unlikely]]
    goto failed_saved;
  if (--left == 0) [[unlikely]]
    goto out_of_budget_saved;
  goto reload;
op_kReturn: {
  const Value::Bits bits = R[i.a()].bits_;
  const Tag tag = R[i.a()].tag_;
  R[i.a()].tag_ = Tag::kNull;
  const Frame& done = FRAME;
  if (!TEAL_MUTANT("return_leaves_registers")) ClearRange(R, R + self->registers);
  if (done.tail_history != 0) [[unlikely]]
    thread.tail_histories_.pop_back();
  const uint32_t to = done.return_to;
  thread.frames_.pop_back();
  if (thread.frames_.empty()) {
    thread.result_ = Value(bits, tag);
    goto ended;
  }
  const Frame& frame = FRAME;
  R = thread.registers_ + frame.base;
  self = &callees[frame.function];
  ip = self->code + frame.pc;
  if (IsHeap(R[to].tag_)) [[unlikely]]
    Drop(R[to].bits_.o);
  R[to].bits_ = bits;
  R[to].tag_ = tag;
  lowest = std::min(lowest, thread.frames_.offset());
  NEXT;
}
op_kReturnNull: {
  const Frame& done = FRAME;
  ClearRange(R, R + self->registers);
  if (done.tail_history != 0) [[unlikely]]
    thread.tail_histories_.pop_back();
  const uint32_t to = done.return_to;
  thread.frames_.pop_back();
  if (thread.frames_.empty()) {
    thread.result_ = Value();
    goto ended;
  }
  const Frame& frame = FRAME;
  R = thread.registers_ + frame.base;
  self = &callees[frame.function];
  ip = self->code + frame.pc;
  Clear(R[to]);
  lowest = std::min(lowest, thread.frames_.offset());
  NEXT;
}

  // ---- suspension ----
op_kAwait:
  if (R[i.b()].tag_ != Tag::kFuture) {
    Copy(R[i.a()], R[i.b()]);
    NEXT;
  }
op_kCallForeign:
op_kSpawn:
op_kHost:
  SAVE;
  if (AskFor(thread, i.whole()) == Outcome::kError) [[unlikely]]
    goto failed_saved;
  goto stop;

  // ---- data ----
op_kNewList:
  MAKE(NewList(i.whole(), R));
  NEXT;
op_kNewHash:
  MAKE(NewHash(thread, i.whole(), R));
  NEXT;
op_kAppend:
  if ((i.flags() & kTakeB) != 0 && TryAppendInPlace(R[i.b()], R[i.c()], (i.flags() & kTakeC) != 0)) [[likely]] {
    if (i.a() != i.b()) Move(R[i.a()], R[i.b()]);
    NEXT;
  }
  MAKE(Append(thread, i.whole(), R));
  NEXT;
op_kIndex: {
  if (const Value* item = TryIndex(R[i.b()], R[i.c()])) [[likely]] {
    Copy(R[i.a()], *item);
    NEXT;
  }
  MAKE(Index(thread, R[i.a()], R[i.b()], R[i.c()]));
  NEXT;
}
op_kIndexImm:
  if (const Value* item = TryIndex(R[i.b()], Value::Int(i.immC()))) [[likely]] {
    Copy(R[i.a()], *item);
    NEXT;
  }
  MAKE(Index(thread, R[i.a()], R[i.b()], Value::Int(i.immC())));
  NEXT;
op_kField: {
  const Value& object = R[i.b()];
  if (object.tag_ == Tag::kHash) {
    // Keys written in the program are mostly the very object that the field's name is.
    const Hash* hash = reinterpret_cast<const Hash*>(object.bits_.o);
    const Object* name = K[i.c()].bits_.o;
    if (hash->index == nullptr) {
      for (const Hash::Entry *entry = hash->entries, *end = entry + hash->used; entry < end; ++entry) {
        if (entry->key.bits_.o != name || entry->key.tag_ != Tag::kString) continue;
        Copy(R[i.a()], entry->value);
        NEXT;
      }
    }
  }
  MAKE(Field(thread, R[i.a()], R[i.b()], K[i.c()]));
  NEXT;
}
op_kSlice:
  MAKE(Slice(thread, i.whole(), R));
  NEXT;
op_kSetItem: {
  Value* parts = R + i.b();
  if (TrySetInPlace(parts[0], parts[1], parts[2], true)) [[likely]] {
    parts[1].tag_ = Tag::kNull;  // it was an integer
    if (i.a() != i.b()) Move(R[i.a()], parts[0]);
    NEXT;
  }
  MAKE(SetElement(thread, i.whole(), R));
  NEXT;
}
op_kUpdate:
  if (TrySetInPlace(R[i.a()], R[i.b()], R[i.c()], (i.flags() & kTakeC) != 0)) [[likely]]
    NEXT;
  MAKE(Update(thread, i.whole(), R));
  NEXT;
op_kFormat:
  MAKE(Format(thread, i.whole(), R));
  NEXT;

  // ---- errors ----
op_kRaise:
  Raise(thread, R[i.a()]);
  goto failed;
op_kRaiseNew:
  RaiseNew(thread, R + i.a());
  goto failed;
op_kSuppress:
  Suppress(R + i.a());
  NEXT;

  // ---- between instructions ----
failed:
  SAVE;
failed_saved:
  if (!Unwind(thread, FRAME.pc - 1)) goto ended;
  lowest = std::min(lowest, thread.frames_.offset());
  if (allocated_bytes >= account_at) [[unlikely]] {
    // The trace may have been long. If that is too much, it is so at the handler's first instruction.
    const bool good = Account(thread, &counted, &left);
    account_at = NextAccount(thread, counted);
    if (!good && !Unwind(thread, FRAME.pc)) goto ended;
    lowest = std::min(lowest, thread.frames_.offset());
  }
reload:
  R = thread.registers_ + FRAME.base;
  self = &callees[FRAME.function];
  ip = self->code + FRAME.pc;
  NEXT;

account:
  SAVE;
account_saved:
  if (!Account(thread, &counted, &left)) {
    account_at = NextAccount(thread, counted);
    goto failed_saved;
  }
  account_at = NextAccount(thread, counted);
  if (left > 1) goto reload;
  goto out_of_budget_saved;

out_of_budget:
  SAVE;
out_of_budget_saved:
  if (CanStopAt(program.functions_[FRAME.function], FRAME.pc) && !TEAL_MUTANT("budget_ignored")) {
    thread.state_ = RunState::kBudget;
    goto stop;
  }
  left = 1;
  goto reload;

ended:
  lowest = 0;
  if (thread.state_ != RunState::kFailed) thread.state_ = RunState::kDone;
stop:
  thread.measure_in_ -= std::min(allocated_bytes - counted, thread.measure_in_);
  thread.low_water_ = std::min(thread.low_water_, static_cast<uint32_t>(lowest / sizeof(Frame)));
  return thread.state_;
}

}  // namespace teal::vm

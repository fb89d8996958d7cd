// What the loop does out of line with data: the operands that no fast path takes, and instructions that build values.
#include <algorithm>
#include <new>

#include "core/base/mutant.h"
#include "core/vm/builtins.h"
#include "core/vm/interpreter.h"
#include "core/vm/operators.h"
#include "core/vm/value_inline.h"
#include "core/vm/value_walk.h"

namespace teal::vm {
namespace {

// A string's position in an iteration: its index in the upper half, its byte in the lower one.
constexpr int kIndexShift = 32;
static_assert(kStringBytesMax < (uint64_t{1} << 31));

// Allocations are taken note of in steps of this.
constexpr uint64_t kAccountBytes = 1u << 20;

}  // namespace

void Interpreter::DropLast(Object* object) {
  Value::Adopt(object) = Value();
}

uint64_t Interpreter::NextAccount(const Thread& thread, uint64_t counted) {
  return counted + std::min(thread.measure_in_, kAccountBytes);
}

bool Interpreter::Account(Thread& thread, uint64_t* counted, uint64_t* left) {
  const uint64_t bytes = allocated_bytes - *counted;
  *counted += bytes;
  *left -= std::min(bytes / kBytesPerTurn, *left - 1);
  if (bytes < thread.measure_in_) {
    thread.measure_in_ -= bytes;
    return true;
  }
  // The state grows by what is allocated at most, so there is no need to look before it can have reached the limit.
  const uint64_t reached = MemoryReached({thread.registers_, thread.capacity_}, kStateBytesMax);
  thread.measure_in_ = std::max(kStateBytesMax - std::min(reached, kStateBytesMax), kMeasureBytesMin);
  return reached <= kStateBytesMax || Failed(thread, "limit", "the values of this thread take more than 256 MiB");
}

bool Interpreter::Arithmetic(Thread& thread, uint8_t op, Value& to, Value& b, const Value& c, uint8_t flags) {
  Value result;
  bool good = false;
  switch (op) {
    case kAdd:
    case kAddConst: {
      // Add leaves operands alone when it fails, so they stand in their registers until then.
      const bool take_b = (flags & kTakeB) != 0, take_c = (flags & kTakeC) != 0;
      const bool in_place = take_b && &b != &c;
      Value left, right;
      if (!in_place) left = Operand(b, take_b);
      if (!take_c) right = c;
      good = Add(std::move(in_place ? b : left), std::move(take_c ? const_cast<Value&>(c) : right), &result);
      break;
    }
    case kSub:
    case kSubConst:
      good = Subtract(b, c, &result);
      break;
    case kMul:
    case kMulConst:
      good = Multiply(b, c, &result);
      break;
    case kDiv:
    case kDivConst:
      good = Divide(b, c, &result);
      break;
    case kMod:
    case kModConst:
      good = Modulo(b, c, &result);
      break;
    default:
      assert(false);
  }
  Move(good ? to : thread.result_, result);
  return good;
}

bool Interpreter::NegateSlow(Thread& thread, Value& to, const Value& b) {
  Value result;
  const bool good = Negate(b, &result);
  Move(good ? to : thread.result_, result);
  return good;
}

int Interpreter::EqualOf(Thread& thread, const Value& a, const Value& b) {
  bool holds = false;
  Value error;
  if (EqualTo(a, b, &holds, &error)) return holds ? 1 : 0;
  thread.result_ = std::move(error);
  return -1;
}

int Interpreter::Less(Thread& thread, const Value& a, const Value& b, bool or_equal) {
  bool holds = false;
  Value error;
  if (LessThan(a, b, or_equal, &holds, &error)) return holds ? 1 : 0;
  thread.result_ = std::move(error);
  return -1;
}

bool Interpreter::MakeClosureOf(Thread& thread, Instruction i, Value* registers) {
  const uint32_t count = thread.program_->callees_[i.b].captures;
  Value closure = MakeClosure(i.b, thread.Origin(), thread.closures_++, registers + i.c, count);
  ClearRange(registers + i.c, registers + i.c + count);
  Move(registers[i.a], closure);
  return true;
}

bool Interpreter::Builtin(Thread& thread, Instruction i, Value* registers) {
  Value* arguments = registers + i.a;
  Value result;
  const bool good = PureBuiltinOf(i.c)(arguments, i.b, &result);
  ClearRange(arguments, arguments + i.b);
  Move(good ? arguments[0] : thread.result_, result);
  return good;
}

bool Interpreter::RangePrepare(Thread& thread, Value* range, bool* empty) {
  static constexpr const char* kParts[] = {"start", "end", "step"};
  for (int part = 0; part < 3; part++) {
    if (range[part].IsInt()) continue;
    return Failed(
        thread, "type",
        std::string("range needs integers, its ") + kParts[part] + " is " + std::string(TypeName(range[part])));
  }
  const int64_t next = range[0].bits_.i, end = range[1].bits_.i, step = range[2].bits_.i;
  if (step == 0) return Failed(thread, "value", "range with a step of 0 would never end");
  *empty = step > 0 ? next >= end : next <= end;
  if (*empty) return true;
  SetInt(range[3], next);
  int64_t after;
  range[0].bits_.i = __builtin_add_overflow(next, step, &after) ? end : after;
  return true;
}

bool Interpreter::IterPrepare(Thread& thread, Value* loop) {
  switch (loop[0].tag_) {
    case Tag::kList:
    case Tag::kString:
    case Tag::kBytes:
    case Tag::kHash:
      SetInt(loop[1], 0);
      return true;
    default:
      return Failed(
          thread, "type",
          std::string(TypeName(loop[0])) + " cannot be iterated: for takes a list, string, bytes, range or hash");
  }
}

int Interpreter::IterNext(Thread& thread, Value* loop, bool two) {
  if (loop[1].tag_ != Tag::kInt || loop[1].bits_.i < 0) {
    Failed(thread, "internal", "the position of a loop is damaged");
    return -1;
  }
  const auto position = static_cast<uint64_t>(loop[1].bits_.i);
  uint64_t index = position;
  uint64_t after = position + 1;
  Value key, value;
  switch (loop[0].tag_) {
    case Tag::kList: {
      const List* list = loop[0].As<List>();
      if (position >= list->size) return 0;
      value = list->items[position];
      break;
    }
    case Tag::kBytes: {
      const String* bytes = loop[0].As<String>();
      if (position >= bytes->size) return 0;
      value = Value::Int(static_cast<uint8_t>(bytes->data()[position]));
      break;
    }
    case Tag::kString: {
      const String* string = loop[0].As<String>();
      uint64_t byte = position & UINT32_MAX;
      index = position >> kIndexShift;
      if (byte >= string->size) return 0;
      if ((static_cast<uint8_t>(string->data()[byte]) & 0xC0) == 0x80) {
        Failed(thread, "internal", "the position of a loop is damaged");
        return -1;
      }
      value = StringNext(*string, &byte);
      after = (index + 1) << kIndexShift | byte;
      break;
    }
    case Tag::kHash: {
      const Hash* hash = loop[0].As<Hash>();
      uint64_t entry = position;
      while (entry < hash->used && Hash::IsHole(hash->entries[entry]) && !TEAL_MUTANT("hash_loop_shows_holes")) entry++;
      if (entry >= hash->used) return 0;
      after = entry + 1;
      key = hash->entries[entry].key;
      value = two ? hash->entries[entry].value : key;
      break;
    }
    default:
      Failed(thread, "internal", "what a loop goes through has changed its type");
      return -1;
  }
  loop[1].bits_.i = static_cast<int64_t>(after);
  if (!two) {
    Move(loop[2], value);
    return 1;
  }
  if (loop[0].tag_ == Tag::kHash && !TEAL_MUTANT("hash_loop_gives_index"))
    Move(loop[2], key);
  else
    SetInt(loop[2], static_cast<int64_t>(index));
  Move(loop[3], value);
  return 1;
}

bool Interpreter::NewList(Instruction i, Value* registers) {
  Value made = MakeList(i.c);
  List* list = made.As<List>();
  for (uint32_t n = 0; n < i.c; n++) new (&list->items[n]) Value(std::move(registers[i.b + n]));
  list->size = i.c;
  Move(registers[i.a], made);
  return true;
}

bool Interpreter::NewHash(Thread& thread, Instruction i, Value* registers) {
  Value hash = MakeHash(i.c);
  Value* pair = registers + i.b;
  for (uint32_t n = 0; n < i.c; n++, pair += 2) {
    if (!IsKey(pair[0])) return Failed(thread, "type", std::string(TypeName(pair[0])) + " cannot be a key of a hash");
    hash = HashSet(std::move(hash), std::move(pair[0]), std::move(pair[1]));
  }
  Move(registers[i.a], hash);
  return true;
}

bool Interpreter::Append(Thread& thread, Instruction i, Value* registers) {
  const bool take_b = (i.flags & kTakeB) != 0, take_c = (i.flags & kTakeC) != 0;
  Value item = Operand(registers[i.c], take_c);
  Value parts[2] = {Operand(registers[i.b], take_b), std::move(item)};
  Value result;
  const bool good = PureBuiltinOf(kBuiltin_append)(parts, 2, &result);
  Move(good ? registers[i.a] : thread.result_, result);
  // A call that fails has not touched its arguments.
  if (!good && take_b) Move(registers[i.b], parts[0]);
  if (!good && take_c && i.b != i.c) Move(registers[i.c], parts[1]);
  return good;
}

bool Interpreter::Index(Thread& thread, Value& to, const Value& object, const Value& index) {
  Value result;
  const bool good = IndexValue(object, index, &result);
  Move(good ? to : thread.result_, result);
  return good;
}

bool Interpreter::Field(Thread& thread, Value& to, const Value& object, const Value& name) {
  Value result;
  const bool good = FieldValue(object, name, &result);
  Move(good ? to : thread.result_, result);
  return good;
}

bool Interpreter::Slice(Thread& thread, Instruction i, Value* registers) {
  Value* parts = registers + i.b;
  Value result;
  const bool good = SliceValue(parts[0], parts[1], parts[2], &result);
  ClearRange(parts, parts + 3);
  Move(good ? registers[i.a] : thread.result_, result);
  return good;
}

bool Interpreter::SetElement(Thread& thread, Instruction i, Value* registers) {
  Value* parts = registers + i.b;
  Value result;
  const bool good = SetItem(std::move(parts[0]), std::move(parts[1]), std::move(parts[2]), &result);
  ClearRange(parts, parts + 3);
  Move(good ? registers[i.a] : thread.result_, result);
  return good;
}

bool Interpreter::Update(Thread& thread, Instruction i, Value* registers) {
  Value key = Operand(registers[i.b], (i.flags & kTakeB) != 0);
  Value item = Operand(registers[i.c], (i.flags & kTakeC) != 0);
  Value result;
  const bool good = SetItem(std::move(registers[i.a]), std::move(key), std::move(item), &result);
  Move(good ? registers[i.a] : thread.result_, result);
  return good;
}

bool Interpreter::Format(Thread& thread, Instruction i, Value* registers) {
  std::string text;
  for (Value* part = registers + i.b; part < registers + i.b + i.c; part++) {
    if (part->tag_ == Tag::kString)
      text += part->Text();
    else
      text += Display(*part);
    if (text.size() > kStringBytesMax) {
      CountWork(text.size());
      return Failed(thread, "limit", "a string of more than 64 MiB");
    }
  }
  ClearRange(registers + i.b, registers + i.b + i.c);
  Value made = MakeString(text);
  Move(registers[i.a], made);
  return true;
}

bool Interpreter::IsCancelled(const Value& value) {
  if (value.tag_ != Tag::kError) return false;
  const Value& kind = value.As<Error>()->kind;
  return kind.tag_ == Tag::kString && kind.Text() == "cancelled";
}

}  // namespace teal::vm

// The operators on values. Integers that leave 64 bits are the error `overflow`, never a wrong value.
#include "core/vm/operators.h"

#include <algorithm>
#include <cmath>

#include "core/base/mutant.h"
#include "core/vm/builtins_internal.h"
#include "core/vm/compare.h"
#include "core/vm/value_inline.h"

namespace teal::vm {
namespace {

bool FailOperands(Value* result, std::string_view op, const Value& a, const Value& b, std::string_view what) {
  std::string message("cannot ");
  message.append(what).append(": ").append(Describe(a)).append(" ").append(op).append(" ").append(Describe(b));
  return FailWith(result, "type", std::move(message));
}

bool FailOverflow(Value* result, std::string_view op, const Value& a, const Value& b) {
  std::string message("the result of ");
  message.append(SourceForm(a)).append(" ").append(op).append(" ").append(SourceForm(b));
  message.append(" is outside the 64 bits of an integer");
  return FailWith(result, "overflow", std::move(message));
}

bool FailZero(Value* result, std::string_view op, const Value& a, const Value& b) {
  std::string message("division by zero: ");
  message.append(SourceForm(a)).append(" ").append(op).append(" ").append(SourceForm(b));
  return FailWith(result, "zero_division", std::move(message));
}

bool FailIndex(Value* result, const Value& object, int64_t index, uint64_t length) {
  std::string message("index ");
  message.append(std::to_string(index)).append(" is out of range: the ").append(TypeName(object));
  message.append(" has ").append(std::to_string(length)).append(length == 1 ? " element" : " elements");
  return FailWith(result, "index", std::move(message));
}

bool IsSequence(const Value& v) {
  return v.tag() == Tag::kList || v.tag() == Tag::kString || v.tag() == Tag::kBytes;
}
uint64_t LengthOf(const Value& sequence) {
  return sequence.tag() == Tag::kList ? sequence.As<List>()->size : sequence.As<String>()->length;
}

// A negative index counts from the end. False: out of range.
bool ResolveIndex(int64_t index, uint64_t length, uint64_t* out) {
  if (index < 0 && !TEAL_MUTANT("negative_index_of_string_fails")) index += static_cast<int64_t>(length);
  *out = static_cast<uint64_t>(index);
  return index >= 0 && *out < length;
}

// One end of a slice: null is open, a negative one counts from the end, what is outside is cut to the value.
bool SliceEnd(const Value& end, uint64_t open, uint64_t length, uint64_t* out, Value* result) {
  if (end.IsNull()) {
    *out = open;
    return true;
  }
  if (!end.IsInt()) return FailType(result, "slice", "a bound", "an integer or null", end);
  int64_t n = static_cast<int64_t>(length);
  int64_t at = end.AsInt();
  if (at < 0) at = at < -n ? 0 : at + n + (TEAL_MUTANT("slice_end_one_late") ? 1 : 0);
  *out = static_cast<uint64_t>(std::min(at, n));
  return true;
}

}  // namespace

bool Add(Value&& a, Value&& b, Value* result) {
  if (a.IsInt() && b.IsInt()) {
    int64_t sum;
    if (__builtin_add_overflow(a.AsInt(), b.AsInt(), &sum)) return FailOverflow(result, "+", a, b);
    return Give(result, Value::Int(sum));
  }
  if (a.IsNumber() && b.IsNumber()) return Give(result, Value::Float(ToDouble(a) + ToDouble(b)));
  if (a.tag() != b.tag()) return FailOperands(result, "+", a, b, "add");
  switch (a.tag()) {
    case Tag::kString:
    case Tag::kBytes:
      if (a.Text().size() + b.Text().size() > kStringBytesMax) return FailLimit(result, "+");
      if (a.Text().empty()) return Give(result, std::move(b));
      return Give(result, StringAppend(std::move(a), b.Text()));
    case Tag::kList:
      if (a.As<List>()->size + b.As<List>()->size > kListItemsMax) return FailLimit(result, "+");
      return Give(result, ListConcat(std::move(a), std::move(b)));
    default:
      return FailOperands(result, "+", a, b, "add");
  }
}

bool Subtract(const Value& a, const Value& b, Value* result) {
  if (a.IsInt() && b.IsInt()) {
    int64_t difference;
    if (__builtin_sub_overflow(a.AsInt(), b.AsInt(), &difference)) return FailOverflow(result, "-", a, b);
    return Give(result, Value::Int(difference));
  }
  if (!a.IsNumber() || !b.IsNumber()) return FailOperands(result, "-", a, b, "subtract");
  return Give(result, Value::Float(ToDouble(a) - ToDouble(b)));
}

bool Multiply(const Value& a, const Value& b, Value* result) {
  if (a.IsInt() && b.IsInt()) {
    int64_t product;
    if (__builtin_mul_overflow(a.AsInt(), b.AsInt(), &product)) return FailOverflow(result, "*", a, b);
    return Give(result, Value::Int(product));
  }
  if (!a.IsNumber() || !b.IsNumber()) return FailOperands(result, "*", a, b, "multiply");
  return Give(result, Value::Float(ToDouble(a) * ToDouble(b)));
}

bool Divide(const Value& a, const Value& b, Value* result) {
  if (!a.IsNumber() || !b.IsNumber()) return FailOperands(result, "/", a, b, "divide");
  double divisor = ToDouble(b);
  if (divisor == 0 && !TEAL_MUTANT("division_by_zero_is_infinite")) return FailZero(result, "/", a, b);
  return Give(result, Value::Float(ToDouble(a) / divisor));
}

bool Modulo(const Value& a, const Value& b, Value* result) {
  if (!a.IsNumber() || !b.IsNumber()) return FailOperands(result, "%", a, b, "take the remainder");
  if (a.IsInt() && b.IsInt()) {
    int64_t divisor = b.AsInt();
    if (divisor == 0) return FailZero(result, "%", a, b);
    if (divisor == -1) return Give(result, Value::Int(0));  // the least integer has no quotient by -1
    int64_t rest = a.AsInt() % divisor;
    if (rest != 0 && (rest < 0) != (divisor < 0)) rest += divisor;
    return Give(result, Value::Int(rest));
  }
  double divisor = ToDouble(b);
  if (divisor == 0) return FailZero(result, "%", a, b);
  double rest = std::fmod(ToDouble(a), divisor);
  if (rest == 0)
    rest = std::copysign(0.0, divisor);
  else if ((rest < 0) != (divisor < 0))
    rest += divisor;
  return Give(result, Value::Float(rest));
}

bool Negate(const Value& a, Value* result) {
  if (a.IsInt()) {
    if (a.AsInt() == INT64_MIN)
      return FailWith(result, "overflow",
                      "the result of -(" + SourceForm(a) + ") is outside the 64 bits of an integer");
    return Give(result, Value::Int(-a.AsInt()));
  }
  if (a.IsFloat()) return Give(result, Value::Float(-a.AsFloat()));
  return FailWith(result, "type", "cannot negate: -" + Describe(a));
}

bool EqualTo(const Value& a, const Value& b, bool* result, Value* error) {
  Hindrance hindrance;
  *result = EqualUnless(a, b, &hindrance);
  if (hindrance == Hindrance::kNone) return true;
  if (hindrance == Hindrance::kTooMuch) return FailWork(error, "==");
  return FailWith(error, "type", "a secret cannot be compared: hand it to the function that needs it");
}

bool LessThan(const Value& a, const Value& b, bool or_equal, bool* result, Value* error) {
  Order order = Compare(a, b);
  if (order == Order::kIncomparable) return FailOperands(error, or_equal ? "<=" : "<", a, b, "order");
  if (order == Order::kTooMuch) return FailWork(error, or_equal ? "<=" : "<");
  *result = order == Order::kLess || (or_equal && order == Order::kEqual);
  return true;
}

bool IndexValue(const Value& object, const Value& index, Value* result) {
  if (object.tag() == Tag::kHash) {
    const Value* found = HashGet(*object.As<Hash>(), index);
    return Give(result, found == nullptr ? Value() : *found);
  }
  if (!IsSequence(object)) {
    return FailWith(result, "type", "only lists, hashes, strings and bytes have elements, got " + Describe(object));
  }
  if (!index.IsInt()) {
    return FailWith(result, "type",
                    "an index of a " + std::string(TypeName(object)) + " must be an integer, got " + Describe(index));
  }
  uint64_t at;
  uint64_t length = LengthOf(object);
  if (!ResolveIndex(index.AsInt(), length, &at)) return FailIndex(result, object, index.AsInt(), length);
  return Give(result, object.tag() == Tag::kList ? object.As<List>()->items[at] : StringAt(object, at));
}

bool FieldValue(const Value& object, const Value& name, Value* result) {
  assert(name.tag() == Tag::kString);
  if (object.tag() == Tag::kHash) return IndexValue(object, name, result);
  if (object.tag() != Tag::kError) {
    return FailWith(
        result, "type",
        "only hashes and errors have fields, got " + Describe(object) + " for ." + std::string(name.Text()));
  }
  const Error* error = object.As<Error>();
  std::string_view field = name.Text();
  if (field == "kind") return Give(result, error->kind);
  if (field == "message") return Give(result, error->message);
  if (field == "data") return Give(result, error->data);
  if (field == "trace") return Give(result, error->trace);
  return FailWith(result, "type", "an error has the fields kind, message, data and trace, not " + std::string(field));
}

bool SliceValue(const Value& object, const Value& from, const Value& to, Value* result) {
  if (!IsSequence(object)) return FailType(result, "slice", "the value", "a list, a string or bytes", object);
  uint64_t length = LengthOf(object);
  uint64_t begin = 0;
  uint64_t end = 0;
  if (!SliceEnd(from, 0, length, &begin, result) || !SliceEnd(to, length, length, &end, result)) return false;
  if (begin > end) end = begin;
  return Give(result, object.tag() == Tag::kList ? ListSlice(object, begin, end) : StringSlice(object, begin, end));
}

bool SetItem(Value&& object, Value&& key, Value&& item, Value* result) {
  if (object.tag() == Tag::kHash) {
    if (!WantKey("set", key, result)) return false;
    const Hash* hash = object.As<Hash>();
    if (hash->size >= kHashEntriesMax && HashGet(*hash, key) == nullptr) return FailLimit(result, "set");
    return Give(result, HashSet(std::move(object), std::move(key), std::move(item)));
  }
  if (object.tag() != Tag::kList) return FailType(result, "set", "the first argument", "a hash or a list", object);
  if (!key.IsInt()) return FailType(result, "set", "the index of a list", "an integer", key);
  uint64_t at;
  uint64_t length = object.As<List>()->size;
  if (!ResolveIndex(key.AsInt(), length, &at)) return FailIndex(result, object, key.AsInt(), length);
  return Give(result, ListSet(std::move(object), at, std::move(item)));
}

}  // namespace teal::vm

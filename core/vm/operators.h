// The operators of the language on values, for the machine's slow paths and for the compiler's constant folding.
// Each gives true and *result, or false and in *result the error value to raise. Operands taken by && are consumed
// where it gives true, and left as they were otherwise; they are different objects.
#pragma once

#include "core/vm/value.h"

namespace teal::vm {

bool Add(Value&& a, Value&& b, Value* result);
bool Subtract(const Value& a, const Value& b, Value* result);
bool Multiply(const Value& a, const Value& b, Value* result);
bool Divide(const Value& a, const Value& b, Value* result);  // always a float
bool Modulo(const Value& a, const Value& b, Value* result);  // sign of the divisor
bool Negate(const Value& a, Value* result);
// ==. A secret cannot be compared: `type`, also where one inside a list, hash or error would decide.
bool EqualTo(const Value& a, const Value& b, bool* result, Value* error);
bool LessThan(const Value& a, const Value& b, bool or_equal, bool* result, Value* error);
bool IndexValue(const Value& object, const Value& index, Value* result);  // xs[i], h["k"], s[i]
bool FieldValue(const Value& object, const Value& name, Value* result);   // h.key; of errors: kind message data trace
bool SliceValue(const Value& object, const Value& from, const Value& to, Value* result);
bool SetItem(Value&& object, Value&& key, Value&& item, Value* result);

}  // namespace teal::vm

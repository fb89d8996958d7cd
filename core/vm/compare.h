// Order for sorting, and equality for operators.
#pragma once

#include "core/vm/value.h"

namespace teal::vm {

// As Compare, but total wherever values can be compared at all: a NaN is equal to a NaN and greater than every other
// number, also inside lists. Never gives kUnordered.
Order CompareForSort(const Value& a, const Value& b);

// Why an equality has no answer: a secret was met on the way, which counts as equal to nothing; or finding out takes
// more than kWorkBytesMax.
enum class Hindrance : uint8_t { kNone, kSecret, kTooMuch };

// As Equal; false with a hindrance, and then nobody may see that answer.
bool EqualUnless(const Value& a, const Value& b, Hindrance* hindrance);

}  // namespace teal::vm

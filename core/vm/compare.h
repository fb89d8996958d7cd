// Order for sorting, and equality for operators.
#pragma once

#include "core/vm/value.h"

namespace teal::vm {

// As Compare, but total wherever values can be compared at all: a NaN is equal to a NaN and greater than every other
// number, also inside lists. Never gives kUnordered.
Order CompareForSort(const Value& a, const Value& b);

// As Equal; *secret tells whether a secret was met on the way. It counts as equal to nothing, so that the answer is
// false then, but nobody may see that answer.
bool EqualUnlessSecret(const Value& a, const Value& b, bool* secret);

}  // namespace teal::vm

// Order for sorting.
#pragma once

#include "core/vm/value.h"

namespace teal::vm {

// As Compare, but total wherever values can be compared at all: a NaN is equal to a NaN and greater than every other
// number, also inside lists. Never gives kUnordered.
Order CompareForSort(const Value& a, const Value& b);

}  // namespace teal::vm

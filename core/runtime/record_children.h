// The list of a thread's children as ranges of steps: a fan-out of ten thousand takes as many bytes as one child
// (section 7 of the protocol). Ascending, without overlap, and neighbours with equal marks are one range: the same list
// has one form.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/runtime/record.h"

namespace teal::runtime::record {

struct Marks {
  bool shared = false;
  bool has_children = false;
  bool operator==(const Marks&) const = default;
};

// Null: not listed (P-8, P-20).
const Children* FindChild(const std::vector<Children>& list, uint64_t step);

// False, and nothing is changed, if one of the steps is listed (P-20: a step number is never listed twice), if count is
// 0, or if the steps go past the last number.
bool ListChildren(std::vector<Children>* list, uint64_t first, uint64_t count, Marks marks = {});

// False: not listed.
bool DropChild(std::vector<Children>* list, uint64_t step);
bool MarkChild(std::vector<Children>* list, uint64_t step, Marks marks);

// Empty, or what is wrong with the list.
std::string FaultOf(const std::vector<Children>& list);

}  // namespace teal::runtime::record

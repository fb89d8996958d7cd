// What the last checkpoints of a large value left on it: the hashes of its sealed chunks (see value.h and
// docs/formats/checkpoint.md, "Large values").
//
// Invariants:
//  - levels[0] are the hashes of the sealed chunks in order, ends[i] is the index one past the last item of chunk i
//    (list elements, hash entries with holes, bytes). levels[k + 1][j] is the node over levels[k][16 j, 16 j + 16);
//    every full group of 16 has its node.
//  - A seal holds for a prefix of the value, so appending leaves it valid; every other change in place must drop it.
//  - On a value that is shared between OS threads (refs < 0) the seals are never changed, only replaced, once, by ones
//    that cover all of it; the replaced ones stay alive behind `older` for readers that still look at them.
// Not synchronised beyond that: seals of a value owned by one OS thread belong to that thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/sha256.h"
#include "core/vm/value.h"

namespace teal::vm {

struct Seals {
  std::vector<uint64_t> ends;
  std::vector<std::vector<Sha256>> levels;
  uint64_t covers = 0;  // size of the value when last looked at: nothing past ends.back() and below it closed a chunk
  std::unique_ptr<Seals> older;

  uint64_t sealed() const { return ends.empty() ? 0 : ends.back(); }
};

}  // namespace teal::vm

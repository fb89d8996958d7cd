// What the last checkpoints of a large value left on it: the hashes of its sealed chunks (see value.h and
// docs/formats/checkpoint.md, "Large values").
//
// Invariants:
//  - levels[0] are the hashes of the sealed chunks in order, ends[i] is the index one past the last item of chunk i
//    (list elements, hash entries with holes, bytes, frames). levels[k + 1][j] is the node over
//    levels[k][16 j .. 16 j + 15]; every full group of 16 has its node.
//  - Seals hold for a prefix of the value, so appending leaves them valid; every other change in place must drop them.
//  - On a value that is shared between OS threads (refs < 0) seals are never changed, only replaced, once, by ones that
//    cover all of it; the replaced ones stay alive behind `older` for those who still look at them.
// Not synchronised beyond that: seals of a value owned by one OS thread belong to that thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/sha256.h"
#include "core/vm/value.h"

namespace teal::vm {

inline constexpr uint32_t kSealFanOut = 16;

struct Seals {
  std::vector<uint64_t> ends;
  std::vector<std::vector<Sha256>> levels;
  uint64_t covers = 0;  // size of the value when last looked at: no chunk closes between sealed() and here
  std::unique_ptr<Seals> older;

  uint64_t sealed() const { return ends.empty() ? 0 : ends.back(); }
  // Forgets the chunks that end past `end`.
  void Truncate(uint64_t end);
  // The hashes that reach all chunks: those not yet under a node, highest level first.
  template <typename Function>
  void EachRoot(Function f) const {
    for (size_t k = levels.size(); k-- > 0;) {
      const std::vector<Sha256>& level = levels[k];
      for (size_t i = level.size() / kSealFanOut * kSealFanOut; i < level.size(); i++) f(level[i]);
    }
  }
};

// How many roots each level has, for `chunks` chunks: the digits of the number to the base 16, lowest level first.
inline uint32_t SealRoots(uint64_t chunks) {
  uint32_t roots = 0;
  for (; chunks > 0; chunks /= kSealFanOut) roots += static_cast<uint32_t>(chunks % kSealFanOut);
  return roots;
}

}  // namespace teal::vm

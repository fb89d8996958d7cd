// Which variables have surely been assigned at a point of a function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace teal::lang {

// One bit a variable of the function. A point that cannot be reached counts as having everything assigned.
struct Flow {
  std::vector<uint64_t> bits;
  bool all = false;                // no path leads here
  const char* ended_by = nullptr;  // "return", "break" or "continue" when such a statement is why

  bool Has(int bit) const { return all || (bits[static_cast<size_t>(bit) / 64] >> (bit % 64) & 1) != 0; }
  void Set(int bit) { bits[static_cast<size_t>(bit) / 64] |= uint64_t{1} << (bit % 64); }
  void End(const char* by) {
    all = true;
    ended_by = by;
  }
  // Two paths come together.
  void Meet(const Flow& other) {
    if (other.all) return;
    if (all) {
      *this = other;
      return;
    }
    for (size_t i = 0; i < bits.size(); ++i) bits[i] &= other.bits[i];
  }
};

}  // namespace teal::lang

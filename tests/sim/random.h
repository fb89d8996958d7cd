// Random numbers that are the same on every machine and with every library. Not synchronised. Header only.
#pragma once

#include <cstdint>

namespace teal::sim {

// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
class SimRandom {
 public:
  explicit SimRandom(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t x = state_;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }
  // 0 to count - 1. Precondition: count >= 1.
  uint64_t Below(uint64_t count) { return Next() % count; }
  // From low to high, both included.
  uint64_t Between(uint64_t low, uint64_t high) { return low + Below(high - low + 1); }
  // Always takes one number, so that a rate of 0 does not change what comes after.
  bool Happens(double rate) { return static_cast<double>(Next() >> 11) * 0x1.0p-53 < rate; }

 private:
  uint64_t state_;
};

}  // namespace teal::sim

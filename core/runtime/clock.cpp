#include "core/runtime/clock.h"

#include <cassert>
#include <chrono>
#include <cmath>
#include <limits>

namespace teal::runtime {

int64_t RealClock::NowUnixNs() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void RealClock::JumpTo(int64_t) {
  assert(!"real time does not jump");
}

void VirtualClock::JumpTo(int64_t unix_ns) {
  if (unix_ns > NowUnixNs()) __atomic_store_n(&now_, unix_ns, __ATOMIC_RELAXED);
}

int64_t After(int64_t from_unix_ns, double seconds) {
  assert(!std::isnan(seconds));
  // A little short of the end, so that later sums stay in range.
  constexpr double kFarthest = 9.0e18;
  const double due = static_cast<double>(from_unix_ns) + seconds * static_cast<double>(kNanosecondsPerSecond);
  if (due >= kFarthest) return static_cast<int64_t>(kFarthest);
  if (seconds <= 0) return from_unix_ns;
  return from_unix_ns + static_cast<int64_t>(seconds * static_cast<double>(kNanosecondsPerSecond));
}

}  // namespace teal::runtime

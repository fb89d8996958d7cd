// The limits of one session, each with its unit. `limits:` in teal.yaml changes them.
#pragma once

#include <cstdint>

namespace teal::runtime {

struct Limits {
  uint32_t running_threads = 100;    // at once; others queue
  uint32_t living_threads = 10'000;  // started and not ended
  uint64_t steps = 1'000'000;        // effects of all threads together
  uint32_t spawn_depth = 1'000;      // threads that started one another, the main thread being 0
  double cancel_grace_seconds = 60;  // for cleaning up after `cancelled` was raised
};

// A foreign call whose worker died is made again this many times before it is `interrupted`.
inline constexpr uint32_t kWorkerLossesMax = 3;
// With more living threads, each that is parked gives back the memory it does not need then.
inline constexpr uint32_t kRoomyThreadsMax = 1'000;
inline constexpr uint32_t kTidBytesMax = 200;  // a longer thread id becomes a 128-bit hash of it

}  // namespace teal::runtime

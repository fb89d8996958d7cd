// When a call marked TEAL_HTTP_SAFE is tried again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>

#include "teal/abi.h"

namespace teal::host::http {

inline constexpr uint64_t kAttemptsMax = 4;
inline constexpr uint64_t kRetryNsFirst = 50'000'000;
inline constexpr uint64_t kRetryAfterNsMax =
    30'000'000'000;  // without a deadline; a longer wish is the caller's to keep

inline bool IsRetryStatus(uint32_t status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

class Retry {
 public:
  // The time to wait after attempt number `attempts`, or nullopt: no more. Full jitter ("Exponential Backoff And
  // Jitter", AWS Architecture Blog): evenly from 0 to 50 ms · 2^(attempts - 1); the server's own wish counts instead.
  // `left_ns` is what the deadline leaves, UINT64_MAX without one.
  std::optional<uint64_t> Wait(uint64_t attempts, uint64_t retry_after_ns, uint64_t left_ns) {
    if (attempts >= kAttemptsMax) return std::nullopt;
    const uint64_t bound = kRetryNsFirst << (attempts - 1);
    const uint64_t wait =
        retry_after_ns > 0 ? retry_after_ns : std::uniform_int_distribution<uint64_t>(0, bound)(random_);
    if (wait >= left_ns || (left_ns == UINT64_MAX && wait > kRetryAfterNsMax)) return std::nullopt;
    return wait;
  }

 private:
  std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace teal::host::http

// What the server counts of itself, and all counters as Prometheus text (format 0.0.4).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/runtime/service.h"

namespace teal::serve {

// Thread-safe.
struct ServeCounters {
  std::array<std::atomic<uint64_t>, 6> answers{};  // by the first digit of their status
  std::atomic<uint64_t> bytes_in{0}, bytes_out{0};
  std::atomic<uint64_t> refused_connections{0};
  std::atomic<uint64_t> timed_out{0};  // connections that were too slow
  std::atomic<uint32_t> connections{0};
  std::atomic<uint32_t> calls{0};
  std::atomic<uint32_t> waits{0};
  std::atomic<uint64_t> bodies_bytes{0};
  // Of requests that do not wait: how many took at most so long; the last: longer.
  std::array<std::atomic<uint64_t>, 12> seconds{};
  std::atomic<uint64_t> seconds_ns{0};

  void CountAnswer(int status);
  void CountTime(uint64_t ns);
};

// One more in `gauge` until the last copy is gone; null: there are `max` already. `owner` keeps the gauge alive.
std::shared_ptr<void> TakeSlot(const std::shared_ptr<ServeCounters>& owner, std::atomic<uint32_t>& gauge, uint32_t max);

std::string MetricsText(const runtime::ServiceCounters& service, const ServeCounters& serve);

}  // namespace teal::serve

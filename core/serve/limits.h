// What one server takes on at most, each with its unit. What is beyond a limit is refused; nothing grows without bound.
#pragma once

#include <cstddef>
#include <cstdint>

namespace teal::serve {

inline constexpr uint64_t kMillisecondNs = 1'000'000;
inline constexpr uint64_t kSecondNs = 1'000'000'000;

struct ServeLimits {
  uint32_t header_bytes_max = 16 * 1024;     // of one request: its first line and its headers
  uint64_t body_bytes_max = 16u << 20;       // of one request
  uint64_t bodies_bytes_max = 256u << 20;    // of all requests that have no answer yet
  uint32_t pipelined_bytes_max = 64 * 1024;  // read ahead while a request of the connection has no answer yet
  uint32_t connections_max = 20'000;         // open at once
  uint32_t calls_max = 10'000;               // requests at once that are with the service, without those that wait
  uint32_t waits_max = 10'000;               // that wait: for an end, for a reply, and event streams
  uint64_t header_ns_max = 10 * kSecondNs;   // from the first byte of a request to the end of its headers
  uint64_t request_ns_max = 60 * kSecondNs;  // from the first byte of a request to its last
  uint64_t idle_ns_max = 75 * kSecondNs;     // a connection without a request
  uint64_t stall_ns_max = 30 * kSecondNs;    // the reader of an answer takes nothing
  uint64_t answer_ns_max = 300 * kSecondNs;  // the reader of an answer takes all of it
  uint64_t linger_ns_max = 2 * kSecondNs;    // until the other side has closed
  uint64_t wait_ns_max = 300 * kSecondNs;    // longer waits are cut to it
  uint64_t keep_alive_ns = 15 * kSecondNs;   // between two signs of life in an event stream
  uint64_t look_ns = kSecondNs;              // between two looks at what cannot be waited for: threads and state
  uint64_t drain_ns_max = 10 * kSecondNs;    // from a stop to the end of the requests under way
};

inline constexpr uint32_t kPageItemsMax = 1000;  // ?limit=
inline constexpr uint32_t kPageItems = 100;      // without it
inline constexpr uint32_t kFeedItems = 256;      // read at a time for an event stream
inline constexpr size_t kLabelsMax = 64;         // of a session
inline constexpr size_t kLabelBytesMax = 256;    // a key, a value
inline constexpr size_t kPathBytesMax = 4096;    // of a folder
inline constexpr size_t kNameBytesMax = 512;     // an id, the name of a function or an event, a header that is a key
inline constexpr uint64_t kTimeoutNsMax = 100ull * 366 * 86400 * kSecondNs;  // of a session

}  // namespace teal::serve

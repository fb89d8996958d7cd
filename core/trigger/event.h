// From what a plugin emits to what starts a session.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/runtime/service.h"
#include "teal/abi.h"

namespace teal::trigger {

inline constexpr size_t kEventIdBytesMax = 1024;  // of source and of id

// A copy of a teal_event.
struct Event {
  uint64_t token = 0;  // 0: nobody waits for it to be accepted
  uint64_t time_unix_ns = 0;
  std::string source;
  std::string id;
  std::string type;
  std::string order_key;
  std::string content_type;
  std::string data;
  std::string attributes_json;
};
Event CopyOf(const teal_event& event);

enum class Overlap : uint8_t { kAllow, kSkip, kReplace };

// An event, understood.
struct Call {
  runtime::StartRequest start;
  std::optional<uint64_t> reply_ns;  // how long the source waits for an answer
  std::string fingerprint;           // empty: none
  Overlap overlap = Overlap::kAllow;
};

// Of the trigger `name` of `kind`, which calls `function`. The source is made to begin with the kind: no plugin can
// name the events of another. kInvalid, kTooLarge: the event is wrong, and will be whenever it comes.
Result<Call> CallOf(const Event& event, const std::string& kind, const std::string& name, const std::string& function);

// The label that tells which trigger started a session, and the one that keeps its event's fingerprint.
inline constexpr char kTriggerLabel[] = "teal.trigger";
inline constexpr char kFingerprintLabel[] = "teal.fingerprint";

// RFC 3339, UTC, with as many digits of a second as it takes.
std::string TimeText(uint64_t unix_ns);

// Whole events as bytes, for dead letters (docs/formats/dead-letters.md).
std::string Encode(const Event& event);
Result<Event> Decode(const std::string& bytes);

}  // namespace teal::trigger

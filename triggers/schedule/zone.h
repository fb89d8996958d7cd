// Time zones by their IANA names, read from the system's tzdata when first asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace teal::schedule {

// What a local time (seconds since 1970-01-01T00:00:00 on the zone's clock) is in real time. Where clocks went forward
// it may not exist, where they went back it comes twice: then `change` is the moment of that, `before` and `after` what
// the local time means by the offset before and after it. For a local time that exists once all three are the same.
struct RealTime {
  enum class Kind { kOnce, kNever, kTwice } kind = Kind::kOnce;
  int64_t before = 0;
  int64_t change = 0;
  int64_t after = 0;
};

// Copies are cheap. Safe for several threads.
class Zone {
 public:
  // Nothing if the system knows no zone of that name. Blocks for a small file the first time.
  static std::optional<Zone> Load(const std::string& name);
  static Zone Utc();

  // Seconds that the zone's clock is ahead of UTC at `time`.
  int32_t OffsetAt(int64_t time) const;
  RealTime Resolve(int64_t local) const;
  // The first change of the zone's clock after `time`.
  std::optional<int64_t> NextChange(int64_t time) const;

 private:
  struct Rules;
  explicit Zone(std::shared_ptr<const Rules> rules) : rules_(std::move(rules)) {}

  std::shared_ptr<const Rules> rules_;
};

}  // namespace teal::schedule

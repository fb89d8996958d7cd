// When a schedule fires: cron in the ways people write it, rates, single moments and ISO 8601 durations.
// docs/schedule.md says what each means. Times are whole seconds since 1970-01-01T00:00:00Z. Everything here is
// immutable once made and may be used by several threads. No function throws, except for want of memory.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "triggers/schedule/zone.h"

namespace teal::schedule {

inline constexpr size_t kExpressionBytesMax = 512;
inline constexpr int kFirstYear = 1970;  // AWS: years are 1970 to 2199
inline constexpr int kLastYear = 2199;
inline constexpr int64_t kTimeMax = 253'402'300'799;             // 9999-12-31T23:59:59Z
inline constexpr int64_t kPeriodSecondsMax = 36'525LL * 86'400;  // a hundred years

// Why an expression was not taken, and what to do. `column` counts its bytes from 1.
struct Refusal {
  std::string message;
  std::string hint;
  uint32_t column = 1;
};

// What a cron expression allows. Bit n of a set stands for the value n; weekday 0 is Sunday.
struct Cron {
  uint64_t seconds = 1;
  uint64_t minutes = 0;
  uint32_t hours = 0;
  uint32_t months = 0;
  // A day fires that is in either group below, if both are restricted; else one that is in the restricted group.
  bool any_day = false;
  bool any_weekday = false;
  uint32_t days = 0;
  uint32_t before_last = 0;       // bit n: n days before the last of the month
  uint32_t nearest = 0;           // nW: the day from Monday to Friday nearest to n, in the same month
  bool last_working_day = false;  // LW
  uint32_t weekdays = 0;
  std::array<uint32_t, 5> nth_weekdays{};  // [k]: weekdays whose occurrence k + 1 in the month fires
  uint32_t last_weekdays = 0;
  bool any_year = true;
  std::bitset<kLastYear - kFirstYear + 1> years;
  // It follows the clock's hand rather than times of the day: every hour, or minutes or seconds with * or a step.
  bool interval = false;
};

// The same time again and again, counted from a beginning. Months are months of the calendar.
struct Period {
  int64_t seconds = 0;
  int32_t months = 0;
};

// One moment, in the local time of the zone: seconds since 1970-01-01T00:00:00 on that clock.
struct Moment {
  int64_t local = 0;
};

// What happens to local times that do not exist on the day when clocks go forward.
enum class Daylight {
  kRun,   // they fire at the next moment that exists; intervals go on at their real distance
  kSkip,  // they do not fire; every local time fires at most once: as AWS Scheduler does
};

class Schedule {
 public:
  // Nothing, and *refusal, for an expression of no dialect.
  static std::optional<Schedule> Parse(std::string_view text, Refusal* refusal);

  // The first fire time after `after` (exclusive); nothing if there is none before the year 10000. `begin` is the time
  // a period is counted from; the other kinds do not look at it. Both are from 0 to kTimeMax.
  std::optional<int64_t> Next(const Zone& zone, Daylight daylight, int64_t after, int64_t begin) const;
  // Whether it fires at all: false for the 30th of February.
  bool Fires() const;
  // One sentence without a full stop: "At 03:00 every day".
  std::string Describe() const;

 private:
  enum class Kind { kCron, kPeriod, kMoment };

  Kind kind_ = Kind::kCron;
  Cron cron_;
  Period period_;
  Moment moment_;
};

}  // namespace teal::schedule

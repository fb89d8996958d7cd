// From local times to real ones, over the days when clocks change.
#include <algorithm>

#include "triggers/schedule/civil.h"

namespace teal::schedule {
namespace {

// Times of the day, in their local order. That is the order of their real times too, since one that comes twice counts
// where it comes first, and one that does not exist where the clock has jumped to.
std::optional<int64_t> NextOfTimes(const Cron& cron, const Zone& zone, Daylight daylight, int64_t after) {
  int64_t from = after + zone.OffsetAt(after) + 1;
  while (const std::optional<int64_t> local = NextLocal(cron, from)) {
    const RealTime real = zone.Resolve(*local);
    switch (real.kind) {
      case RealTime::Kind::kOnce:
        if (real.before > after) return real.before;
        from = *local + 1;
        break;
      case RealTime::Kind::kNever:
        if (daylight == Daylight::kRun && real.change > after) return real.change;
        from = real.change + (*local - real.after);  // the first local time behind the gap
        break;
      case RealTime::Kind::kTwice:
        if (real.before > after) return real.before;
        from = real.change + (*local - real.before);  // the first local time that comes once again
        break;
    }
  }
  return std::nullopt;
}

// Intervals: whatever the clock shows, as often as it shows it.
std::optional<int64_t> NextOfInterval(const Cron& cron, const Zone& zone, int64_t after) {
  int64_t from = after + 1;
  for (;;) {
    const int32_t offset = zone.OffsetAt(from);
    const std::optional<int64_t> local = NextLocal(cron, from + offset);
    if (!local) return std::nullopt;
    const int64_t time = *local - offset;
    const std::optional<int64_t> change = zone.NextChange(from);
    if (!change || time < *change) return time;
    from = *change;
  }
}

std::optional<int64_t> Real(int64_t local, const Zone& zone, Daylight daylight) {
  const RealTime real = zone.Resolve(local);
  if (real.kind != RealTime::Kind::kNever) return real.before;
  if (daylight == Daylight::kSkip) return std::nullopt;
  return real.change;
}

std::optional<int64_t> NextOfPeriod(const Period& period, const Zone& zone, Daylight daylight, int64_t after,
                                    int64_t begin) {
  constexpr int64_t kMonthSecondsMax = 31 * 86'400;
  const int64_t longest = period.months * kMonthSecondsMax + period.seconds;
  int64_t count = std::max<int64_t>(1, (after - begin) / longest);
  const int64_t local = begin + zone.OffsetAt(begin);
  for (;; ++count) {
    std::optional<int64_t> time = begin;
    if (period.months > 0) time = Real(AddMonths(local, count * period.months), zone, daylight);
    if (!time) continue;
    *time += count * period.seconds;
    if (*time > after) return time;
  }
}

}  // namespace

std::optional<int64_t> Schedule::Next(const Zone& zone, Daylight daylight, int64_t after, int64_t begin) const {
  std::optional<int64_t> time;
  switch (kind_) {
    case Kind::kCron:
      time = cron_.interval && daylight == Daylight::kRun ? NextOfInterval(cron_, zone, after)
                                                          : NextOfTimes(cron_, zone, daylight, after);
      break;
    case Kind::kPeriod:
      time = NextOfPeriod(period_, zone, daylight, after, begin);
      break;
    case Kind::kMoment:
      time = Real(moment_.local, zone, daylight);
      if (time && *time <= after) time = std::nullopt;
      break;
  }
  if (time && *time > kTimeMax) time = std::nullopt;
  return time;
}

bool Schedule::Fires() const {
  return kind_ != Kind::kCron || NextLocal(cron_, 0).has_value();
}

}  // namespace teal::schedule

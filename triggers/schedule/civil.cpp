#include "triggers/schedule/civil.h"

#include <bit>
#include <chrono>
#include <cstdio>

namespace teal::schedule {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

constexpr int64_t kDaySeconds = 86'400;
constexpr int kMonthsOfCycle = 400 * 12;

struct Month {
  int year;
  unsigned month;  // from 1
  unsigned length;
  unsigned first_weekday;  // of day 1
};

Month MonthOf(int year, unsigned month) {
  const std::chrono::year y(year);
  const std::chrono::month m(month);
  const std::chrono::weekday first(sys_days(y / m / 1));
  return {year, month, static_cast<unsigned>((y / m / std::chrono::last).day()), first.c_encoding()};
}

unsigned WeekdayOf(const Month& month, unsigned day) {
  return (month.first_weekday + day - 1) % 7;
}

// In the same month: a Saturday the 1st moves forward, a Sunday the last back.
unsigned NearestWorkingDay(const Month& month, unsigned day) {
  const unsigned weekday = WeekdayOf(month, day);
  if (weekday == 6) return day > 1 ? day - 1 : day + 2;
  if (weekday == 0) return day < month.length ? day + 1 : day - 2;
  return day;
}

uint32_t ByDay(const Cron& cron, const Month& month) {
  uint32_t found = cron.days;
  for (unsigned n = 0; n < month.length; ++n) {
    if (cron.before_last >> n & 1) found |= uint32_t{1} << (month.length - n);
  }
  for (uint32_t left = cron.nearest; left != 0; left &= left - 1) {
    const unsigned day = static_cast<unsigned>(std::countr_zero(left));
    if (day <= month.length) found |= uint32_t{1} << NearestWorkingDay(month, day);
  }
  if (cron.last_working_day) found |= uint32_t{1} << NearestWorkingDay(month, month.length);
  return found;
}

uint32_t ByWeekday(const Cron& cron, const Month& month) {
  uint32_t found = 0;
  for (unsigned day = 1; day <= month.length; ++day) {
    const unsigned weekday = WeekdayOf(month, day);
    const uint32_t last = day + 7 > month.length ? cron.last_weekdays : 0;
    if ((cron.weekdays | cron.nth_weekdays[(day - 1) / 7] | last) >> weekday & 1) found |= uint32_t{1} << day;
  }
  return found;
}

uint32_t DaysOf(const Cron& cron, const Month& month) {
  const uint32_t all = static_cast<uint32_t>((uint64_t{1} << (month.length + 1)) - 2);
  if (cron.any_day && cron.any_weekday) return all;
  if (cron.any_day) return all & ByWeekday(cron, month);
  if (cron.any_weekday) return all & ByDay(cron, month);
  return all & (ByDay(cron, month) | ByWeekday(cron, month));
}

// The lowest value of `set` from `least` on, or -1.
int From(uint64_t set, int64_t least) {
  const uint64_t left = least > 63 ? 0 : set & (~uint64_t{0} << least);
  return left == 0 ? -1 : std::countr_zero(left);
}

// The first second of the day from `least` on, or -1.
int64_t TimeOfDayFrom(const Cron& cron, int64_t least) {
  const int64_t hour = least / 3600;
  const int64_t minute = least / 60 % 60;
  const int first_minute = std::countr_zero(cron.minutes);
  const int first_second = std::countr_zero(cron.seconds);
  if (hour < 24 && (cron.hours >> hour & 1)) {
    if (cron.minutes >> minute & 1) {
      const int second = From(cron.seconds, least % 60);
      if (second >= 0) return hour * 3600 + minute * 60 + second;
    }
    const int next_minute = From(cron.minutes, minute + 1);
    if (next_minute >= 0) return hour * 3600 + next_minute * 60 + first_second;
  }
  const int next_hour = From(cron.hours, hour + 1);
  return next_hour < 0 ? -1 : next_hour * int64_t{3600} + first_minute * 60 + first_second;
}

bool YearAllowed(const Cron& cron, int year) {
  if (cron.any_year) return true;
  return year >= kFirstYear && year <= kLastYear && cron.years[static_cast<size_t>(year - kFirstYear)];
}

bool Digits(std::string_view text, size_t at, size_t count, int* value) {
  *value = 0;
  for (size_t i = at; i < at + count; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return false;
    *value = *value * 10 + (text[i] - '0');
  }
  return true;
}

}  // namespace

std::optional<int64_t> NextLocal(const Cron& cron, int64_t local) {
  const int64_t first_day = local >= 0 ? local / kDaySeconds : (local - kDaySeconds + 1) / kDaySeconds;
  const std::chrono::year_month_day start{sys_days(days(first_day))};
  int year = static_cast<int>(start.year());
  unsigned month = static_cast<unsigned>(start.month());
  for (int i = 0; i <= kMonthsOfCycle; ++i) {
    if (YearAllowed(cron, year) && (cron.months >> month & 1)) {
      const int64_t day_before =
          sys_days(std::chrono::year(year) / std::chrono::month(month) / 1).time_since_epoch().count() - 1;
      uint32_t left = DaysOf(cron, MonthOf(year, month));
      if (i == 0) left &= ~uint32_t{0} << static_cast<unsigned>(start.day());
      for (; left != 0; left &= left - 1) {
        const int64_t day = day_before + std::countr_zero(left);
        const int64_t second = TimeOfDayFrom(cron, day == first_day ? local - first_day * kDaySeconds : 0);
        if (second >= 0) return day * kDaySeconds + second;
      }
    }
    if (++month > 12) {
      month = 1;
      ++year;
    }
  }
  return std::nullopt;
}

int64_t AddMonths(int64_t local, int64_t months) {
  const int64_t day = local >= 0 ? local / kDaySeconds : (local - kDaySeconds + 1) / kDaySeconds;
  const std::chrono::year_month_day start{sys_days(days(day))};
  std::chrono::year_month_day moved = start + std::chrono::months(static_cast<int>(months));
  if (!moved.ok()) moved = moved.year() / moved.month() / std::chrono::last;
  return sys_days(moved).time_since_epoch().count() * kDaySeconds + (local - day * kDaySeconds);
}

std::optional<int64_t> ReadLocal(std::string_view text) {
  int year, month, day, hour, minute, second;
  if (text.size() != 19 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') ||
      text[13] != ':' || text[16] != ':' || !Digits(text, 0, 4, &year) || !Digits(text, 5, 2, &month) ||
      !Digits(text, 8, 2, &day) || !Digits(text, 11, 2, &hour) || !Digits(text, 14, 2, &minute) ||
      !Digits(text, 17, 2, &second)) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date = std::chrono::year(year) / month / day;
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return sys_days(date).time_since_epoch().count() * kDaySeconds + hour * 3600 + minute * 60 + second;
}

std::string WriteLocal(int64_t local) {
  const int64_t day = local >= 0 ? local / kDaySeconds : (local - kDaySeconds + 1) / kDaySeconds;
  const std::chrono::year_month_day date{sys_days(days(day))};
  const int second = static_cast<int>(local - day * kDaySeconds);
  char text[48];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), second / 3600, second / 60 % 60,
                second % 60);
  return text;
}

std::optional<int64_t> ReadTime(std::string_view text) {
  std::optional<int64_t> time = ReadLocal(text.substr(0, 19));
  if (!time) return std::nullopt;
  size_t at = 19;
  if (at < text.size() && text[at] == '.') {
    const size_t begin = ++at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    if (at == begin) return std::nullopt;
  }
  const std::string_view offset = text.substr(at);
  if (offset != "Z" && offset != "z") {
    int hours, minutes;
    if (offset.size() != 6 || (offset[0] != '+' && offset[0] != '-') || offset[3] != ':' ||
        !Digits(offset, 1, 2, &hours) || !Digits(offset, 4, 2, &minutes) || hours > 23 || minutes > 59) {
      return std::nullopt;
    }
    *time -= (offset[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
  }
  if (*time < 0 || *time > kTimeMax) return std::nullopt;
  return time;
}

std::string WriteTime(int64_t time, const Zone& zone) {
  const int32_t offset = zone.OffsetAt(time);
  // RFC 3339 has no seconds in an offset; a few zones had some, long ago.
  if (offset == 0 || offset % 60 != 0) return WriteLocal(time) + "Z";
  const unsigned minutes = static_cast<unsigned>(offset < 0 ? -offset : offset) / 60;
  char text[16];
  std::snprintf(text, sizeof text, "%c%02u:%02u", offset < 0 ? '-' : '+', minutes / 60 % 100, minutes % 60);
  return WriteLocal(time + offset) + text;
}

}  // namespace teal::schedule

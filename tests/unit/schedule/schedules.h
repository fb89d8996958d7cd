// Schedules as text, in and out.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "triggers/schedule/civil.h"
#include "triggers/schedule/schedule.h"

namespace teal::schedule {

struct Case {
  const char* expression;
  const char* zone;
  const char* after;
  std::vector<std::string> next;  // all there are, or the first of them
};

inline Schedule Parsed(const std::string& text) {
  Refusal refusal;
  const std::optional<Schedule> schedule = Schedule::Parse(text, &refusal);
  EXPECT_TRUE(schedule.has_value()) << text << ": column " << refusal.column << ": " << refusal.message;
  return schedule.value_or(Schedule());
}

inline std::vector<std::string> NextOf(const Case& wanted, Daylight daylight = Daylight::kRun, size_t count = 0) {
  const Schedule schedule = Parsed(wanted.expression);
  const std::optional<Zone> zone = Zone::Load(wanted.zone);
  EXPECT_TRUE(zone.has_value()) << wanted.zone;
  if (!zone) return {};
  std::vector<std::string> next;
  const int64_t begin = ReadTime(wanted.after).value();
  int64_t after = begin;
  for (size_t left = count > 0 ? count : std::max<size_t>(wanted.next.size(), 1); left > 0; --left) {
    const std::optional<int64_t> time = schedule.Next(*zone, daylight, after, begin);
    if (!time) break;
    EXPECT_GT(*time, after) << wanted.expression;
    after = *time;
    next.push_back(WriteTime(after, *zone));
  }
  return next;
}

inline void Check(const std::vector<Case>& cases, Daylight daylight = Daylight::kRun) {
  for (const Case& wanted : cases) {
    EXPECT_EQ(NextOf(wanted, daylight), wanted.next)
        << wanted.expression << " in " << wanted.zone << " after " << wanted.after;
  }
}

}  // namespace teal::schedule

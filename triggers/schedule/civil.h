// Local times and cron: which days and seconds of the calendar an expression allows. No time zones here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "triggers/schedule/schedule.h"

namespace teal::schedule {

// The first local second from `local` on that `cron` allows; nothing if none comes in 400 years, after which the
// calendar repeats itself.
std::optional<int64_t> NextLocal(const Cron& cron, int64_t local);

// The local second `months` later; a day that this month does not have becomes its last.
int64_t AddMonths(int64_t local, int64_t months);

// "2026-11-21T19:30:00", or nothing for anything else, and for a day that is not in the calendar.
std::optional<int64_t> ReadLocal(std::string_view text);
std::string WriteLocal(int64_t local);

// RFC 3339. A part of a second is dropped. Nothing for anything else, and for times outside 0 to kTimeMax.
std::optional<int64_t> ReadTime(std::string_view text);
std::string WriteTime(int64_t time, const Zone& zone);

}  // namespace teal::schedule

// The fields of cron expressions.
#pragma once

#include <optional>
#include <string_view>

#include "triggers/schedule/schedule.h"

namespace teal::schedule {

// Five fields, or six with seconds first. `column` is that of the first byte of `text`. False, and *refusal.
bool ParseCron(std::string_view text, uint32_t column, Cron* cron, Refusal* refusal);
// What stands between the brackets of AWS's cron(…): six fields, the year last, 1 is Sunday.
bool ParseAwsCron(std::string_view text, uint32_t column, Cron* cron, Refusal* refusal);

}  // namespace teal::schedule

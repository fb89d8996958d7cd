// What people read: sentences and refusals.
#include "tests/unit/schedule/schedules.h"

namespace teal::schedule {
namespace {

TEST(Words, Sentences) {
  const std::pair<const char*, const char*> cases[] = {
      {"0 3 * * *", "At 03:00 every day"},
      {"@daily", "At 00:00 every day"},
      {"0 3,15 * * *", "At 03:00 and 15:00 every day"},
      {"30 0 3 * * *", "At 03:00:30 every day"},
      {"0 9 * * MON-FRI", "At 09:00 on Monday to Friday"},
      {"0 9 1,15 * *", "At 09:00 on days 1 and 15 of the month"},
      {"0 9 1 * MON", "At 09:00 on day 1 of the month or on Monday"},
      {"0 9 L * *", "At 09:00 on the last day of the month"},
      {"0 9 L-3 1 *", "At 09:00 on 3 days before the last day of the month in January"},
      {"0 9 LW * *", "At 09:00 on the last working day of the month"},
      {"0 9 15W * *", "At 09:00 on the working day nearest to day 15 of the month"},
      {"0 9 * * TUE#2", "At 09:00 on the second Tuesday of the month"},
      {"0 9 * * 5L", "At 09:00 on the last Friday of the month"},
      {"* * * * *", "Every minute"},
      {"* * * * * *", "Every second"},
      {"*/10 * * * * *", "Every 10 seconds"},
      {"15 * * * * *", "At second 15 of every minute"},
      {"*/15 * * * *", "Every 15 minutes"},
      {"*/15 9-17 * * *", "Every 15 minutes of hours 9 to 17"},
      {"@hourly", "Every hour"},
      {"0 */2 * * *", "Every 2 hours"},
      {"5 * * * *", "At minute 5 of every hour"},
      {"*/7 * * * *", "At minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour"},
      {"0 0 1 NOV-FEB *", "At 00:00 on day 1 of the month in January, February, November and December"},
      {"cron(0 9 1 1 ? 2027-2029,2031)", "At 09:00 on day 1 of the month in January of 2027 to 2029 and 2031"},
      {"rate(1 minute)", "Every minute"},
      {"rate(90 minutes)", "Every 1 hour and 30 minutes"},
      {"PT15M", "Every 15 minutes"},
      {"P1Y", "Every year"},
      {"P1DT2H3S", "Every 1 day, 2 hours and 3 seconds"},
      {"at(2027-01-31T09:00:00)", "Once, at 2027-01-31T09:00:00"},
  };
  for (const auto& [text, sentence] : cases) EXPECT_EQ(Parsed(text).Describe(), sentence) << text;
}

TEST(Words, RefusalsNameTheColumn) {
  struct Refused {
    const char* text;
    uint32_t column;
    const char* message;  // a part of it
  };
  const Refused cases[] = {
      {"", 1, "empty"},
      {"0 3 * *", 8, "5 or 6 fields, not 4"},
      {"0 0 0 1 1 * 2027", 13, "5 or 6 fields, not more"},
      {"60 3 * * *", 1, "minute: 60 is out of range"},
      {"0 24 * * *", 3, "hour: 24 is out of range"},
      {"0 0 0 * *", 5, "day of month: 0 is out of range"},
      {"0 0 1,32 * *", 7, "day of month: 32 is out of range"},
      {"0 0 1 foo *", 7, "month: \"foo\" is not a value"},
      {"0 0 1 13 *", 7, "month: 13"},
      {"0 0 1 1-13 *", 9, "month: 13"},
      {"0 0 * * 8", 9, "day of week: 8"},
      {"0 0 * * MONDAY", 9, "day of week: \"MONDAY\""},
      {"0 0 * * MON#6", 13, "1 to 5"},
      {"0 0 * * L", 9, "L needs a day"},
      {"0 0 L-31 * *", 5, "day of month: \"L-31\""},
      {"0 0 W * *", 5, "day of month: \"W\""},
      {"*/0 * * * *", 3, "minute: \"0\" is not a step"},
      {"*/90 * * * *", 3, "longer than the whole field"},
      {"1- * * * *", 3, "minute: a value is missing"},
      {"1,,2 * * * *", 3, "missing beside a comma"},
      {"? * * * *", 1, "minute: ? is for the two day fields"},
      {"99999 * * * *", 1, "minute: \"99999\""},
      {"-1 * * * *", 1, "minute: a value is missing"},
      {"0 0 * * *\xff", 9, "day of week"},
      {"@reboot", 1, "@reboot"},
      {"cron(0 0 * * *)", 15, "6 fields, not 5"},
      {"cron(0 0 * * * *)", 10, "exactly one"},
      {"cron(0 0 ? * ? *)", 14, "exactly one"},
      {"cron(0 0 ? * 0 *)", 14, "day of week: 0 is out of range"},
      {"cron(0 0 ? * 1 2200)", 16, "year: 2200"},
      {"cron(0 0 ? * 1 *", 17, "closing bracket"},
      {"rate(5 minute)", 8, "plural"},
      {"rate(1 minutes)", 8, "singular"},
      {"rate(0 minutes)", 6, "number from 1"},
      {"rate(5 weeks)", 8, "not a unit"},
      {"rate(40000 days)", 6, "hundred years"},
      {"rate(99999999999999999999 days)", 6, "number from 1"},
      {"at(2027-02-30T00:00:00)", 4, "not a date and time"},
      {"at(2027-01-01T00:00:00Z)", 4, "not a date and time"},
      {"every(5 minutes)", 1, "every"},
      {"P", 1, "empty"},
      {"P0D", 1, "no time"},
      {"P1H", 2, "not a duration"},
      {"PT", 2, "after T"},
      {"PT5M1H", 5, "not a duration"},
      {"PT0.5S", 3, "not a duration"},
      {"P2000Y", 1, "hundred years"},
  };
  for (const Refused& wanted : cases) {
    Refusal refusal;
    EXPECT_FALSE(Schedule::Parse(wanted.text, &refusal)) << wanted.text;
    EXPECT_EQ(refusal.column, wanted.column) << wanted.text << ": " << refusal.message;
    EXPECT_NE(refusal.message.find(wanted.message), std::string::npos) << wanted.text << ": " << refusal.message;
    EXPECT_FALSE(refusal.hint.empty()) << wanted.text;
  }
  Refusal refusal;
  EXPECT_FALSE(Schedule::Parse(std::string(kExpressionBytesMax + 1, '*'), &refusal));
}

}  // namespace
}  // namespace teal::schedule

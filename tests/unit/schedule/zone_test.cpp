// Days when clocks change.
#include "tests/unit/schedule/schedules.h"

namespace teal::schedule {
namespace {

constexpr const char* kSpring = "2026-03-28T12:00:00Z";  // Berlin: the 29th, 02:00 becomes 03:00
constexpr const char* kAutumn = "2026-10-24T12:00:00Z";  // Berlin: the 25th, 03:00 becomes 02:00

TEST(Daylight, TimesThatDoNotExistRunAtTheNextMoment) {
  Check({
      {"30 2 * * *", "Europe/Berlin", kSpring, {"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
      {"0,30 2,3 * * *",
       "Europe/Berlin",
       kSpring,  // all of the gap are one run, with the one that exists there
       {"2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:00:00+02:00"}},
      {"30 2 * * *",
       "America/New_York",
       "2026-03-07T12:00:00Z",
       {"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"}},
      {"15 2 * * *",
       "Australia/Lord_Howe",
       "2026-10-03T12:00:00Z",
       {"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
      {"30 2 * * *", "Africa/Johannesburg", kSpring, {"2026-03-29T02:30:00+02:00", "2026-03-30T02:30:00+02:00"}},
      {"0 12 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z", {"2011-12-31T00:00:00+14:00"}},  // a day left out
      {"cron(30 2 * * ? *)", "Europe/Berlin", kSpring, {"2026-03-29T03:00:00+02:00"}},
      {"at(2026-03-29T02:30:00)", "Europe/Berlin", kSpring, {"2026-03-29T03:00:00+02:00"}},
      {"P1M", "Europe/Berlin", "2026-02-28T01:30:00Z", {"2026-03-28T02:30:00+01:00"}},
      {"P1M",
       "Europe/Berlin",
       "2026-01-29T01:30:00Z",
       {"2026-02-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-04-29T02:30:00+02:00"}},
  });
}

TEST(Daylight, TimesThatComeTwiceRunOnce) {
  Check({
      {"30 2 * * *", "Europe/Berlin", kAutumn, {"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
      {"30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", {"2026-10-26T02:30:00+01:00"}},  // asked in between
      {"30 1 * * *",
       "America/New_York",
       "2026-10-31T12:00:00Z",
       {"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"}},
      {"45 1 * * *",
       "Australia/Lord_Howe",
       "2026-04-04T12:00:00Z",
       {"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"}},
      {"at(2026-10-25T02:30:00)", "Europe/Berlin", kAutumn, {"2026-10-25T02:30:00+02:00"}},
  });
}

TEST(Daylight, IntervalsKeepTheirDistance) {
  Check({
      {"*/30 * * * *",
       "Europe/Berlin",
       "2026-03-29T00:00:00Z",
       {"2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"}},
      {"*/30 * * * *",
       "Europe/Berlin",
       "2026-10-24T23:45:00Z",
       {"2026-10-25T02:00:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00",
        "2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00"}},
      {"0 * * * *",
       "America/New_York",
       "2026-11-01T04:30:00Z",
       {"2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T02:00:00-05:00"}},
      {"*/15 * * * *",
       "Australia/Lord_Howe",
       "2026-04-04T14:25:00Z",
       {"2026-04-05T01:30:00+11:00", "2026-04-05T01:45:00+11:00", "2026-04-05T01:30:00+10:30",
        "2026-04-05T01:45:00+10:30"}},
      {"*/30 3 * * *",
       "Europe/Berlin",
       kSpring,
       {"2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00", "2026-03-30T03:00:00+02:00"}},
      {"0 * * * *",
       "Australia/Lord_Howe",
       "2026-04-04T14:10:00Z",
       {"2026-04-05T02:00:00+10:30", "2026-04-05T03:00:00+10:30"}},
      {"rate(1 day)", "Europe/Berlin", kSpring, {"2026-03-29T14:00:00+02:00"}},
      {"PT1H", "Europe/Berlin", "2026-10-25T00:00:00Z", {"2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"}},
  });
}

TEST(Daylight, SkipIsAsAwsScheduler) {
  Check(
      {
          {"30 2 * * *", "Europe/Berlin", kSpring, {"2026-03-30T02:30:00+02:00"}},
          {"30 2 * * *", "Europe/Berlin", kAutumn, {"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
          {"0/30 * * * *",
           "Europe/Berlin",
           "2026-10-25T00:15:00Z",
           {"2026-10-25T02:30:00+02:00", "2026-10-25T03:00:00+01:00"}},
          {"* * * * * *", "Pacific/Apia", "2011-12-30T09:59:59Z", {"2011-12-31T00:00:00+14:00"}},
          {"at(2026-03-29T02:30:00)", "Europe/Berlin", kSpring, {}},
          {"0 12 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z", {"2012-12-30T12:00:00+14:00"}},
      },
      Daylight::kSkip);
}

// The rules of a zone go on after the last change its file lists.
TEST(Daylight, AfterTheEndOfTheFile) {
  Check({
      {"0 12 * * *", "Europe/Berlin", "2500-06-30T12:00:00Z", {"2500-07-01T12:00:00+02:00"}},
      {"*/30 * * * *", "Europe/Berlin", "2060-03-28T00:45:00Z", {"2060-03-28T03:00:00+02:00"}},
  });
}

TEST(Zones, OnlyNamesOfIana) {
  EXPECT_TRUE(Zone::Load("Etc/GMT+5"));
  EXPECT_TRUE(Zone::Load("America/Port-au-Prince"));
  for (const char* name :
       {"", "Mars/Olympus", "europe/berlin", "/usr/share/zoneinfo/Europe/Berlin", "../zoneinfo/Europe/Berlin",
        "localtime", "Fixed/UTC+01:00:00", "file:Europe/Berlin", "Europe", "tzdata.zi"}) {
    EXPECT_FALSE(Zone::Load(name)) << name;
  }
}

}  // namespace
}  // namespace teal::schedule

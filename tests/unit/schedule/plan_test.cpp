#include "triggers/schedule/plan.h"

#include <gtest/gtest.h>

#include "triggers/schedule/civil.h"

namespace teal::schedule {
namespace {

constexpr int64_t kNow = 1'800'000'000;  // 2027-01-15T08:00:00Z

Section SectionOf(const std::string& json) {
  std::optional<Section> section;
  const auto wrong = ReadSection(json, &section);
  EXPECT_FALSE(wrong) << (wrong ? wrong->message : "");
  return *section;
}

std::string WrongOf(const std::string& json) {
  std::optional<Section> section;
  const auto wrong = ReadSection(json, &section);
  return wrong ? wrong->message : "";
}

Progress ProgressAt(int64_t time) {
  return {time, time, {}, ""};
}

std::vector<int64_t> Remaining(const Section& section, const Progress& progress, int64_t now) {
  std::vector<int64_t> times;
  for (auto time = NextAfter(section, progress, progress.through); time && *time <= now;
       time = NextAfter(section, progress, *time)) {
    if (!progress.done.contains(*time)) times.push_back(*time);
  }
  return times;
}

TEST(ScheduleSection, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> wrong[] = {
      {"[]", "no JSON object"},
      {"{}", "\"expression\" is missing"},
      {R"({"expression":"0 0 30 2 *"})", "never fires"},
      {R"({"expression":"0 99 * * *"})", "column 3"},
      {R"({"expression":"@daily","timezone":"Mars/Olympus"})", "Mars/Olympus"},
      {R"~({"expression":"@daily","catchup":"all(0)"})~", "catchup"},
      {R"({"expression":"@daily","overlap":"maybe"})", "overlap"},
      {R"({"expression":"@daily","jitter":"2d"})", "jitter"},
      {R"({"expression":"@daily","jiter":"2s"})", "jiter"},
  };
  for (const auto& [json, words] : wrong) EXPECT_NE(WrongOf(json).find(words), std::string::npos) << json;
  const std::pair<const char*, uint64_t> jitters[] = {{R"({"expression":"@daily","jitter":"1.5m"})", 90'000'000'000},
                                                      {R"({"expression":"@daily","jitter":30})", 30'000'000'000}};
  for (const auto& [json, ns] : jitters) EXPECT_EQ(SectionOf(json).jitter_ns, ns);
}

TEST(ScheduleProgress, TimesDoneOutOfOrderAreKept) {
  const Section section = SectionOf(R"({"expression":"* * * * *"})");
  Progress progress = ProgressAt(kNow);
  Finish(section, &progress, kNow + 120);
  EXPECT_EQ(progress.through, kNow);
  EXPECT_EQ(Remaining(section, progress, kNow + 180), (std::vector<int64_t>{kNow + 60, kNow + 180}));
  Finish(section, &progress, kNow + 60);
  EXPECT_EQ(progress.through, kNow + 120);
  EXPECT_TRUE(progress.done.empty());
  Finish(section, &progress, kNow + 60);  // again
  EXPECT_EQ(progress.through, kNow + 120);
}

TEST(ScheduleProgress, IsReadAsItWasWritten) {
  const Section section = SectionOf(R"({"expression":"* * * * *"})");
  Progress progress = ProgressAt(kNow);
  progress.expression = section.expression;
  Finish(section, &progress, kNow + 120);
  const std::optional<Progress> read = ReadProgress(WriteProgress(section, progress, kNow));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->begin, progress.begin);
  EXPECT_EQ(read->through, progress.through);
  EXPECT_EQ(read->done, progress.done);
  EXPECT_EQ(read->expression, progress.expression);
  for (const char* const damaged : {"", "{}", "[]", R"({"begin":"x","through":"y","done":[],"expression":""})"}) {
    EXPECT_FALSE(ReadProgress(damaged)) << damaged;
  }
}

TEST(ScheduleProgress, WhatTwoHostsKnowIsJoined) {
  const Section section = SectionOf(R"({"expression":"* * * * *"})");
  Progress one = ProgressAt(kNow);
  Progress other = ProgressAt(kNow);
  Finish(section, &one, kNow + 60);
  Finish(section, &one, kNow + 240);
  Finish(section, &other, kNow + 120);
  Finish(section, &other, kNow + 180);
  Join(section, &one, other);
  EXPECT_EQ(one.through, kNow + 240);
  EXPECT_TRUE(one.done.empty());
}

TEST(ScheduleProgress, MissedTimesAreLeftAsCatchupSays) {
  const int64_t now = kNow + 10 * 86'400;
  const auto left = [&](const char* catchup) {
    const Section section = SectionOf(std::string(R"({"expression":"0 * * * *","catchup":")") + catchup + "\"}");
    Progress progress = ProgressAt(kNow);
    LeaveMissed(section, &progress, now);
    return Remaining(section, progress, now);
  };
  EXPECT_TRUE(left("none").empty());
  EXPECT_EQ(left("one"), std::vector<int64_t>{now});
  EXPECT_EQ(left("all(3)"), (std::vector<int64_t>{now - 7200, now - 3600, now}));
  EXPECT_EQ(left("all").size(), 240u);
  EXPECT_EQ(left("all(1000)").size(), 240u);
}

TEST(ScheduleProgress, AClockThatWasAheadSilencesNothing) {
  for (const char* const catchup : {"none", "one", "all"}) {
    const Section section = SectionOf(std::string(R"({"expression":"0 * * * *","catchup":")") + catchup + "\"}");
    Progress progress = ProgressAt(kNow + 365 * 86'400);
    LeaveMissed(section, &progress, kNow);
    EXPECT_EQ(NextAfter(section, progress, progress.through), kNow + 3600) << catchup;
  }
}

TEST(ScheduleProgress, ARareTimeThatWasMissedIsFound) {
  const Section section = SectionOf(R"({"expression":"0 3 1 1 *","catchup":"one"})");
  Progress progress = ProgressAt(*ReadTime("2020-06-01T00:00:00Z"));
  const int64_t now = *ReadTime("2026-06-01T00:00:00Z");
  LeaveMissed(section, &progress, now);
  EXPECT_EQ(Remaining(section, progress, now), std::vector<int64_t>{*ReadTime("2026-01-01T03:00:00Z")});
}

TEST(ScheduleJitter, IsTheSameEverywhereAndSpreads) {
  const Section section = SectionOf(R"({"expression":"* * * * *","jitter":"30s"})");
  uint64_t least = UINT64_MAX;
  uint64_t most = 0;
  for (int64_t time = kNow; time < kNow + 60 * 200; time += 60) {
    const uint64_t jitter = JitterOf(section, "nightly.schedule", time);
    EXPECT_EQ(jitter, JitterOf(section, "nightly.schedule", time));
    least = std::min(least, jitter);
    most = std::max(most, jitter);
  }
  EXPECT_LT(most, 30'000'000'000u);
  EXPECT_GT(most, 25'000'000'000u);
  EXPECT_LT(least, 5'000'000'000u);
  EXPECT_NE(JitterOf(section, "a", kNow), JitterOf(section, "b", kNow));
}

}  // namespace
}  // namespace teal::schedule

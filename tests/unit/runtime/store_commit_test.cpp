// What a commit comes to when replies are lost (P-4): every case of memory_store_commit.cpp, each by what is sent and
// by what is there afterwards.
#include <gtest/gtest.h>

#include "tests/unit/runtime/store_scripted.h"

namespace teal::runtime {
namespace {

const record::Key kA{"session", "a"};
const record::Key kB{"session", "b"};
constexpr StoreCondition kAbsent = StoreCondition::kAbsent;
constexpr StoreCondition kVersion = StoreCondition::kVersion;

TEST(StoreCommit, GivesVersionsAndCounts) {
  Scripted s;
  const StoreVersion first = s.Made(kA, "one");
  EXPECT_EQ(first, s.VersionOf(kA));
  const auto done = s.Commit({PutOf(kA, "two", kVersion, first), PutOf(kB, "new", kAbsent)});
  ASSERT_TRUE(done.ok()) << done.failure().message;
  EXPECT_TRUE(done.value().applied);
  EXPECT_FALSE(done.value().doubtful);
  EXPECT_EQ(done.value().versions, (std::vector{s.VersionOf(kA), s.VersionOf(kB)}));
  EXPECT_EQ(s.Sent(), "cc");
  const StoreCounters& counters = s.store->counters();
  EXPECT_EQ(counters.commits, 2u);
  EXPECT_EQ(counters.writes, 3u);
  EXPECT_EQ(counters.bytes, 9u);
  EXPECT_EQ(counters.unknown + counters.repeats + counters.conflicts + counters.gets, 0u);
}

TEST(StoreCommit, AConflictIsBelievedAndTellsWhatWasFound) {
  Scripted s;
  const StoreVersion old = s.Made(kA, "one");
  s.Made(kA, "theirs");
  s.Sent();
  const auto done = s.Commit({PutOf(kB, "new", kAbsent), PutOf(kA, "mine", kVersion, old)});
  ASSERT_TRUE(done.ok());
  EXPECT_FALSE(done.value().applied);
  EXPECT_FALSE(done.value().doubtful);
  EXPECT_EQ(done.value().conflict, 1u);
  ASSERT_TRUE(done.value().found);
  EXPECT_EQ(done.value().found->key, kA);
  EXPECT_EQ(done.value().found->bytes, "theirs");
  EXPECT_EQ(done.value().found->version, s.VersionOf(kA));
  EXPECT_EQ(s.Sent(), "c") << "a reply that is known needs no reading";
  EXPECT_EQ(s.store->counters().conflicts, 1u);
  const auto absent = s.Commit({PutOf(kB, "mine", kVersion, old)});
  EXPECT_FALSE(absent.value().applied);
  EXPECT_FALSE(absent.value().found) << "the record in the way is none";
}

// ---- Case 1: found as written ----

TEST(StoreCommit, LostAndAppliedIsFound) {
  Scripted s;
  const StoreVersion old = s.Made(kA, "one");
  s.Sent();
  s.Commits({LostApplied()});
  const auto done = s.Commit({PutOf(kA, "mine", kVersion, old)});
  ASSERT_TRUE(done.ok()) << done.failure().message;
  EXPECT_TRUE(done.value().applied);
  EXPECT_EQ(done.value().versions, std::vector{s.VersionOf(kA)});
  EXPECT_EQ(s.Sent(), "cg") << "what is there is not written again";
  EXPECT_EQ(s.store->counters().unknown, 1u);
  EXPECT_EQ(s.store->counters().repeats, 0u);
  EXPECT_EQ(s.store->counters().commits, 2u);
  EXPECT_EQ(s.store->counters().gets, 0u) << "only what the caller asked for";
}

TEST(StoreCommit, SeveralRecordsAreFoundAsOne) {
  Scripted s;
  const StoreVersion a = s.Made(kA, "one");
  const StoreVersion b = s.Made(kB, "child");
  s.Commits({LostApplied()});
  const auto done = s.Commit({PutOf(kA, "mine", kVersion, a), DeleteOf(kB, b), PutOf({"v", "x"}, "large")});
  ASSERT_TRUE(done.ok()) << done.failure().message;
  EXPECT_TRUE(done.value().applied);
  EXPECT_EQ(done.value().versions, (std::vector{s.VersionOf(kA), StoreVersion{}, s.VersionOf({"v", "x"})}));
}

TEST(StoreCommit, ACheckDoesNotUndoWhatIsFound) {
  Scripted s;
  const StoreVersion b = s.Made(kB, "checked");
  s.Commits({LostApplied()});
  s.loop.After(60'000, [&] { s.memory.Touch({kB.partition, kB.sort}); });
  const auto done = s.Commit({CheckOf(kB, b), PutOf(kA, "mine", kAbsent)});
  ASSERT_TRUE(done.ok());
  EXPECT_TRUE(done.value().applied);
  EXPECT_EQ(done.value().versions, (std::vector{b, s.VersionOf(kA)}));
}

TEST(StoreCommit, AMemoryThatMeetsItsOwnWriteIsNotBelieved) {
  Scripted s;
  const StoreVersion old = s.Made(kA, "one");
  s.Sent();
  s.Commits({{.own_conflict = true}});
  const auto done = s.Commit({PutOf(kA, "mine", kVersion, old)});
  ASSERT_TRUE(done.ok());
  EXPECT_TRUE(done.value().applied);
  EXPECT_EQ(done.value().versions, std::vector{s.VersionOf(kA)});
  EXPECT_EQ(s.Sent(), "cg");
}

TEST(StoreCommit, AWriteThatChangesTheDueTimeOnlyIsNotFoundInWhatItReplaces) {
  Scripted s;
  const StoreVersion old = s.Made(kA, "same");
  s.Sent();
  s.Commits({LostNotApplied()});
  StoreWrite expiring = PutOf(kA, "same", kVersion, old);
  expiring.expires_unix_ns = 99;  // bytes and due time as they are
  const auto done = s.Commit({expiring});
  ASSERT_TRUE(done.ok());
  EXPECT_TRUE(done.value().applied);
  EXPECT_NE(done.value().versions.at(0), old);
  EXPECT_EQ(s.Sent(), "cgc");
}

TEST(StoreCommit, TheSameBytesDueAtAnotherTimeAreAnotherWrite) {
  Scripted s;
  const StoreVersion old = s.Made(kA, "one");
  s.Commits({LostNotApplied()});
  s.loop.After(60'000, [&] { s.memory.Put({kA.partition, kA.sort}, "mine", 7); });
  const auto done = s.Commit({PutOf(kA, "mine", kVersion, old)});
  ASSERT_TRUE(done.ok());
  EXPECT_FALSE(done.value().applied);
  EXPECT_EQ(done.value().found->due_unix_ns, 7u);
}

// ---- Case 2: not there, the very same again ----

TEST(StoreCommit, LostAndNotAppliedIsSentAgain) {
  Scripted s;
  const StoreVersion old = s.Made(kA, "one");
  s.Sent();
  s.Commits({LostNotApplied()});
  const auto done = s.Commit({PutOf(kA, "mine", kVersion, old)});
  ASSERT_TRUE(done.ok());
  EXPECT_TRUE(done.value().applied);
  EXPECT_EQ(s.ValueOf(kA), "mine");
  EXPECT_EQ(s.Sent(), "cgc");
  EXPECT_EQ(s.store->counters().repeats, 1u);
}

TEST(StoreCommit, ADeleteIsSentAgainOrFoundDone) {
  Scripted s;
  for (const sim::Fate& fate : {LostApplied(), LostNotApplied()}) {
    const StoreVersion old = s.Made(kA, "one");
    s.Sent();
    s.Commits({fate});
    const auto done = s.Commit({DeleteOf(kA, old)});
    ASSERT_TRUE(done.ok());
    EXPECT_TRUE(done.value().applied);
    EXPECT_EQ(done.value().versions, std::vector{StoreVersion{}});
    EXPECT_EQ(s.ValueOf(kA), "(absent)");
    EXPECT_EQ(s.Sent(), fate.lands ? "cg" : "cgc");
  }
}

TEST(StoreCommit, WithoutAConditionOnlyTheBytesProveIt) {
  Scripted s;
  s.Made(kA, "before");
  s.Sent();
  s.Commits({LostNotApplied()});
  EXPECT_TRUE(s.Commit({PutOf(kA, "mine")}).value().applied);
  EXPECT_EQ(s.ValueOf(kA), "mine");
  EXPECT_EQ(s.Sent(), "cgc");
  s.Commits({LostApplied()});
  EXPECT_TRUE(s.Commit({PutOf(kA, "mine too")}).value().applied);
  EXPECT_EQ(s.Sent(), "cg");
}

TEST(StoreCommit, ChecksAloneAreAskedAgain) {
  Scripted s;
  const StoreVersion a = s.Made(kA, "one");
  s.Sent();
  s.Commits({LostApplied()});
  const auto done = s.Commit({CheckOf(kA, a)});
  ASSERT_TRUE(done.ok());
  EXPECT_TRUE(done.value().applied);
  EXPECT_EQ(done.value().versions, std::vector{a});
  EXPECT_EQ(s.Sent(), "cgc");
}

TEST(StoreCommit, AWriteThatLandsLateConflictsWithItsRepeatAndIsFound) {
  Scripted s;
  const StoreVersion old = s.Made(kA, "one");
  s.Sent();
  // The second flight is on its way for a second; the first lands in the middle of it.
  s.Commits({LostApplied(500 * kMs), {.lands_after_ns = kSecond}});
  const auto done = s.Commit({PutOf(kA, "mine", kVersion, old)});
  ASSERT_TRUE(done.ok());
  EXPECT_TRUE(done.value().applied) << "the conflict is with our own write";
  EXPECT_EQ(done.value().versions, std::vector{s.VersionOf(kA)});
  EXPECT_EQ(s.memory.writes(), 2u) << "the one before, and this one, once";
  EXPECT_EQ(s.Sent(), "cgcg");
}

TEST(StoreCommit, AConflictInDoubtIsReadWhateverIsInTheWay) {
  Scripted s;
  const StoreVersion a = s.Made(kA, "one");
  const StoreVersion b = s.Made(kB, "child");
  s.Commits({LostApplied(500 * kMs), {.lands_after_ns = kSecond}});
  // The repeat meets the absence of what the first deleted: no bytes that tell whose doing it is.
  const auto done = s.Commit({DeleteOf(kB, b), PutOf(kA, "mine", kVersion, a)});
  ASSERT_TRUE(done.ok());
  EXPECT_TRUE(done.value().applied);
  EXPECT_EQ(done.value().versions, (std::vector{StoreVersion{}, s.VersionOf(kA)}));
}

TEST(StoreCommit, AWriteThatLandsAfterItsRepeatDoesNothing) {
  Scripted s;
  const StoreVersion old = s.Made(kA, "one");
  s.Commits({LostApplied(kSecond)});
  const auto done = s.Commit({PutOf(kA, "mine", kVersion, old)});
  ASSERT_TRUE(done.ok());
  EXPECT_TRUE(done.value().applied);
  while (s.loop.RunOne()) {
  }
  EXPECT_EQ(done.value().versions, std::vector{s.VersionOf(kA)});
  EXPECT_EQ(s.memory.writes(), 2u);
}

TEST(StoreCommit, DoubtStaysUntilItIsResolved) {
  Scripted s;
  const StoreVersion old = s.Made(kA, "one");
  s.Sent();
  // Refused the second time as certainly not applied: the first may still be.
  s.Commits({LostApplied(500 * kMs), Failing(TEAL_THROTTLED, kSecond)});
  const auto done = s.Commit({PutOf(kA, "mine", kVersion, old)});
  ASSERT_TRUE(done.ok());
  EXPECT_TRUE(done.value().applied);
  EXPECT_EQ(s.Sent(), "cgccg");
  EXPECT_EQ(s.store->counters().unknown, 1u);
}

// ---- Case 3: half of it ----

TEST(StoreCommit, ACommitThatLandsBetweenTwoReadsIsReadAgain) {
  Scripted s({.get_keys_max = 1});
  const StoreVersion a = s.Made(kA, "one");
  const StoreVersion b = s.Made(kB, "two");
  s.Sent();
  s.Commits({LostApplied(300 * kMs)});
  s.Gets({{.lands_after_ns = kMs}, {.lands_after_ns = kSecond}});
  const auto done = s.Commit({PutOf(kA, "mine", kVersion, a), PutOf(kB, "mine too", kVersion, b)});
  ASSERT_TRUE(done.ok());
  EXPECT_TRUE(done.value().applied);
  EXPECT_EQ(done.value().versions, (std::vector{s.VersionOf(kA), s.VersionOf(kB)}));
  EXPECT_EQ(s.Sent(), "cgggg") << "a second commit would have been a conflict";
}

TEST(StoreCommit, HalfOfItForGoodIsADoubtfulConflict) {
  Scripted s;
  const StoreVersion a = s.Made(kA, "one");
  s.Sent();
  s.Commits({LostApplied()});
  s.loop.After(60'000, [&] { s.memory.Delete({kB.partition, kB.sort}); });
  const auto done = s.Commit({PutOf(kA, "mine", kVersion, a), PutOf(kB, "created", kAbsent)});
  ASSERT_TRUE(done.ok()) << done.failure().message;
  EXPECT_FALSE(done.value().applied);
  EXPECT_TRUE(done.value().doubtful);
  EXPECT_EQ(done.value().conflict, 0u);
  ASSERT_TRUE(done.value().found);
  EXPECT_EQ(done.value().found->bytes, "mine") << "so the caller sees that it was applied";
  EXPECT_EQ(s.Sent(), "cggggg");
}

// ---- Case 4: somebody else was there ----

TEST(StoreCommit, AnothersWriteIsADoubtfulConflict) {
  Scripted s;
  const StoreVersion old = s.Made(kA, "one");
  s.Sent();
  s.Commits({LostNotApplied()});
  s.loop.After(60'000, [&] { s.memory.Put({kA.partition, kA.sort}, "theirs"); });
  const auto done = s.Commit({PutOf(kA, "mine", kVersion, old)});
  ASSERT_TRUE(done.ok());
  EXPECT_FALSE(done.value().applied);
  EXPECT_TRUE(done.value().doubtful);
  ASSERT_TRUE(done.value().found);
  EXPECT_EQ(done.value().found->bytes, "theirs");
  EXPECT_EQ(done.value().found->version, s.VersionOf(kA));
  EXPECT_EQ(s.ValueOf(kA), "theirs") << "never on top of another version";
  EXPECT_EQ(s.Sent(), "cg");
  EXPECT_EQ(s.store->counters().conflicts, 1u);
}

TEST(StoreCommit, TheRecordThatIsNotOursIsTheOneInTheWay) {
  Scripted s;
  const StoreVersion a = s.Made(kA, "one");
  const StoreVersion b = s.Made(kB, "two");
  s.Commits({LostApplied()});
  s.loop.After(60'000, [&] { s.memory.Put({kB.partition, kB.sort}, "flag set on ours"); });
  const auto done = s.Commit({PutOf(kA, "mine", kVersion, a), PutOf(kB, "ours", kVersion, b)});
  ASSERT_TRUE(done.ok());
  EXPECT_FALSE(done.value().applied);
  EXPECT_TRUE(done.value().doubtful);
  EXPECT_EQ(done.value().conflict, 1u);
  EXPECT_EQ(done.value().found->bytes, "flag set on ours");
}

TEST(StoreCommit, ADeletedRecordIsAConflictWithNothing) {
  Scripted s;
  const StoreVersion old = s.Made(kA, "one");
  s.Commits({LostNotApplied()});
  s.loop.After(60'000, [&] { s.memory.Delete({kA.partition, kA.sort}); });
  const auto done = s.Commit({PutOf(kA, "mine", kVersion, old)});
  ASSERT_TRUE(done.ok());
  EXPECT_FALSE(done.value().applied);
  EXPECT_FALSE(done.value().found);
  EXPECT_EQ(s.ValueOf(kA), "(absent)");
}

TEST(StoreCommit, ACreationInTheWayIsAConflict) {
  Scripted s;
  s.Commits({LostNotApplied()});
  s.loop.After(60'000, [&] { s.memory.Put({kA.partition, kA.sort}, "theirs"); });
  const auto done = s.Commit({PutOf(kA, "mine", kAbsent)});
  ASSERT_TRUE(done.ok());
  EXPECT_FALSE(done.value().applied);
  EXPECT_EQ(s.ValueOf(kA), "theirs");
}

// ---- What stays unknown ----

TEST(StoreCommit, ReadsThatFailAreTriedAgain) {
  Scripted s;
  const StoreVersion old = s.Made(kA, "one");
  s.Sent();
  s.Commits({LostApplied()});
  s.Gets({Failing(TEAL_UNAVAILABLE), Failing(TEAL_TIMEOUT)});
  EXPECT_TRUE(s.Commit({PutOf(kA, "mine", kVersion, old)}).value().applied);
  EXPECT_EQ(s.Sent(), "cggg");
}

TEST(StoreCommit, WhatCannotBeFoundOutIsToldAsUnknown) {
  Scripted s;
  const StoreVersion old = s.Made(kA, "one");
  s.Commits({LostApplied()});
  s.Gets(std::vector(1'000, Failing(TEAL_UNAVAILABLE)));
  const int64_t begin = s.loop.now();
  const auto done = s.Commit({PutOf(kA, "mine", kVersion, old)});
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.failure().code, FailureCode::kUnavailable);
  EXPECT_NE(done.failure().message.find("; its outcome is unknown"), std::string::npos) << done.failure().message;
  EXPECT_LE(static_cast<uint64_t>(s.loop.now() - begin), 31 * kSecond);
}

TEST(StoreCommit, ADenialInDoubtDoesNotEndTheDoubt) {
  Scripted s;
  const StoreVersion old = s.Made(kA, "one");
  s.Commits({LostNotApplied(), Failing(TEAL_DENIED)});
  const auto done = s.Commit({PutOf(kA, "mine", kVersion, old)});
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.failure().code, FailureCode::kUnavailable);
  EXPECT_NE(done.failure().message.find("; its outcome is unknown"), std::string::npos);
}

}  // namespace
}  // namespace teal::runtime

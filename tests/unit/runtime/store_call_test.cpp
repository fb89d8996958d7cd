// Back-off, limits, gets in parts, pages, and the end of a store with calls open.
#include <gtest/gtest.h>

#include "tests/unit/runtime/store_scripted.h"

namespace teal::runtime {
namespace {

const record::Key kA{"session", "a"};

// ---- Back-off ----

TEST(StoreBackOff, SpreadsItsTriesAndGivesUpInTime) {
  Scripted s;
  s.Commits(std::vector(1'000, Failing(TEAL_THROTTLED)));
  const int64_t begin = s.loop.now();
  const auto done = s.Commit({PutOf(kA, "mine")});
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.failure().code, FailureCode::kUnavailable);
  const size_t tries = s.sent_at.size();
  EXPECT_EQ(done.failure().message, "cannot write \"session a\": so the simulation wants it; given up after " +
                                        std::to_string(tries) + " tries");
  EXPECT_EQ(s.ValueOf(kA), "(absent)");
  const auto took = static_cast<uint64_t>(s.loop.now() - begin);
  EXPECT_GE(took, 30 * kSecond);
  EXPECT_LE(took, 30 * kSecond + kMs);
  EXPECT_GT(tries, 40u);  // half a second on average, at the end
  EXPECT_LT(tries, 120u);
  uint64_t ceiling = 10 * kMs;
  uint64_t longest = 0;
  for (size_t i = 1; i < tries; ++i) {
    const auto waited = static_cast<uint64_t>(s.sent_at[i] - s.sent_at[i - 1]);
    EXPECT_LE(waited, ceiling + 50'000) << "before try " << i;
    longest = std::max(longest, waited);
    ceiling = std::min(2 * ceiling, kSecond);
  }
  EXPECT_GT(longest, 700 * kMs);
  EXPECT_EQ(s.store->counters().repeats, tries - 1);
  EXPECT_EQ(s.store->counters().commits, 0u);
  EXPECT_EQ(s.store->counters().unknown, 0u);
}

TEST(StoreBackOff, TwoStoresDoNotComeBackTogether) {
  Scripted s;
  s.Commits(std::vector(16, Failing(TEAL_UNAVAILABLE)));
  int ended = 0;
  for (const char* sort : {"a", "b"}) {
    s.store->Commit({PutOf({"session", sort}, "x")}, [&](Result<StoreCommitted> r) { ended += r.ok() ? 1 : 0; });
  }
  while (ended < 2 && s.loop.RunOne()) {
  }
  EXPECT_EQ(ended, 2);
  std::sort(s.sent_at.begin(), s.sent_at.end());
  EXPECT_NE(s.sent_at[2], s.sent_at[3]);
}

TEST(StoreBackOff, WaitsAsLongAsItIsAskedTo) {
  Scripted s;
  s.Commits({Failing(TEAL_THROTTLED, 5 * kSecond)});
  EXPECT_TRUE(s.Commit({PutOf(kA, "mine")}).value().applied);
  const auto waited = static_cast<uint64_t>(s.sent_at.at(1) - s.sent_at.at(0));
  EXPECT_GE(waited, 5 * kSecond);
  EXPECT_LE(waited, 5 * kSecond + 11 * kMs);
}

TEST(StoreBackOff, DoesNotWaitForWhatComesTooLate) {
  Scripted s;
  s.Commits({Failing(TEAL_THROTTLED, 31 * kSecond)});
  const int64_t begin = s.loop.now();
  EXPECT_FALSE(s.Commit({PutOf(kA, "mine")}).ok());
  EXPECT_LT(static_cast<uint64_t>(s.loop.now() - begin), kMs);
}

TEST(StoreBackOff, IsForWhatMayPassOnly) {
  struct Row {
    sim::Fate fate;
    FailureCode code;
    std::string message;
  };
  const auto refused = [](teal_status status) { return sim::Fate{.refused = status}; };
  const std::string said = "cannot write \"session a\": so the simulation wants it";
  for (const Row& row : std::vector<Row>{
           {Failing(TEAL_DENIED), FailureCode::kUnavailable, said},
           {Failing(TEAL_CLOSED), FailureCode::kUnavailable, said},
           {Failing(TEAL_INVALID), FailureCode::kInvalid, said},
           {Failing(TEAL_TOO_LARGE), FailureCode::kTooLarge, said},
           {Failing(TEAL_CORRUPT), FailureCode::kCorrupt, said},
           {Failing(TEAL_INTERNAL), FailureCode::kInternal, said},
           {refused(TEAL_CLOSED), FailureCode::kUnavailable, "cannot write \"session a\": the memory is closed"},
           {refused(TEAL_INVALID), FailureCode::kInvalid,
            "cannot write \"session a\": the memory refused the call at once"},
       }) {
    Scripted s;
    s.Commits({row.fate});
    const auto done = s.Commit({PutOf(kA, "mine")});
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.failure().code, row.code);
    EXPECT_EQ(done.failure().message, row.message);
    EXPECT_EQ(s.Sent(), "c");
  }
  Scripted s;
  s.Commits({refused(TEAL_NO_MEMORY), Failing(TEAL_CANCELLED), Failing(TEAL_TIMEOUT), Failing(TEAL_NO_MEMORY)});
  EXPECT_TRUE(s.Commit({PutOf(kA, "mine")}).ok());
  EXPECT_EQ(s.Sent(), "ccccc");
}

TEST(StoreBackOff, IsForReadsAsWell) {
  Scripted s;
  s.Made(kA, "one");
  s.Gets({Failing(TEAL_UNAVAILABLE), {.lands = false, .code = TEAL_TIMEOUT, .outcome = TEAL_OUTCOME_UNKNOWN}});
  EXPECT_EQ(s.Get({kA}).value().at(0)->bytes, "one");
  s.Gets(std::vector(1'000, Failing(TEAL_UNAVAILABLE)));
  const auto failed = s.Get({kA});
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.failure().message.substr(0, 27), "cannot read \"session a\": so") << failed.failure().message;
}

// ---- Limits ----

TEST(StoreLimitsOf, AreTheMemorysAndAreToldWithNumbers) {
  Scripted s({.value_bytes_max = 100, .commit_ops_max = 2, .commit_bytes_max = 150, .shared = true});
  EXPECT_EQ(s.store->limits().value_bytes_max, 100u);
  EXPECT_EQ(s.store->limits().commit_ops_max, 2u);
  EXPECT_EQ(s.store->limits().commit_bytes_max, 150u);
  EXPECT_TRUE(s.store->limits().durable);
  EXPECT_TRUE(s.store->limits().shared);
  const auto refused = [&](std::vector<StoreWrite> writes) {
    const auto done = s.Commit(std::move(writes));
    EXPECT_EQ(done.failure().code, FailureCode::kTooLarge);
    return done.failure().message;
  };
  EXPECT_EQ(refused({PutOf({"p", "1"}, ""), PutOf({"p", "2"}, ""), PutOf({"p", "3"}, "")}),
            "the number of operations of the commit that begins with \"p 1\" has 3, and the memory takes at most 2 "
            "(commit_ops_max)");
  EXPECT_EQ(refused({PutOf({"p", "1"}, std::string(101, 'x'))}),
            "the value of \"p 1\", in bytes, has 101, and the memory takes at most 100 (value_bytes_max)");
  EXPECT_EQ(refused({PutOf({"p", "1"}, std::string(73, 'x')), PutOf({"p", "2"}, std::string(74, 'x'))}),
            "the commit that begins with \"p 1\", in bytes, has 151, and the memory takes at most 150 "
            "(commit_bytes_max)");
  EXPECT_EQ(s.Commit({}).failure().code, FailureCode::kInvalid);
  EXPECT_EQ(s.Sent(), "") << "nothing leaves";
  EXPECT_TRUE(s.Commit({PutOf({"p", "1"}, std::string(73, 'x')), PutOf({"p", "2"}, std::string(73, 'x'))}).ok());
}

// ---- Gets ----

TEST(StoreGet, ComesInPartsInOrderWithTheAbsent) {
  Scripted s({.get_keys_max = 3});
  std::vector<record::Key> keys;
  for (int i = 0; i < 10; ++i) {
    keys.push_back({"p" + std::to_string(9 - i), std::string(1, static_cast<char>('a' + i))});
    if (i % 3 != 1) s.memory.Put({keys.back().partition, keys.back().sort}, std::to_string(i), 5);
  }
  s.Gets({Well(), {.lands_after_ns = kSecond}, Failing(TEAL_THROTTLED)});  // the parts do not end in order
  const auto got = s.Get(keys);
  ASSERT_TRUE(got.ok()) << got.failure().message;
  ASSERT_EQ(got.value().size(), 10u);
  for (int i = 0; i < 10; ++i) {
    const auto& item = got.value()[static_cast<size_t>(i)];
    ASSERT_EQ(item.has_value(), i % 3 != 1) << i;
    if (!item) continue;
    EXPECT_EQ(item->key, keys[static_cast<size_t>(i)]);
    EXPECT_EQ(item->bytes, std::to_string(i));
    EXPECT_EQ(item->version, s.VersionOf(item->key));
    EXPECT_EQ(item->due_unix_ns, 5u);
  }
  EXPECT_EQ(s.Sent(), "ggggg");
  EXPECT_EQ(s.store->counters().gets, 10u);
  EXPECT_TRUE(s.Get({}).value().empty());
}

TEST(StoreGet, OnePartThatFailsIsTheFailureOfAll) {
  Scripted s({.get_keys_max = 1});
  s.Gets({Well(), Failing(TEAL_CORRUPT), Failing(TEAL_DENIED)});
  const auto got = s.Get({{"p", "1"}, {"p", "2"}, {"p", "3"}, {"p", "4"}});
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.failure().code, FailureCode::kCorrupt) << "the first to fail";
}

// ---- Pages ----

TEST(StoreScan, GivesPagesInOrder) {
  Scripted s;
  for (int i = 0; i < 7; ++i) s.memory.Put({"p", "t/" + std::to_string(i)}, "v" + std::to_string(i), 3);
  s.memory.Put({"p", "s"}, "other");
  s.memory.Put({"q", "t/0"}, "other");
  std::string seen;
  std::string cursor;
  for (bool more = true; more;) {
    const auto page = s.Wait<StorePage>([&](auto done) { s.store->Scan("p", "t/", 3, cursor, std::move(done)); });
    ASSERT_TRUE(page.ok());
    for (const StoreItem& item : page.value().items) {
      EXPECT_EQ(item.key.partition, "p");
      EXPECT_EQ(item.version, s.VersionOf(item.key));
      EXPECT_EQ(item.due_unix_ns, 3u);
      seen += item.key.sort + "=" + item.bytes + " ";
    }
    seen += "| ";
    more = page.value().more;
    cursor = page.value().next;
  }
  EXPECT_EQ(seen, "t/0=v0 t/1=v1 t/2=v2 | t/3=v3 t/4=v4 t/5=v5 | t/6=v6 | ");
  EXPECT_EQ(s.store->counters().scans, 3u);
  const auto none = s.Wait<StorePage>([&](auto done) { s.store->Scan("p", "", 0, "", std::move(done)); });
  EXPECT_EQ(none.failure().code, FailureCode::kInvalid);
}

TEST(StoreScan, GivesWhatIsDueByShards) {
  Scripted s;
  for (uint64_t i = 1; i <= 9; ++i) s.memory.Put({"p", std::to_string(i)}, "v", i == 5 ? 0 : i);
  s.Gets({Failing(TEAL_THROTTLED)});
  std::vector<std::string> seen;
  for (uint32_t shard = 0; shard < 2; ++shard) {
    std::string cursor;
    uint64_t last = 0;
    for (bool more = true; more;) {
      const auto page =
          s.Wait<StorePage>([&](auto done) { s.store->ScanDue(shard, 2, 8, 1, cursor, std::move(done)); });
      ASSERT_TRUE(page.ok());
      for (const StoreItem& item : page.value().items) {
        EXPECT_GT(item.due_unix_ns, last);
        last = item.due_unix_ns;
        seen.push_back(item.key.sort);
      }
      more = page.value().more;
      cursor = page.value().next;
    }
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, (std::vector<std::string>{"1", "2", "3", "4", "6", "7", "8"}));
  const auto none = s.Wait<StorePage>([&](auto done) { s.store->ScanDue(2, 2, 8, 1, "", std::move(done)); });
  EXPECT_EQ(none.failure().code, FailureCode::kInvalid);
}

// ---- The end ----

TEST(StoreEnd, EndsWhatWaitsAndTellsWhy) {
  Scripted s;
  s.Commits({Failing(TEAL_THROTTLED, 10 * kSecond), LostApplied()});
  std::vector<std::string> ended;
  for (const char* sort : {"a", "b"}) {
    s.store->Commit({PutOf({"session", sort}, "x")},
                    [&](Result<StoreCommitted> r) { ended.push_back(r.failure().message); });
  }
  s.Gets({Failing(TEAL_THROTTLED, 10 * kSecond)});
  s.loop.RunUntil(s.loop.now() + 100'000'000);
  EXPECT_TRUE(ended.empty());
  s.store.reset();
  EXPECT_EQ(ended, (std::vector<std::string>{
                       "the memory is being closed; the call was not sent again",
                       "the memory is being closed; the call was not sent again; its outcome is unknown"}));
  while (s.loop.RunOne()) {  // what the delays still hold finds nothing
  }
  EXPECT_EQ(s.Sent(), "ccg");
}

}  // namespace
}  // namespace teal::runtime

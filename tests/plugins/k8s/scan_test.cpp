// Pages of scans and of what is due, while records change.
#include <algorithm>

#include "tests/plugins/k8s/both.h"

namespace teal::k8s_test {
namespace {

std::vector<host::Record> All(const Store& store, std::string_view partition, std::string_view prefix, uint64_t limit) {
  std::vector<host::Record> all;
  std::string cursor;
  for (int pages = 0; pages < 10000; ++pages) {
    host::PageResult page = store.memory().ScanNow(partition, prefix, limit, cursor);
    EXPECT_OK(page);
    EXPECT_LE(page.records.size(), limit);
    std::move(page.records.begin(), page.records.end(), std::back_inserter(all));
    if (!page.more) return all;
    EXPECT_LE(page.next.size(), 4096U);
    cursor = page.next;
  }
  ADD_FAILURE() << "the scan does not end";
  return all;
}

TEST_P(Both, AScanGivesItsPrefixInPages) {
  for (int i = 0; i < 57; ++i) {
    const std::string number = std::to_string(1000 + i);
    ASSERT_OK(store.Put("p", "a/" + number, "v" + number));
    ASSERT_OK(store.Put("q", "a/" + number, "other"));
  }
  ASSERT_OK(store.Put("p", "a", "before"));
  ASSERT_OK(store.Put("p", "b", "after"));
  ASSERT_OK(store.Put("p", std::string("\xFF\xFF", 2), "last"));
  ASSERT_OK(store.Put("p", std::string("\xFF\xFF\x01", 3), "last of all"));
  for (const uint64_t limit : {1, 7, 57, 1000}) {
    const auto records = All(store, "p", "a/", limit);
    ASSERT_EQ(records.size(), 57U) << limit;
    for (std::size_t i = 0; i < 57; ++i) EXPECT_EQ(records[i].sort, "a/" + std::to_string(1000 + i));
    EXPECT_EQ(records[3].value, "v1003");
    EXPECT_EQ(All(store, "p", "", limit).size(), 61U);
  }
  EXPECT_EQ(All(store, "p", std::string("\xFF\xFF", 2), 1).size(), 2U);
  EXPECT_TRUE(All(store, "p", "zz", 5).empty());
  const auto wrong = store.memory().ScanNow("p", "a/", 5, "Sb");
  EXPECT_EQ(wrong.error.code, TEAL_INVALID);
  EXPECT_FALSE(wrong.error.message.empty());
}

TEST_P(Both, APageEndsBeforeItGrowsTooLarge) {
  const std::string big(900'000, 'b');
  for (int i = 0; i < 12; ++i) ASSERT_OK(store.Put("big", std::to_string(100 + i), big));
  const auto page = store.memory().ScanNow("big", "", 1000);
  ASSERT_OK(page);
  EXPECT_LT(page.records.size(), 12U);
  EXPECT_GE(page.records.size(), 4U);
  EXPECT_TRUE(page.more);
  EXPECT_EQ(All(store, "big", "", 1000).size(), 12U);
}

TEST_P(Both, WhatStaysIsGivenOnceWhileTheRestChanges) {
  for (int i = 0; i < 100; ++i) ASSERT_OK(store.Put("p", "stay" + std::to_string(100 + i), "v"));
  std::atomic<bool> over{false};
  std::thread other([&] {
    for (int n = 0; !over; ++n) {
      const std::string name = "stay" + std::to_string(100 + n % 100);
      EXPECT_OK(store.Put("p", name + "x", "comes"));
      EXPECT_OK(store.Put("p", name, "changed"));
      EXPECT_OK(store.Delete("p", name + "x"));
    }
  });
  for (int round = 0; round < 5; ++round) {
    std::vector<std::string> seen;
    for (const host::Record& record : All(store, "p", "stay", 7)) seen.push_back(record.sort);
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
    EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
    std::erase_if(seen, [](const std::string& name) { return name.back() == 'x'; });
    EXPECT_EQ(seen.size(), 100U);
  }
  over = true;
  other.join();
}

std::vector<host::Record> Due(const Store& store, uint32_t shard, uint32_t shards, uint64_t until, uint64_t limit) {
  std::vector<host::Record> all;
  std::string cursor;
  for (int pages = 0; pages < 10000; ++pages) {
    host::PageResult page = store.memory().ScanDueNow(shard, shards, until, limit, cursor);
    EXPECT_OK(page);
    EXPECT_LE(page.records.size(), limit);
    std::move(page.records.begin(), page.records.end(), std::back_inserter(all));
    if (!page.more) return all;
    cursor = page.next;
  }
  ADD_FAILURE() << "scan_due does not end";
  return all;
}

TEST_P(Both, WhatIsDueComesInItsOrderAndEachInOneShard) {
  constexpr uint64_t kBase = 1'700'000'000 * kSecond;
  for (uint64_t i = 0; i < 60; ++i) {
    ASSERT_OK(store.Put("p" + std::to_string(i % 7), "s" + std::to_string(i), "v", kBase + (i * 37 % 60) / 2));
  }
  ASSERT_OK(store.Put("p", "never", "v", 0));
  ASSERT_OK(store.Put("p", "first", "v", 1));
  ASSERT_OK(store.Put("p", "far", "v", ~0ULL));
  for (const uint64_t limit : {1, 7, 1000}) {
    const auto all = Due(store, 0, 1, kBase + 1000, limit);
    ASSERT_EQ(all.size(), 61U) << limit;
    EXPECT_EQ(all[0].sort, "first");
    for (std::size_t i = 1; i < all.size(); ++i) EXPECT_LE(all[i - 1].due_unix_ns, all[i].due_unix_ns);
    for (const host::Record& record : all) {
      EXPECT_TRUE(record.value.empty());
      EXPECT_TRUE(SameVersion(record.version, kAbsent));
    }
  }
  EXPECT_EQ(Due(store, 0, 1, ~0ULL, 100).size(), 62U);
  EXPECT_EQ(Due(store, 0, 1, kBase, 100).size(), 3U);  // the bound counts
  for (const uint32_t shards : {2U, 3U, 16U, 1000U, 1024U}) {
    std::set<std::string> seen;
    std::size_t given = 0;
    for (uint32_t shard = 0; shard < shards; ++shard) {
      for (const host::Record& record : Due(store, shard, shards, kBase + 1000, 1000)) {
        seen.insert(record.partition + "|" + record.sort);
        ++given;
      }
    }
    EXPECT_EQ(given, 61U) << shards;
    EXPECT_EQ(seen.size(), 61U) << shards;
  }
  // Changed, cleared and deleted: no longer given.
  ASSERT_OK(store.Put("p0", "s0", "v", 0));
  ASSERT_OK(store.Delete("p1", "s1"));
  ASSERT_OK(store.Put("p2", "s2", "v", kBase + 5000));
  EXPECT_EQ(Due(store, 0, 1, kBase + 1000, 1000).size(), 58U);
  EXPECT_EQ(store.memory().ScanDueNow(0, 1, kBase, 5, "nonsense").error.code, TEAL_INVALID);
}

}  // namespace
}  // namespace teal::k8s_test

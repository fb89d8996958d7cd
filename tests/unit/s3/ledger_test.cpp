// What was accepted, over writes that fail and restarts at any moment.
#include "triggers/s3/ledger.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace teal::s3 {
namespace {

using Records = std::map<std::string, std::string>;
using Expected = std::map<Digest, std::string>;  // the keys, by their digest

std::optional<Ledger> Read(const Records& records) {
  Ledger ledger("uploads");
  std::vector<std::string> todo{""};
  while (!todo.empty()) {
    const std::string bits = todo.back();
    todo.pop_back();
    const auto found = records.find(ledger.Name(bits));
    std::optional<std::string_view> value;
    if (found != records.end()) value = found->second;
    if (!ledger.Read(bits, value, &todo)) return std::nullopt;
  }
  return ledger;
}

// Writes a round, as far as `writes` goes. True: all of it.
bool Write(Ledger& ledger, Records* records, size_t writes) {
  const Ledger::Round round = ledger.Take();
  for (const auto* const part : {&round.leaves, &round.marks}) {
    for (const Ledger::Round::Write& write : *part) {
      EXPECT_LE(write.value.size(), 64u << 10);
      if (writes-- == 0) {
        ledger.NotStored(round);
        return false;
      }
      (*records)[ledger.Name(write.bits)] = write.value;
    }
  }
  ledger.Stored(round);
  return true;
}

Expected Kept(Ledger& ledger) {
  Expected kept;
  for (const auto& [object, entry] : ledger.kept()) kept[object] = entry.key;
  return kept;
}

TEST(Ledger, GivesBackWhatWasStored) {
  Records records;
  Expected expected;
  {
    std::optional<Ledger> ledger = Read(records);
    EXPECT_FALSE(ledger->dirty());
    for (int i = 0; i < 5'000; ++i) {
      const std::string key = "in/" + std::to_string(i);
      ledger->Set(DigestOf({key}), DigestOf({key, "1"}), key);
      expected[DigestOf({key})] = key;
      if (i % 700 == 0) {
        ASSERT_TRUE(Write(*ledger, &records, SIZE_MAX));
      }
    }
    ASSERT_TRUE(Write(*ledger, &records, SIZE_MAX));
    EXPECT_FALSE(ledger->dirty());
  }
  EXPECT_GT(records.size(), 10u);
  std::optional<Ledger> again = Read(records);
  ASSERT_TRUE(again);
  EXPECT_EQ(Kept(*again), expected);
  const Digest one = DigestOf({"in/17"});
  EXPECT_EQ(again->Find(one)->stamp, DigestOf({"in/17", "1"}));
  again->Erase(one);
  again->Set(DigestOf({"in/18"}), DigestOf({"in/18", "2"}), "in/18");
  ASSERT_TRUE(Write(*again, &records, SIZE_MAX));
  expected.erase(one);
  again = Read(records);
  EXPECT_EQ(Kept(*again), expected);
  EXPECT_EQ(again->Find(DigestOf({"in/18"}))->stamp, DigestOf({"in/18", "2"}));
}

// A crash after any write loses nothing that was stored before, and what was stored stays readable.
TEST(Ledger, StandsACrashAfterAnyWrite) {
  std::mt19937 random(5);
  for (int run = 0; run < 60; ++run) {
    Records records;
    Expected stored;
    std::optional<Ledger> ledger = Read(records);
    Expected now;
    for (int round = 0; round < 12; ++round) {
      for (int i = 0; i < 300; ++i) {
        const std::string key = std::to_string(random() % 3'000) + std::string(30, 'k');
        ledger->Set(DigestOf({key}), DigestOf({key, "1"}), key);
        now[DigestOf({key})] = key;
      }
      const size_t writes = random() % 3 == 0 ? random() % 20 : SIZE_MAX;
      if (Write(*ledger, &records, writes)) {
        stored = now;
        continue;
      }
      if (random() % 2 == 0) continue;  // the round failed, and the next writes it
      ledger = Read(records);           // a crash
      ASSERT_TRUE(ledger);
      now = Kept(*ledger);
      for (const auto& [object, key] : stored) ASSERT_TRUE(now.contains(object)) << run << " " << round;
      stored = now;
    }
    ASSERT_TRUE(Write(*ledger, &records, SIZE_MAX));
    ledger = Read(records);
    EXPECT_EQ(Kept(*ledger), now);
  }
}

TEST(Ledger, RefusesDamagedRecords) {
  Ledger ledger("uploads");
  std::vector<std::string> more;
  for (const std::string& value : {std::string(), std::string("\1"), std::string("\2L"), std::string("\1X"),
                                   std::string("\1Sx"), std::string("\1L") + std::string(33, 'x'),
                                   std::string("\1L") + std::string(32, 'x') + std::string("\5\0abc", 5)}) {
    EXPECT_FALSE(ledger.Read("", value, &more));
  }
  EXPECT_FALSE(ledger.Read("1", std::string("\1L") + std::string(34, '\0'), &more));  // of another leaf
  EXPECT_TRUE(more.empty());
}

}  // namespace
}  // namespace teal::s3

// Many callers at once: one winner each, nothing lost, nothing torn, no deadlock.
#include <chrono>
#include <map>
#include <random>

#include "tests/plugins/k8s/both.h"

namespace teal::k8s_test {
namespace {

constexpr int kClients = 16;

TEST_P(Both, OfSixteenWritersOfOneVersionOneWins) {
  Store second(Config());  // half of them in another instance
  ASSERT_OK(store.Create("p", "hot", "0"));
  for (int round = 0; round < 30; ++round) {
    const auto before = store.Get("p", "hot");
    std::atomic<int> winners{0};
    std::mutex mutex;
    std::string winner;
    Together(kClients, [&](int i) {
      const std::string mine = std::to_string(round) + "/" + std::to_string(i);
      const Store& at = i % 2 == 0 ? store : second;
      const auto result = at.Replace("p", "hot", mine, before->version);
      if (result.error.Ok()) {
        ++winners;
        const std::lock_guard lock(mutex);
        winner = mine;
        return;
      }
      EXPECT_EQ(result.error.code, TEAL_CONFLICT) << result.error.message;
      ASSERT_TRUE(result.found);
      EXPECT_FALSE(SameVersion(result.found->version, before->version));
    });
    EXPECT_EQ(winners, 1);
    EXPECT_EQ(store.Get("p", "hot")->value, winner);
  }
}

TEST_P(Both, OfSixteenCreatorsOneWinsAlsoWhileItIsDeleted) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> winners{0};
    Together(kClients, [&](int i) {
      const auto result = store.Create("p", "new", std::to_string(i));
      if (result.error.Ok()) ++winners;
      if (!result.error.Ok()) {
        EXPECT_EQ(result.error.code, TEAL_CONFLICT) << result.error.message;
      }
    });
    EXPECT_EQ(winners, 1);
    ASSERT_OK(store.Delete("p", "new"));
  }
  // Creates against deletes: each create follows an absence.
  std::atomic<int> made{0};
  std::atomic<int> deleted{0};
  Together(8, [&](int i) {
    for (int n = 0; n < 40; ++n) {
      if (i % 2 == 0) {
        if (store.Create("p", "flap", "x").error.Ok()) ++made;
        continue;
      }
      const auto there = store.Get("p", "flap");
      if (!there) continue;
      const host::Op op{.kind = TEAL_DELETE,
                        .condition = TEAL_IF_VERSION,
                        .partition = "p",
                        .sort = "flap",
                        .expected = there->version};
      if (store.memory().CommitNow({&op, 1}).error.Ok()) ++deleted;
    }
  });
  EXPECT_EQ(made - deleted, store.Get("p", "flap") ? 1 : 0);
}

// Money moved between accounts by commits of two records, in whatever order the accounts are named: the sum stays, also
// as every reader sees it, and nobody waits for ever.
TEST_P(Both, CommitsOfTwoRecordsAreWhole) {
  constexpr int kAccounts = 6;
  const auto name = [](int i) { return "account" + std::to_string(i); };
  for (int i = 0; i < kAccounts; ++i) ASSERT_OK(store.Create("bank", name(i), "100"));
  Store second(Config());
  const auto deadlocks = [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(1200));  // backends tell their counts once a second
    return Sql("SELECT deadlocks FROM pg_stat_database WHERE datname = 'teal'");
  };
  const std::string deadlocks_before = deadlocks();
  std::atomic<int> moved{0};
  std::atomic<int> torn{0};
  Together(kClients, [&](int client) {
    std::minstd_rand random(static_cast<unsigned>(client) + 1);
    const Store& at = client % 2 == 0 ? store : second;
    for (int n = 0; n < 25; ++n) {
      const auto page = at.memory().ScanNow("bank", "", 100);
      int sum = 0;
      for (const host::Record& record : page.records) sum += std::stoi(record.value);
      if (sum != 100 * kAccounts || page.records.size() != kAccounts) ++torn;
      const std::size_t from = random() % kAccounts;
      const std::size_t to = (from + 1 + random() % (kAccounts - 1)) % kAccounts;
      const host::Record& a = page.records[from];
      const host::Record& b = page.records[to];
      const std::string less = std::to_string(std::stoi(a.value) - 1);
      const std::string more = std::to_string(std::stoi(b.value) + 1);
      const host::Op ops[] = {
          {.condition = TEAL_IF_VERSION, .partition = "bank", .sort = a.sort, .value = less, .expected = a.version},
          {.condition = TEAL_IF_VERSION, .partition = "bank", .sort = b.sort, .value = more, .expected = b.version}};
      const auto result = at.memory().CommitNow(ops);
      if (result.error.Ok()) ++moved;
      if (!result.error.Ok()) {
        EXPECT_EQ(result.error.code, TEAL_CONFLICT) << result.error.message;
      }
    }
  });
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(deadlocks(), deadlocks_before) << "the order of keys was not kept";
  EXPECT_GT(moved, 0);
  int sum = 0;
  for (int i = 0; i < kAccounts; ++i) sum += std::stoi(store.Get("bank", name(i))->value);
  EXPECT_EQ(sum, 100 * kAccounts);
}

// Two commits that each check that the other's record is absent: never both. (An absence is held like a record.)
TEST_P(Both, AChecksOfAbsenceHoldsUntilTheEnd) {
  for (int round = 0; round < 60; ++round) {
    const std::string a = "a" + std::to_string(round);
    const std::string b = "b" + std::to_string(round);
    std::atomic<int> winners{0};
    Together(2, [&](int i) {
      const std::string& mine = i == 0 ? a : b;
      const std::string& other = i == 0 ? b : a;
      const host::Op ops[] = {{.condition = TEAL_IF_ABSENT, .partition = "skew", .sort = mine, .value = "x"},
                              {.kind = TEAL_CHECK, .condition = TEAL_IF_ABSENT, .partition = "skew", .sort = other}};
      if (store.memory().CommitNow(ops).error.Ok()) ++winners;
    });
    EXPECT_EQ(winners, 1) << round;
    EXPECT_EQ(store.memory().ScanNow("skew", "", 1000).records.size(), static_cast<std::size_t>(round) + 1);
  }
}

// PostgreSQL gives the rows of a statement before it commits: what fails then was not applied. And what fails is the
// one commit, not those that shared its transaction.
TEST_P(Both, ACommitThatFailsAtItsEndFailsAlone) {
  Sql("CREATE FUNCTION " + schema +
      ".refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.value = 'poison' THEN "
      "RAISE 'no poison'; END IF; RETURN NULL; END $$; CREATE CONSTRAINT TRIGGER late AFTER INSERT ON " +
      schema + ".record DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION " + schema + ".refuse()");
  std::atomic<int> failed{0};
  Together(32, [&](int i) {
    for (int round = 0; round < 4; ++round) {
      const std::string name = std::to_string(i) + "/" + std::to_string(round);
      const auto result = store.Create("p", name, i == 5 ? "poison" : "fine");
      if (i != 5) {
        EXPECT_OK(result);
        continue;
      }
      ++failed;
      EXPECT_EQ(result.error.code, TEAL_INTERNAL);
      EXPECT_EQ(result.error.outcome, TEAL_NOT_APPLIED);
      EXPECT_NE(result.error.message.find("no poison"), std::string::npos) << result.error.message;
    }
  });
  EXPECT_EQ(failed, 4);
  EXPECT_EQ(store.memory().ScanNow("p", "", 1000).records.size(), 31U * 4U);
}

// Every increment counts, with many keys and many callers in flight, so that commits share transactions.
TEST_P(Both, ManyCommitsInFlightLoseNothing) {
  constexpr int kKeys = 8;
  constexpr int kEach = 40;
  std::map<std::string, std::atomic<int>> wanted;
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_OK(store.Create("count" + std::to_string(i), "n", "0"));
    wanted["count" + std::to_string(i)] = 0;
  }
  Together(32, [&](int client) {
    std::minstd_rand random(static_cast<unsigned>(client) + 7);
    for (int n = 0; n < kEach; ++n) {
      const std::string key = "count" + std::to_string(random() % kKeys);
      for (;;) {
        const auto now = store.Get(key, "n");
        const auto result = store.Replace(key, "n", std::to_string(std::stoi(now->value) + 1), now->version);
        if (result.error.Ok()) break;
        ASSERT_EQ(result.error.code, TEAL_CONFLICT) << result.error.message;
      }
      ++wanted.at(key);
    }
  });
  for (const auto& [key, count] : wanted) EXPECT_EQ(store.Get(key, "n")->value, std::to_string(count.load()));
}

}  // namespace
}  // namespace teal::k8s_test

// The faulty store under a small workload, 200 seeds: what it acknowledges is there, once, in order; and a client that
// breaks a rule is caught.
#include "tests/sim/faulty_store.h"

#include <gtest/gtest.h>

#include "tests/sim/append_world.h"

namespace teal::sim {
namespace {

constexpr uint64_t kSeeds = 200;

AppendOptions OptionsOf(uint64_t seed) {
  AppendOptions options;
  options.faults = Rough(1);
  options.faults.commit_ops_max = seed % 2 == 0 ? 1 : 100;
  // A store that gives up early leaves more outcomes unknown.
  if (seed % 4 == 1) options.faults.try_ns_max = 500'000'000;
  return options;
}

TEST(FaultyStore, LosesNothingAndDoesNothingTwice) {
  FaultCounts faults{};
  int acknowledged = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    AppendWorld world(OptionsOf(seed), seed);
    const std::string wrong = world.Run();
    ASSERT_EQ(wrong, "") << "seed " << seed << "\n" << world.trace();
    acknowledged += world.acknowledged();
    for (size_t i = 0; i < kFaults; ++i) faults[i] += world.faults()[i];
  }
  EXPECT_GE(acknowledged, static_cast<int>(kSeeds) * 3 * 2 * 12) << "every client that did not crash came to its end";
  for (size_t i = 0; i < kFaults; ++i) {
    const auto fault = static_cast<Fault>(i);
    // Lists are neither scanned nor due; the test below looks at those.
    if (fault == Fault::kStaleScan || fault == Fault::kStaleDue) continue;
    EXPECT_GT(faults[i], 20u) << NameOf(fault);
  }
}

TEST(FaultyStore, IsTheSameForTheSameSeed) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    AppendWorld one(OptionsOf(seed), seed);
    AppendWorld two(OptionsOf(seed), seed);
    EXPECT_EQ(one.Run(), two.Run());
    EXPECT_FALSE(one.trace().empty());
    EXPECT_EQ(one.trace(), two.trace());
    EXPECT_EQ(one.faults(), two.faults());
    AppendWorld other(OptionsOf(seed), seed + 1'000);
    other.Run();
    EXPECT_NE(one.trace(), other.trace());
  }
}

TEST(FaultyStore, WithoutFaultsNothingFails) {
  AppendOptions options;
  options.crashes = 0;
  AppendWorld world(options, 1);
  EXPECT_EQ(world.Run(), "");
  EXPECT_EQ(world.faults(), FaultCounts{});
  EXPECT_EQ(world.acknowledged(), 3 * 2 * 12);
  EXPECT_EQ(world.trace().find("doubtful"), std::string::npos);
}

// How many seeds catch a client that breaks a rule.
int Caught(void (*breaks)(AppendOptions&)) {
  int caught = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    AppendOptions options = OptionsOf(seed);
    options.faults.try_ns_max = 500'000'000;
    breaks(options);
    caught += AppendWorld(options, seed).Run().empty() ? 0 : 1;
  }
  return caught;
}

TEST(FaultyStore, CatchesClientsThatBreakARule) {
  EXPECT_GT(Caught([](AppendOptions& o) { o.blind = true; }), 100);
  EXPECT_GT(Caught([](AppendOptions& o) { o.assume_applied = true; }), 10);
  EXPECT_GT(Caught([](AppendOptions& o) { o.write_again = true; }), 10);
  EXPECT_GT(Caught([](AppendOptions& o) { o.trust_doubtful = true; }), 0);
}

// ---- Each thing by itself ----

runtime::StoreWrite PutOf(const std::string& sort, std::string bytes, uint64_t due_unix_ns = 0) {
  runtime::StoreWrite write;
  write.key = {"p", sort};
  write.bytes = std::move(bytes);
  write.due_unix_ns = due_unix_ns;
  return write;
}

TEST(FaultyStore, ACrashKeepsWhatWasAppliedAndCallsNobody) {
  bool landed = false;
  bool dropped = false;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SimLoop loop;
    FaultyOptions options = Rough(0);
    SimMemory memory(loop, CapsOf(options));
    FaultyStore host(memory, options, seed);
    bool before = false;
    host.Commit({PutOf("before", "x")}, [&](Result<runtime::StoreCommitted> r) { before = r.ok(); });
    loop.RunUntil(loop.now() + 1'000'000'000);
    EXPECT_TRUE(before);
    host.Commit({PutOf("air", "x")}, [](auto) { ADD_FAILURE() << "a callback of a host that has crashed"; });
    host.Get({{"p", "before"}}, [](auto) { ADD_FAILURE() << "a callback of a host that has crashed"; });
    EXPECT_EQ(host.open_calls(), 2u);
    host.Crash();
    while (loop.RunOne()) {
    }
    EXPECT_NE(memory.Find({"p", "before"}), nullptr);
    const bool there = memory.Find({"p", "air"}) != nullptr;
    EXPECT_EQ(host.faults()[static_cast<size_t>(there ? Fault::kLandedAfterCrash : Fault::kDropped)], 1u);
    (there ? landed : dropped) = true;
  }
  EXPECT_TRUE(landed);
  EXPECT_TRUE(dropped);
}

TEST(FaultyStore, ScansMayBeStaleAndAreNeverWrongAboutTheOld) {
  int old = 0;
  int old_due = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SimLoop loop;
    FaultyOptions options = Rough(0);
    options.rates[static_cast<size_t>(Fault::kStaleScan)] = 0.5;
    options.rates[static_cast<size_t>(Fault::kStaleDue)] = 0.5;
    SimMemory memory(loop, CapsOf(options));
    memory.Put({"p", "throughout"}, "x", 1);
    memory.Put({"p", "deleted"}, "x", 1);
    loop.RunUntil(loop.now() + 31'000'000'000);
    memory.Delete({"p", "deleted"});
    memory.Put({"p", "new"}, "x", 1);
    loop.RunUntil(loop.now() + 10'000'000'000);
    FaultyStore host(memory, options, seed);
    std::string seen;
    std::string due;
    const auto gather = [](std::string& into) {
      return [&into](Result<runtime::StorePage> page) {
        ASSERT_TRUE(page.ok());
        for (const auto& item : page.value().items) into += item.key.sort + " ";
      };
    };
    host.Scan("p", "", 10, "", gather(seen));
    host.ScanDue(0, 1, 5, 10, "", gather(due));
    while (loop.RunOne()) {
    }
    for (const std::string& list : {seen, due}) {
      EXPECT_TRUE(list == "new throughout " || list == "deleted throughout ") << list;
    }
    old += seen[0] == 'd' ? 1 : 0;
    old_due += due[0] == 'd' ? 1 : 0;
  }
  EXPECT_GT(old, 5);
  EXPECT_LT(old, 30);
  EXPECT_GT(old_due, 5);
}

TEST(FaultyStore, AFullStoreTakesDeletesAndThenEverything) {
  SimLoop loop;
  FaultyOptions options = Rough(0);
  options.rates[static_cast<size_t>(Fault::kFull)] = 0.2;
  SimMemory memory(loop, CapsOf(options));
  memory.Put({"p", "old"}, "x");
  FaultyStore host(memory, options, 3);
  int puts = 0;
  for (int i = 0; i < 20; ++i) {
    host.Commit({PutOf(std::to_string(i), "x")}, [&](Result<runtime::StoreCommitted> r) { puts += r.ok() ? 1 : 0; });
  }
  runtime::StoreWrite remove;
  remove.kind = runtime::StoreWrite::Kind::kDelete;
  remove.key = {"p", "old"};
  int64_t deleted_at = 0;
  host.Commit({remove}, [&](Result<runtime::StoreCommitted> r) { deleted_at = r.ok() ? loop.now() : 0; });
  const int64_t begin = loop.now();
  while (loop.RunOne()) {
  }
  EXPECT_GT(host.faults()[static_cast<size_t>(Fault::kFull)], 0u);
  EXPECT_NE(deleted_at, 0);
  EXPECT_LT(deleted_at - begin, 50'000'000) << "a delete does not wait for room";
  EXPECT_GT(puts, 0);
}

TEST(FaultyStore, NoVersionComesBack) {
  SimLoop loop;
  SimMemory memory(loop, {});
  std::vector<teal_version> seen;
  for (int i = 0; i < 50; ++i) {
    memory.Put({"p", "k"}, "the same");
    for (const teal_version& version : seen) {
      EXPECT_NE(std::string(std::begin(version.opaque), std::end(version.opaque)),
                std::string(std::begin(memory.Find({"p", "k"})->version.opaque),
                            std::end(memory.Find({"p", "k"})->version.opaque)));
    }
    seen.push_back(memory.Find({"p", "k"})->version);
    memory.Delete({"p", "k"});
  }
}

TEST(SimLoop, RunsInOrderOfTimeAndOfAdding) {
  SimLoop loop;
  std::string ran;
  loop.At(loop.now() + 2, [&] { ran += "c"; });
  loop.At(loop.now() + 1, [&] {
    ran += "a";
    loop.At(0, [&] { ran += "b"; });  // the past is now
  });
  loop.At(loop.now() + 2, [&] { ran += "d"; });
  loop.At(SimLoop::kBeginUnixNs + 100, [&] { ran += "e"; });
  loop.RunUntil(SimLoop::kBeginUnixNs + 50);
  EXPECT_EQ(ran, "abcd");
  EXPECT_EQ(loop.now(), SimLoop::kBeginUnixNs + 50);
  EXPECT_TRUE(loop.RunOne());
  EXPECT_FALSE(loop.RunOne());
  EXPECT_EQ(loop.ran(), 5u);
}

}  // namespace
}  // namespace teal::sim

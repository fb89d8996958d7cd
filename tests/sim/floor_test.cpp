// The floor store: commits of whole sessions over a store of single records (docs/decisions/0009).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "core/runtime/floor_head.h"
#include "tests/sim/floor_world.h"

namespace teal::sim {
namespace {

namespace floor = runtime::floor;
using runtime::StoreCommitted;
using runtime::StoreCondition;
using runtime::StoreItem;
using runtime::StorePage;
using runtime::StoreVersion;
using runtime::StoreWrite;

const std::string kSid(runtime::record::kSidBytes, 'b');
const runtime::record::Key kHead = runtime::record::SessionKey(kSid);
constexpr int64_t kSecondNs = 1'000'000'000;

// ---- Many seeds ----

TEST(FloorStore, EachCommitIsSeenWholeWhateverHappens) {
  uint64_t seeds = 150;
  uint64_t first = 1;
  if (const char* count = std::getenv("TEAL_SIM_SEEDS")) seeds = std::strtoull(count, nullptr, 10);
  if (const char* one = std::getenv("TEAL_SIM_SEED")) {
    first = std::strtoull(one, nullptr, 10);
    seeds = 1;
  }
  uint64_t orphans = 0;
  uint64_t placeholders = 0;
  FaultCounts faults{};
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    FloorWorldOptions options;
    options.faults = Rough(seed % 3 == 0 ? 0.2 : 1);
    options.faults.commit_ops_max = seed % 4 == 0 ? 4 : 1;
    options.hosts = 1 + static_cast<int>(seed % 3);
    FloorWorld world(options, seed);
    ASSERT_EQ(world.Run(), "") << "seed " << seed;
    orphans += world.orphans();
    placeholders += world.placeholders();
    for (size_t i = 0; i < faults.size(); ++i) faults[i] += world.faults()[i];
  }
  if (seeds < 50) return;
  EXPECT_GT(orphans, 0u);
  EXPECT_GT(placeholders, 0u);
  for (const Fault fault : {Fault::kLostApplied, Fault::kLate, Fault::kStaleScan, Fault::kLandedAfterCrash}) {
    EXPECT_GT(faults[static_cast<size_t>(fault)], 20u) << NameOf(fault);
  }
}

// ---- One host at a time ----

struct Place {
  explicit Place(uint64_t ops = 1, FaultyOptions options = Rough(0)) : faults(std::move(options)) {
    faults.commit_ops_max = ops;
    memory = std::make_unique<SimMemory>(loop, CapsOf(faults));
    Boot();
  }
  ~Place() { Crash(); }
  void Boot() {
    alive = std::make_shared<bool>(true);
    below = std::make_unique<FaultyStore>(*memory, faults, ++boots);
    runtime::FloorOptions options;
    options.seed = ++boots * 1'000;
    options.now_unix_ns = [this] { return static_cast<uint64_t>(loop.now()); };
    options.post = [this, living = alive](std::function<void()> run) {
      loop.After(0, [living, run = std::move(run)] {
        if (*living) run();
      });
    };
    store = std::make_unique<runtime::FloorStore>(*below, options);
  }
  void Crash() {
    if (store == nullptr) return;
    *alive = false;
    below->Crash();
    store.reset();
    below.reset();
  }
  void Pass(int64_t ns = 60 * kSecondNs) { loop.RunUntil(loop.now() + ns); }

  Result<StoreCommitted> Commit(std::vector<StoreWrite> writes) {
    std::optional<Result<StoreCommitted>> outcome;
    store->Commit(std::move(writes), [&](Result<StoreCommitted> r) { outcome = std::move(r); });
    Pass();
    return outcome ? std::move(*outcome) : Result<StoreCommitted>(Fail(FailureCode::kInternal, "it never ended"));
  }
  // What the caller sees of the session: "sort=bytes …".
  std::string Seen(const std::string& prefix = "", uint64_t limit = 1'000) {
    std::string seen;
    std::string cursor;
    for (bool more = true; more;) {
      more = false;
      bool ended = false;
      store->Scan(kSid, prefix, limit, cursor, [&](Result<StorePage> page) {
        ended = true;
        if (!page) {
          seen += page.failure().message;
          return;
        }
        for (const StoreItem& item : page->items) seen += (seen.empty() ? "" : " ") + item.key.sort + "=" + item.bytes;
        more = page->more;
        cursor = page->next;
      });
      Pass(kSecondNs);
      if (!ended) return "it never ended";
    }
    return seen;
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& [key, record] : memory->All()) names.push_back(key.second);
    return names;
  }

  SimLoop loop;
  FaultyOptions faults;
  std::unique_ptr<SimMemory> memory;
  std::shared_ptr<bool> alive;
  std::unique_ptr<FaultyStore> below;
  std::unique_ptr<runtime::FloorStore> store;
  uint64_t boots = 0;
};

StoreWrite Put(const std::string& sort, std::string bytes) {
  StoreWrite write;
  write.key = {kSid, sort};
  write.bytes = std::move(bytes);
  return write;
}

StoreWrite Remove(const std::string& sort) {
  StoreWrite write = Put(sort, {});
  write.kind = StoreWrite::Kind::kDelete;
  return write;
}

StoreWrite HeadAt(std::string bytes, std::optional<StoreVersion> version) {
  StoreWrite write = Put("s", std::move(bytes));
  write.condition = version ? StoreCondition::kVersion : StoreCondition::kAbsent;
  if (version) write.expected = *version;
  return write;
}

TEST(FloorStore, AStepIsOneWrite) {
  Place place;
  Result<StoreCommitted> outcome = place.Commit({HeadAt("1", std::nullopt)});
  ASSERT_TRUE(outcome.ok() && outcome->applied);
  for (int i = 2; i < 10; ++i) {
    outcome = place.Commit({HeadAt(std::to_string(i), outcome->versions[0])});
    ASSERT_TRUE(outcome.ok() && outcome->applied);
  }
  EXPECT_EQ(place.below->counters().writes, 9u);
  EXPECT_EQ(place.below->counters().gets, 0u);
  EXPECT_EQ(place.Seen(), "s=9");
}

TEST(FloorStore, PutsReplacesAndDeletesTogether) {
  for (const uint64_t ops : {1, 3, 100}) {
    Place place(ops);
    Result<StoreCommitted> outcome = place.Commit({HeadAt("1", std::nullopt), Put("t/0.1", "a"), Put("t/0", "b")});
    ASSERT_TRUE(outcome.ok() && outcome->applied);
    EXPECT_EQ(place.Seen(), "s=1 t/0=b t/0.1=a");
    outcome = place.Commit({Put("t/0.1", "c"), HeadAt("2", outcome->versions[0]), Remove("t/0"), Put("v/x", "d")});
    ASSERT_TRUE(outcome.ok() && outcome->applied);
    EXPECT_EQ(place.Seen(), "s=2 t/0.1=c v/x=d");
    EXPECT_EQ(place.Seen("t/"), "t/0.1=c");
    EXPECT_EQ(place.Seen("", 1), "s=2 t/0.1=c v/x=d");
    EXPECT_EQ(place.Names().size(), 3u) << "what was replaced is deleted";
    EXPECT_EQ(place.store->floor_counters().placeholders, ops == 1 ? 1u : 0u);
    // Another version than that of the head: nothing happens.
    outcome = place.Commit({HeadAt("3", StoreVersion{1}), Put("t/0.1", "e")});
    ASSERT_TRUE(outcome.ok());
    EXPECT_FALSE(outcome->applied);
    EXPECT_EQ(outcome->conflict, 0u);
    EXPECT_EQ(outcome->found->bytes, "2");
    EXPECT_EQ(place.Seen(), "s=2 t/0.1=c v/x=d");
  }
}

TEST(FloorStore, GetsByKey) {
  Place place;
  ASSERT_TRUE(place.Commit({HeadAt("1", std::nullopt), Put("t/0.1", "a"), Put("v/x", "b")}).ok());
  std::string seen;
  place.store->Get({{kSid, "t/0.2"}, {kSid, "v/x"}, kHead, {kSid, "t/0.1"}, {"p", "none"}}, [&](auto got) {
    ASSERT_TRUE(got.ok());
    for (const auto& item : got.value()) seen += item ? item->key.sort + "=" + item->bytes + " " : "- ";
  });
  place.Pass();
  EXPECT_EQ(seen, "- v/x=b s=1 t/0.1=a - ");
}

// A host dies at each moment of a commit, and another looks: it sees all of it or nothing, and nothing else is left
// once it has made the next.
TEST(FloorStore, ACrashAtAnyMomentLeavesAllOrNothing) {
  for (const bool first : {true, false}) {
    bool none = false;
    bool all = false;
    for (int moment = 0; moment < 60; ++moment) {
      Place place;
      std::optional<StoreVersion> version;
      if (!first) {
        Result<StoreCommitted> before = place.Commit({HeadAt("1", std::nullopt), Put("t/0.1", "a"), Put("t/0.2", "b")});
        ASSERT_TRUE(before.ok() && before->applied);
        version = before->versions[0];
      }
      place.store->Commit({HeadAt("2", version), Put("t/0.1", "c"), Remove("t/0.2"), Put("t/0.3", "d")}, [](auto) {});
      for (int i = 0; i < moment; ++i) place.loop.RunOne();
      place.Crash();
      place.Pass();
      place.Boot();
      const std::string seen = place.Seen();
      const std::string old = first ? "" : "s=1 t/0.1=a t/0.2=b";
      ASSERT_TRUE(seen == old || seen == "s=2 t/0.1=c t/0.3=d") << "moment " << moment << ": " << seen;
      (seen == old ? none : all) = true;
      version.reset();
      place.store->Get({kHead}, [&](auto got) {
        ASSERT_TRUE(got.ok());
        if (got.value()[0]) version = got.value()[0]->version;
      });
      place.Pass();
      const Result<StoreCommitted> next = place.Commit({HeadAt("3", version), Put("t/0.1", "e")});
      ASSERT_TRUE(next.ok() && next.value().applied) << "moment " << moment;
      place.Seen();
      const size_t live = 2 + (seen.find("t/0.2") != std::string::npos) + (seen.find("t/0.3") != std::string::npos);
      EXPECT_EQ(place.Names().size(), live) << "moment " << moment;
    }
    EXPECT_TRUE(none && all);
  }
}

// What another host has written and not committed stays until its commit cannot be made any more.
TEST(FloorStore, LeavesWhatIsOnItsWay) {
  Place place;
  const Result<StoreCommitted> first = place.Commit({HeadAt("1", std::nullopt), Put("t/0.1", "a")});
  ASSERT_TRUE(first.ok());
  FaultyStore below(*place.memory, place.faults, 77);
  runtime::FloorOptions options;
  options.seed = 78;
  options.now_unix_ns = [&] { return static_cast<uint64_t>(place.loop.now()); };
  std::vector<std::function<void()>> held;  // the other host stands still before its head
  options.post = [&](std::function<void()> run) { held.push_back(std::move(run)); };
  runtime::FloorStore other(below, options);
  bool applied = false;
  const auto go_on = [&] {
    while (!held.empty()) {
      const auto all = std::move(held);
      held.clear();
      for (const auto& run : all) run();
      place.Pass();
    }
  };
  bool read = false;
  other.Scan(kSid, {}, 10, {}, [&](auto) { read = true; });
  place.Pass();
  go_on();
  ASSERT_TRUE(read);
  other.Commit({HeadAt("2", first.value().versions[0]), Put("t/0.1", "b"), Put("t/0.2", "c")},
               [&](Result<StoreCommitted> r) { applied = r.ok() && r->applied; });
  place.Pass();
  ASSERT_EQ(place.Names().size(), 4u) << "both parts are there, and the head is not";
  EXPECT_EQ(place.Seen(), "s=1 t/0.1=a");
  EXPECT_EQ(place.Names().size(), 4u);
  go_on();
  EXPECT_TRUE(applied);
  EXPECT_EQ(place.Seen(), "s=2 t/0.1=b t/0.2=c");
}

TEST(FloorStore, AScanThatIsStaleIsNoticed) {
  FaultyOptions faults = Rough(0);
  Place place(1, faults);
  Result<StoreCommitted> outcome = place.Commit({HeadAt("1", std::nullopt), Put("t/0.1", "a"), Put("t/0.2", "b")});
  ASSERT_TRUE(outcome.ok());
  outcome = place.Commit({HeadAt("2", outcome->versions[0]), Put("t/0.1", "c"), Put("t/0.3", "d")});
  ASSERT_TRUE(outcome.ok());
  place.Crash();
  place.faults.rates[static_cast<size_t>(Fault::kStaleScan)] = 1;
  place.faults.stale_ns_max = 59 * static_cast<uint64_t>(kSecondNs);
  for (int i = 0; i < 20; ++i) {
    place.Boot();
    EXPECT_EQ(place.Seen(), "s=2 t/0.1=c t/0.2=b t/0.3=d");
    place.Crash();
  }
}

// A creation that nobody goes on with is found by its due time, and nothing is left of it.
TEST(FloorStore, ADeadCreationIsFoundAndDeleted) {
  Place place;
  place.store->Commit({HeadAt("1", std::nullopt), Put("t/0.1", "a"), Put("v/x", "b")}, [](auto) {});
  while (place.Names().size() < 3) ASSERT_TRUE(place.loop.RunOne());
  place.Crash();
  place.Pass();
  place.Boot();
  const auto due = [&] {
    std::vector<std::string> found;
    place.store->ScanDue(0, 1, static_cast<uint64_t>(place.loop.now()), 10, {}, [&](Result<StorePage> page) {
      for (const StoreItem& item : page->items) found.push_back(item.key.sort);
    });
    place.Pass(kSecondNs);
    return found;
  };
  EXPECT_EQ(place.Seen(), "v/x=b") << "values may be there before anybody refers to them";
  EXPECT_TRUE(due().empty());
  EXPECT_GE(place.Names().size(), 3u) << "it may still be on its way";
  place.Pass(1'000 * kSecondNs);
  EXPECT_EQ(due(), std::vector<std::string>{"s"});
  place.Seen();
  place.Pass();
  EXPECT_TRUE(place.Names().empty());
}

// Whoever creates it meanwhile takes the place; the one before it is fenced.
TEST(FloorStore, ACreationTakesOverADeadOne) {
  Place place;
  place.store->Commit({HeadAt("1", std::nullopt), Put("t/0.1", "a")}, [](auto) {});
  while (place.Names().size() < 2) ASSERT_TRUE(place.loop.RunOne());
  place.Crash();
  place.Boot();
  const Result<StoreCommitted> outcome = place.Commit({HeadAt("2", std::nullopt), Put("t/0.2", "b")});
  ASSERT_TRUE(outcome.ok() && outcome.value().applied);
  EXPECT_EQ(place.Seen(), "s=2 t/0.2=b");
  place.Pass();
  EXPECT_EQ(place.Names().size(), 2u);
}

StoreWrite Listed() {
  StoreWrite write;
  write.key = {"i/20260101/00", "0/" + kSid};
  write.bytes = "listed";
  return write;
}

// What is to be written elsewhere is, although the host dies as soon as the head is there.
TEST(FloorStore, WorkElsewhereIsDoneByWhoeverComesNext) {
  Place place;
  place.store->Commit({HeadAt("1", std::nullopt), Listed()}, [](auto) {});
  while (place.Names().empty()) ASSERT_TRUE(place.loop.RunOne());
  place.Crash();
  place.Pass();
  ASSERT_EQ(place.Names().size(), 1u) << "the host died before it";
  place.Boot();
  EXPECT_EQ(place.Seen(), "s=1");
  place.Pass();
  EXPECT_EQ(place.Names().size(), 2u);
  StoreVersion version{};
  place.store->Get({kHead}, [&](auto got) { version = got.value()[0]->version; });
  place.Pass();
  // It is deleted with the session, with values and what late writes left.
  place.memory->Put({kSid, "t/0.9!1-abc"}, "late");
  place.memory->Put({kSid, "v/y"}, "late");
  StoreWrite head = HeadAt({}, version);
  head.kind = StoreWrite::Kind::kDelete;
  StoreWrite listed = Listed();
  listed.kind = StoreWrite::Kind::kDelete;
  const Result<StoreCommitted> outcome = place.Commit({listed, head});
  EXPECT_TRUE(outcome.ok() && outcome.value().applied);
  place.Pass();
  EXPECT_TRUE(place.Names().empty()) << place.Names().front();
}

// Sessions of thousands of threads: the head stays small, and a step costs what it costs in a small one.
TEST(FloorStore, ThousandsOfRecords) {
  Place place;
  std::vector<StoreWrite> writes = {HeadAt("0", std::nullopt)};
  for (int i = 0; i < 2'000; ++i) writes.push_back(Put("t/0." + std::to_string(i), "old"));
  Result<StoreCommitted> outcome = place.Commit(std::move(writes));
  ASSERT_TRUE(outcome.ok() && outcome->applied) << outcome.failure().message;
  EXPECT_GT(place.store->floor_counters().chunks, 0u);
  for (int i = 0; i < 600; ++i) {
    outcome =
        place.Commit({HeadAt(std::to_string(i + 1), outcome->versions[0]), Put("t/0." + std::to_string(i), "new")});
    ASSERT_TRUE(outcome.ok() && outcome->applied);
    ASSERT_LT(place.memory->Find({kSid, "s"})->value.size(), 8'192u);
  }
  // A part and the head each, and now and then chunks.
  EXPECT_LT(place.store->floor_counters().chunks, 40u);
  EXPECT_EQ(place.store->floor_counters().heads, 601u);
  place.Crash();
  place.Boot();
  const std::string seen = place.Seen();
  EXPECT_EQ(std::count(seen.begin(), seen.end(), '='), 2'001);
  size_t old = 0;
  for (size_t at = seen.find("=old"); at != std::string::npos; at = seen.find("=old", at + 1)) ++old;
  EXPECT_EQ(old, 1'400u);
  writes = {HeadAt("end", outcome->versions[0])};
  for (int i = 1; i < 2'000; ++i) writes.push_back(Remove("t/0." + std::to_string(i)));
  outcome = place.Commit(std::move(writes));
  ASSERT_TRUE(outcome.ok() && outcome->applied);
  place.Pass();
  EXPECT_EQ(place.Seen(), "s=end t/0.0=new");
  EXPECT_EQ(place.Names().size(), 2u);
}

TEST(FloorStore, RefusesWhatItCannotMake) {
  Place place;
  const auto refused = [&](std::vector<StoreWrite> writes) {
    const Result<StoreCommitted> outcome = place.Commit(std::move(writes));
    return outcome.ok() ? "" : outcome.failure().message;
  };
  EXPECT_NE(refused({Put("t/0.1", "a")}).find("without its own record"), std::string::npos);
  StoreWrite absent = Put("t/0.1", "a");
  absent.condition = StoreCondition::kAbsent;
  EXPECT_NE(refused({HeadAt("1", std::nullopt), absent}).find("a condition on"), std::string::npos);
  StoreWrite due = Put("t/0.1", "a");
  due.due_unix_ns = 1;
  EXPECT_NE(refused({HeadAt("1", std::nullopt), due}).find("a due time"), std::string::npos);
  EXPECT_NE(refused({HeadAt(std::string(65'536, 'x'), std::nullopt)}).find("65536"), std::string::npos);
  EXPECT_TRUE(place.Names().empty());
  // A record that is none of this store's.
  place.memory->Put({kSid, "s"}, "of a plain store");
  EXPECT_NE(place.Seen().find("check sum"), std::string::npos);
}

// ---- Bytes ----

floor::Head SomeHead() {
  floor::Head head;
  head.attempt = {300, 0xfedcba9876543210};
  head.record = "the record";
  head.recent = {{"o/0/0000000000000000", floor::Attempt{2, 5}},
                 {"t/0.1", floor::Attempt{300, 7}},
                 {"t/0.10", std::nullopt},
                 {"t/0.11", floor::Attempt{2, 5}}};
  head.chunks = {{9, 9}, {10, 1}};
  head.work = {{{"i/1", "x"}, false, "bytes"}, {{"i/2", "y"}, true, ""}};
  return head;
}

TEST(FloorHead, IsReadAsItWasWritten) {
  const floor::Head head = SomeHead();
  const std::string bytes = floor::EncodeHead(kHead, head);
  const Result<floor::Head> read = floor::DecodeHead(kHead, bytes);
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(read.value() == head);
  floor::Head placeholder;
  placeholder.attempt = {1, 1};
  EXPECT_TRUE(floor::DecodeHead(kHead, floor::EncodeHead(kHead, placeholder)).value() == placeholder);
  const runtime::record::Key key{kSid, "d/0!1-1"};
  EXPECT_TRUE(floor::DecodeChunk(key, floor::EncodeChunk(key, head.recent)).value() == head.recent);
}

// Every version of the format that was ever written is read for ever.
TEST(FloorHead, HasTheBytesOfVersion1) {
  floor::Head head;
  head.attempt = {2, 0x0102030405060708};
  head.record = "r";
  head.recent = {{"t/0.1", floor::Attempt{2, 0x0102030405060708}}};
  const std::string bytes = floor::EncodeHead(kHead, head);
  const std::string expected = std::string("f\x01\x02\x08\x07\x06\x05\x04\x03\x02\x01\x02r", 13) +
                               std::string("\x01\x02\x08\x07\x06\x05\x04\x03\x02\x01\x01\x00\x05t/0.1\x01", 19) +
                               std::string("\x00\x00", 2);
  EXPECT_EQ(bytes.substr(0, bytes.size() - 4), expected);
}

TEST(FloorHead, DamageIsNoticed) {
  const std::string bytes = floor::EncodeHead(kHead, SomeHead());
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_FALSE(floor::DecodeHead(kHead, damaged).ok()) << i;
    EXPECT_FALSE(floor::DecodeHead(kHead, bytes.substr(0, i)).ok()) << i;
  }
  EXPECT_FALSE(floor::DecodeHead({std::string(26, 'c'), "s"}, bytes).ok());
  EXPECT_FALSE(floor::DecodeChunk(kHead, bytes).ok());
}

TEST(FloorHead, NamesAreInTheOrderOfTheirSortKeys) {
  const floor::Attempt attempt{0x1f, 0xffffffffffffffff};
  EXPECT_EQ(floor::NameOf("t/0.1", attempt), "t/0.1!1f-ffffffffffffffff");
  const auto read = floor::ParseName("t/0.1!1f-ffffffffffffffff");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->sort, "t/0.1");
  EXPECT_EQ(read->attempt, attempt);
  for (const char* wrong : {"t/0.1", "t/0.1!", "t/0.1!1", "t/0.1!-1", "t/0.1!1-", "t/0.1!01-1", "t/0.1!1-g",
                            "t/0.1!1-11111111111111111", "s"}) {
    EXPECT_FALSE(floor::ParseName(wrong).has_value()) << wrong;
  }
  EXPECT_LT(floor::NameOf("t/0", attempt), floor::NameOf("t/0.1", {1, 1}));
  EXPECT_LT(floor::NameOf("t/0.1", attempt), floor::NameOf("t/0.10", {1, 1}));
}

}  // namespace
}  // namespace teal::sim

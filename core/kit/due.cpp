// Due times and expiry. The index of due times may lag by due_staleness_ns: tests wait that long, and a little more.
#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <thread>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/memory.h"
#include "core/kit/options.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

// Due times of tests lie in 1970, before those of any other record of the store, and apart from one another.
constexpr uint64_t kBase = 1'000'000'000;

using Dues = std::map<Key, uint64_t>;

Dues Found(Memory& memory, uint32_t shards, uint64_t until, uint64_t limit) {
  Dues found;
  for (const host::Record& record : memory.DueAll(shards, until, limit))
    found[{record.partition, record.sort}] = record.due_unix_ns;
  return found;
}

std::string Difference(const Dues& got, const Dues& want) {
  for (const auto& [key, due] : want) {
    const auto at = got.find(key);
    if (at == got.end()) return Text(Show(key), " due ", due, " is missing");
    if (at->second != due) return Text(Show(key), " is given with due ", at->second, "; written was ", due);
  }
  for (const auto& [key, due] : got) {
    if (!want.contains(key)) return Text(Show(key), " due ", due, " is given and should not be");
  }
  return {};
}

// Looks again until the index shows `want`, for as long as it may lag.
void Await(Memory& memory, uint32_t shards, uint64_t until, uint64_t limit, const Dues& want, const char* when) {
  const uint64_t deadline =
      Monotonic() + memory.caps().due_staleness_ns + 100'000'000u * static_cast<unsigned>(Given().timeout_factor);
  std::string difference;
  for (;;) {
    const bool last = Monotonic() > deadline;
    difference = Difference(Found(memory, shards, until, limit), want);
    if (difference.empty()) return;
    if (last) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  Fail(when, ", ", static_cast<double>(memory.caps().due_staleness_ns) / 1e9,
       " s (due_staleness_ns) after the commit: ", difference);
}

// What the tests made is taken out of the index again: it would be in the way of the next.
void CleanUp(Memory& memory, const Dues& dues) {
  for (const auto& [key, due] : dues) memory.Must(Delete(key));
}

Dues WriteDues(Memory& memory, int count) {
  Dues dues;
  for (int n = 0; n < count; ++n) {
    const Key key = MakeKey(Text("p", n % 7), Text("s", n));
    const uint64_t due = kBase + static_cast<uint64_t>(n * 7919 % 1009) * 1000 + static_cast<uint64_t>(n % 3);
    memory.Must(Put(key, Text("value ", n), due));
    dues[key] = due;
  }
  return dues;
}

constexpr uint64_t kAll = kBase + 2'000'000;

void KeysAndTimesOnly() {
  Host host;
  Memory memory(host);
  Dues dues = WriteDues(memory, 30);
  const Key never = MakeKey("p0", "never");
  memory.Must(Put(never, "x", 0));
  const Key later = MakeKey("p0", "later");
  memory.Must(Put(later, "x", kAll + 1));
  const Key exact = MakeKey("p0", "exact");
  memory.Must(Put(exact, "x", kAll));
  dues[exact] = kAll;
  Await(memory, 1, kAll, 100, dues, "scan_due with until");
  for (const host::Record& record : memory.DueAll(3, kAll, 100)) {
    Expect(record.value.empty(), "scan_due gives the value ", Show(record.value), " of ",
           Show(Key{record.partition, record.sort}));
    Expect(SameVersion(record.version, kAbsent), "scan_due gives the version ", Show(record.version));
    Expect(record.due_unix_ns <= kAll, "scan_due until ", kAll, " gives a due time of ", record.due_unix_ns);
  }
  dues[later] = kAll + 1;
  CleanUp(memory, dues);
}

void OrderWithinAPage() {
  Host host;
  Memory memory(host);
  const Dues dues = WriteDues(memory, 60);
  // Of the pages only the order counts here: that none is missing is MEM-34.
  const uint64_t lag = memory.caps().due_staleness_ns;
  std::this_thread::sleep_for(std::chrono::nanoseconds(std::min<uint64_t>(lag, 10'000'000'000)));
  for (const uint32_t shards : {1u, 4u}) {
    for (const uint64_t limit : {uint64_t{7}, uint64_t{1000}}) {
      for (uint32_t shard = 0; shard < shards; ++shard) {
        std::string cursor;
        for (int pages = 0; pages < 200; ++pages) {
          Call& call = memory.BeginScanDue(shard, shards, kAll, limit, cursor);
          const Reply& page = call.Wait();
          if (!page.Ok()) break;
          for (std::size_t i = 1; i < page.records.size(); ++i) {
            Expect(page.records[i - 1].due_unix_ns <= page.records[i].due_unix_ns, "a page of ", call.words(),
                   " gives due ", page.records[i - 1].due_unix_ns, " before ", page.records[i].due_unix_ns,
                   ": records ", i - 1, " and ", i);
          }
          if (!page.more) break;
          cursor = page.next;
        }
      }
    }
  }
  CleanUp(memory, dues);
}

void Shards() {
  Host host;
  Memory memory(host);
  const Dues dues = WriteDues(memory, 90);
  Await(memory, 1, kAll, 1000, dues, "one shard");
  for (const uint32_t shards : {1u, 2u, 3u, 7u, 64u, 1024u}) {
    std::map<Key, uint32_t> where;
    for (int round = 0; round < 2; ++round) {
      uint32_t most = 0;
      for (uint32_t shard = 0; shard < shards; ++shard) {
        uint32_t here = 0;
        std::string cursor;
        for (int pages = 0;; ++pages) {
          Call& call = memory.BeginScanDue(shard, shards, kAll, 1000, cursor);
          const Reply& page = call.Wait();
          Expect(page.Ok(), call.words(), " gave ", page.Says());
          for (const host::Record& record : page.records) {
            if (!InSpace(record.partition)) continue;
            const Key key{record.partition, record.sort};
            const auto [at, added] = where.try_emplace(key, shard);
            Expect(at->second == shard, Show(key), " is in shard ", at->second, " and in shard ", shard, " of ",
                   shards);
            ++here;
          }
          if (!page.more || pages > 1000) break;
          cursor = page.next;
        }
        most = std::max(most, here);
      }
      Expect(where.size() == dues.size(), "all ", shards, " shards together give ", where.size(), " of ", dues.size(),
             " keys");
      if (shards == 7)
        Expect(most < dues.size(), "of 7 shards one has all ", dues.size(), " keys: they are not spread");
      if (shards > 64) break;
    }
  }
  CleanUp(memory, dues);
}

void NoneIsOmitted() {
  Host host;
  Memory memory(host);
  Dues dues;
  // Many of one time, so that a page ends among them.
  for (int n = 0; n < 40; ++n) {
    const Key key = MakeKey(Text("p", n % 3), Text("s", n));
    dues[key] = kBase + static_cast<uint64_t>(n / 20);
    memory.Must(Put(key, "x", dues[key]));
  }
  for (const uint64_t limit : {uint64_t{1}, uint64_t{7}, uint64_t{20}, uint64_t{1000}}) {
    Await(memory, 1, kAll, limit, dues, Text("pages of ", limit).c_str());
    Await(memory, 5, kAll, limit, dues, Text("pages of ", limit, " of 5 shards").c_str());
  }
  CleanUp(memory, dues);
}

void MovesAreSeen() {
  Host host;
  Memory memory(host);
  Dues dues = WriteDues(memory, 20);
  Await(memory, 1, kAll, 100, dues, "as first written");
  std::vector<Key> keys;
  for (const auto& [key, due] : dues) keys.push_back(key);
  const auto version_of = [&](const Key& key) { return memory.MustGet(key)->version; };
  memory.Must(Put(keys[0], "x", kBase + 5));
  dues[keys[0]] = kBase + 5;
  memory.Must(Replace(keys[1], "x", version_of(keys[1]), kAll));
  dues[keys[1]] = kAll;
  memory.Must(Put(keys[2], "x", 0));
  dues.erase(keys[2]);
  memory.Must(Put(keys[3], "x", kAll + 10));
  dues.erase(keys[3]);
  memory.Must(Delete(keys[4]));
  dues.erase(keys[4]);
  memory.Must(DeleteIf(keys[5], version_of(keys[5])));
  dues.erase(keys[5]);
  memory.Must(Put(keys[6], "another value", dues[keys[6]]));
  memory.Must(Delete(keys[7]));
  memory.Must(Create(keys[7], "x", kBase + 8));
  dues[keys[7]] = kBase + 8;
  memory.Must(Put(keys[2], "x", kBase + 9));
  dues[keys[2]] = kBase + 9;
  Await(memory, 1, kAll, 100, dues, "after due times moved");
  CleanUp(memory, dues);
  memory.Must(Delete(keys[3]));
  dues.clear();
  Await(memory, 1, kAll, 100, dues, "after all were deleted");
}

void ThereBeforeItExpires() {
  Host host;
  Memory memory(host);
  const uint64_t soon = 3'000'000'000;
  const Key key = MakeKey("p", "s");
  Op op = Put(key, "x");
  op.expires = host.Now() + soon;
  memory.Must(op);
  const Key other = MakeKey("p", "other");
  Op far = Put(other, "x");
  far.expires = host.Now() + 86'400'000'000'000;
  memory.Must(far);
  for (;;) {
    const auto record = memory.MustGet(key);
    const bool scanned = !memory.MustScan(key.partition, key.sort, 1).records.empty();
    if (host.Now() >= op.expires) break;
    if (!record || !scanned)
      Fail(Show(key), " is gone ", (op.expires - host.Now()) / 1'000'000, " ms before it expires");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  if (!memory.MustGet(other)) Fail(Show(other), " is gone a day before it expires");
  // Whatever happens after it: another write is not bound to the old time.
  memory.Must(Put(key, "again"));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const auto record = memory.MustGet(key);
  Expect(record && record->value == "again", Show(key), ", written again without expiry, is gone");
}

constexpr std::array<Test, 6> kTests = {{{"MEM-24", Needs::kMemory, 60, ThereBeforeItExpires},
                                         {"MEM-31", Needs::kMemory, 90, KeysAndTimesOnly},
                                         {"MEM-32", Needs::kMemory, 90, OrderWithinAPage},
                                         {"MEM-33", Needs::kMemory, 120, Shards},
                                         {"MEM-34", Needs::kMemory, 120, NoneIsOmitted},
                                         {"MEM-35", Needs::kMemory, 90, MovesAreSeen}}};

}  // namespace

std::span<const Test> DueTests() {
  return kTests;
}

}  // namespace teal::kit

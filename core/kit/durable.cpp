// What lives longer than an instance and a process.
#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <thread>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/memory.h"
#include "core/kit/options.h"
#include "core/kit/part.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

constexpr uint32_t kWriters = 4;
constexpr int kKills = 6;

Key CounterKey(uint32_t writer, const char* which) {
  return MakeKey(Text("counter", writer), which);
}

// A process that counts up in kWriters records, each with a twin in the same commit, until it is killed. What was
// acknowledged stands in shared memory.
[[noreturn]] void CountUntilKilled() {
  Host host;
  Memory memory(host);
  Shared& shared = SharedMemory();
  const bool twins = memory.caps().commit_ops_max >= 2;
  std::vector<std::thread> writers;
  for (uint32_t w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      for (uint64_t n = shared.numbers[w].load() + 2;; ++n) {
        std::vector<Op> ops = {Put(CounterKey(w, "one"), Text(n))};
        if (twins) ops.push_back(Put(CounterKey(w, "twin"), Text(n)));
        memory.MustAll(ops);
        memory.Must(Put(MakeKey(Text("trail", w), Text(1'000'000 + n)), "x"));
        shared.numbers[w].store(n);
        shared.ready.fetch_add(1);
      }
    });
  }
  for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}

void NeedDurable(const Memory& memory) {
  if (!memory.Has(TEAL_MEMORY_DURABLE)) NotOffered("no TEAL_MEMORY_DURABLE");
}

void SurvivesKill() {
  if (!Given().part.empty()) CountUntilKilled();
  Host host;
  {
    Memory memory(host);
    NeedDurable(memory);
  }
  Shared& shared = SharedMemory();
  std::minstd_rand random(4711);
  for (int kill = 0; kill < kKills; ++kill) {
    shared.ready.store(0);
    const auto part = StartPart("writer");
    AwaitReady(8, *part);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 40'000));
    part->Kill();
    part->Wait(20);
    const std::array<uint64_t, kWriters> acknowledged = {shared.numbers[0].load(), shared.numbers[1].load(),
                                                         shared.numbers[2].load(), shared.numbers[3].load()};
    Memory memory(host);
    const bool twins = memory.caps().commit_ops_max >= 2;
    for (uint32_t w = 0; w < kWriters; ++w) {
      if (acknowledged[w] == 0) continue;
      const auto one = memory.MustGet(CounterKey(w, "one"));
      if (!one)
        Fail("after SIGKILL ", Show(CounterKey(w, "one")), " is absent; ", acknowledged[w], " was acknowledged");
      const uint64_t value = std::strtoull(one->value.c_str(), nullptr, 10);
      Expect(value >= acknowledged[w], "after SIGKILL ", Show(CounterKey(w, "one")), " holds ", value, "; ",
             acknowledged[w], " was acknowledged");
      if (twins) {
        const auto twin = memory.MustGet(CounterKey(w, "twin"));
        Expect(twin && twin->value == one->value, "after SIGKILL the two records of one commit hold ", one->value,
               " and ", twin ? twin->value : "nothing");
      }
      const Key last = MakeKey(Text("trail", w), Text(1'000'000 + acknowledged[w]));
      if (!memory.MustGet(last)) Fail("after SIGKILL ", Show(last), ", which was acknowledged, is absent");
    }
  }
}

void SurvivesClose() {
  Host host;
  auto first = std::make_unique<Memory>(host);
  if (!first->Has(TEAL_MEMORY_DURABLE) && !first->Has(TEAL_MEMORY_SHARED)) NotOffered("neither DURABLE nor SHARED");
  std::vector<Op> ops;
  for (int n = 0; n < 30; ++n)
    ops.push_back(Put(MakeKey("p", Text("s", 100 + n)), Text("value ", n), 1'000 + static_cast<uint64_t>(n)));
  std::vector<teal_version> versions;
  for (const Op& op : ops) versions.push_back(first->Must(op));
  first->Must(Delete(ops[7].key));
  first->Close();
  Memory second(host);
  const auto records = second.ScanAll(Space("p"), "", 100);
  Expect(records.size() == ops.size() - 1, "after close and a new open ", records.size(), " of ", ops.size() - 1,
         " records are there");
  for (std::size_t n = 0; n < ops.size(); ++n) {
    const auto record = second.MustGet(ops[n].key);
    if (n == 7) {
      Expect(!record, "after close and a new open a deleted record is there again");
      continue;
    }
    Expect(record && record->value == ops[n].value && record->due_unix_ns == ops[n].due &&
               SameVersion(record->version, versions[n]),
           "after close and a new open ", Show(ops[n].key),
           " is not as it was: ", record ? Show(record->value) : "absent");
  }
  for (const Op& op : ops) second.Must(Delete(op.key));
}

std::string BlobContent(uint64_t n) {
  std::string content;
  for (uint64_t i = 0; i < 3000; ++i) content += Text("blob ", n, " line ", i, "\n");
  return content;
}
std::string BlobName(uint64_t n) {
  return Space(Text("blob-", n));
}

[[noreturn]] void WriteBlobsUntilKilled() {
  Host host;
  Memory memory(host);
  Shared& shared = SharedMemory();
  for (uint64_t n = shared.numbers[0].load() + 1;; ++n) {
    const std::string content = BlobContent(n);
    const std::size_t half = content.size() / 2;
    memory.MustWriteBlob(BlobName(n), {content.substr(0, half), content.substr(half)});
    shared.numbers[0].store(n);
    shared.ready.fetch_add(1);
  }
}

void BlobsSurviveKill() {
  if (!Given().part.empty()) WriteBlobsUntilKilled();
  Host host;
  {
    Memory memory(host);
    NeedDurable(memory);
    if (!memory.Has(TEAL_MEMORY_BLOBS)) NotOffered("no TEAL_MEMORY_BLOBS");
  }
  Shared& shared = SharedMemory();
  std::minstd_rand random(99);
  for (int kill = 0; kill < kKills; ++kill) {
    shared.ready.store(0);
    const auto part = StartPart("writer");
    AwaitReady(3, *part);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 40'000));
    part->Kill();
    part->Wait(20);
    Memory memory(host);
    const uint64_t acknowledged = shared.numbers[0].load();
    for (uint64_t n = acknowledged > 20 ? acknowledged - 20 : 1; n <= acknowledged + 2; ++n) {
      Call& call = memory.BeginBlobGet(BlobName(n), 0, uint64_t{1} << 30);
      const Reply& reply = call.Wait();
      if (reply.code == TEAL_NOT_FOUND && n > acknowledged) continue;
      Expect(reply.Ok(), "after SIGKILL ", call.words(), " gave ", reply.Says(), "; blobs up to ", acknowledged,
             " were acknowledged");
      Expect(reply.bytes == BlobContent(n), "after SIGKILL blob ", n, " has ", reply.bytes.size(), " bytes of ",
             BlobContent(n).size(), ", or others; blobs up to ", acknowledged, " were acknowledged");
    }
  }
}

constexpr std::array<Test, 3> kTests = {{{"MEM-21", Needs::kMemory, 180, SurvivesKill},
                                         {"MEM-36", Needs::kMemory, 60, SurvivesClose},
                                         {"BLOB-7", Needs::kMemory, 180, BlobsSurviveKill}}};

}  // namespace

std::span<const Test> DurableTests() {
  return kTests;
}

}  // namespace teal::kit

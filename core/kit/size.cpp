// Limits: what caps allows works, one more is refused with words; bytes of every value.
#include <algorithm>
#include <array>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/memory.h"
#include "core/kit/subject.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

// A plugin may name limits far beyond what a test should write: these bound what is tried.
constexpr uint64_t kKeyTried = 64 * 1024;
constexpr uint64_t kBytesTried = 64u * 1024 * 1024;
constexpr uint64_t kOpsTried = 20'000;

std::string Filled(uint64_t size, char byte) {
  return std::string(static_cast<std::size_t>(size), byte);
}

// A part of exactly `size` bytes, in this test's space.
std::string PartOf(uint64_t size, char byte) {
  std::string part = Space("");
  part.resize(static_cast<std::size_t>(size), byte);
  return part;
}

void ExpectHolds(Memory& memory, const Op& op) {
  const auto record = memory.MustGet(op.key);
  if (!record) Fail(Show(op.key), " was written and is absent");
  if (record->value != op.value) {
    const auto at = std::mismatch(op.value.begin(), op.value.end(), record->value.begin(), record->value.end()).first;
    Fail(Show(op.key), " of ", op.value.size(), " bytes was read as ", record->value.size(),
         " bytes, which differ from byte ", at - op.value.begin());
  }
}

void AtTheLimits() {
  Host host;
  Memory memory(host);
  const teal_memory_caps& caps = memory.caps();
  const uint64_t key_size = std::min(caps.key_bytes_max, kKeyTried);
  const uint64_t value_size = std::min(caps.value_bytes_max, kBytesTried);
  for (const Op& op : {Put({PartOf(key_size, 'p'), "s"}, "x"), Put({Space("p"), Filled(key_size, 's')}, "x"),
                       Put({PartOf(key_size, 'p'), Filled(key_size, 's')}, Filled(value_size, '\xc3'))}) {
    memory.Must(op);
    ExpectHolds(memory, op);
    Expect(memory.ScanAll(op.key.partition, op.key.sort, 10).size() == 1, "a scan does not give ", Show(op.key));
  }
  // As many operations as there may be, and as many bytes in them as there may be.
  const uint64_t count = std::min(caps.commit_ops_max, kOpsTried);
  std::vector<Op> ops;
  uint64_t bytes = 0;
  for (uint64_t n = 0; n < count; ++n) {
    Op op = Put(MakeKey("many", Text("s", n)), "x");
    const uint64_t size = op.key.partition.size() + op.key.sort.size() + op.value.size();
    if (bytes + size > caps.commit_bytes_max) break;
    bytes += size;
    ops.push_back(std::move(op));
  }
  for (Op& op : ops) {
    const uint64_t room =
        std::min(caps.commit_bytes_max, kBytesTried) - std::min(bytes, std::min(caps.commit_bytes_max, kBytesTried));
    const uint64_t more = std::min(room, value_size - op.value.size());
    op.value.resize(static_cast<std::size_t>(op.value.size() + more), 'y');
    bytes += more;
  }
  memory.MustAll(ops);
  for (const std::size_t n : {std::size_t{0}, ops.size() / 2, ops.size() - 1}) ExpectHolds(memory, ops[n]);
  const uint64_t keys = std::min({caps.get_keys_max, kOpsTried, uint64_t{ops.size()}});
  std::vector<Key> asked;
  for (uint64_t n = 0; n < keys; ++n) asked.push_back(ops[static_cast<std::size_t>(n)].key);
  Expect(memory.MustGetAll(asked).size() == keys, "a get of ", keys, " keys does not give all of them");
}

void ExpectTooLarge(Memory& memory, Call& call, const char* what, const std::vector<Key>& keys) {
  const Reply& reply = call.Wait();
  Expect(reply.code == TEAL_TOO_LARGE, what, " over its limit: ", Text(call.words()).substr(0, 300), " gave ",
         reply.Says(), ", not TOO_LARGE");
  if (reply.returned != TEAL_OK) return;  // CALL-4 judges that
  Expect(reply.message.size() >= 8, what, " over its limit gives the words ", Show(reply.message));
  for (const Key& key : keys) {
    if (memory.MustGet(key)) Fail(what, " over its limit is TOO_LARGE, and ", Show(key), " was written");
  }
}

void OneOver() {
  Host host;
  Memory memory(host);
  const teal_memory_caps& caps = memory.caps();
  const Key good = MakeKey("p", "good");
  if (caps.key_bytes_max < kKeyTried) {
    ExpectTooLarge(memory, memory.BeginCommit({Put({PartOf(caps.key_bytes_max + 1, 'p'), "s"}, "x")}), "a partition",
                   {});
    ExpectTooLarge(memory, memory.BeginCommit({Put({Space("p"), Filled(caps.key_bytes_max + 1, 's')}, "x")}),
                   "a sort part", {});
    ExpectTooLarge(memory, memory.BeginGet({{Space("p"), Filled(caps.key_bytes_max + 1, 's')}}), "a key of a get", {});
  }
  if (caps.value_bytes_max < kBytesTried) {
    ExpectTooLarge(memory, memory.BeginCommit({Put(good, Filled(caps.value_bytes_max + 1, 'v'))}), "a value", {good});
  }
  const auto many = [&](uint64_t count) {
    std::vector<Op> ops;
    for (uint64_t n = 0; n < count; ++n) ops.push_back(Put(MakeKey("many", Text("s", n)), "x"));
    return ops;
  };
  if (caps.commit_ops_max < kOpsTried) {
    const auto ops = many(caps.commit_ops_max + 1);
    ExpectTooLarge(memory, memory.BeginCommit(ops), "the operations of a commit", {ops.front().key, ops.back().key});
  }
  if (caps.commit_ops_max >= 2 && caps.commit_bytes_max < kBytesTried) {
    std::vector<Op> ops =
        many(std::min<uint64_t>(caps.commit_ops_max, caps.commit_bytes_max / caps.value_bytes_max + 2));
    uint64_t bytes = 0;
    for (const Op& op : ops) bytes += op.key.partition.size() + op.key.sort.size() + op.value.size();
    for (Op& op : ops) {
      const uint64_t more =
          std::min(caps.commit_bytes_max + 1 - std::min(bytes, caps.commit_bytes_max + 1), caps.value_bytes_max - 1);
      op.value.resize(static_cast<std::size_t>(1 + more), 'v');
      bytes += more;
    }
    if (bytes == caps.commit_bytes_max + 1) {
      ExpectTooLarge(memory, memory.BeginCommit(ops), "the bytes of a commit", {ops.front().key, ops.back().key});
    }
  }
  if (caps.get_keys_max < kOpsTried) {
    std::vector<Key> keys;
    for (uint64_t n = 0; n <= caps.get_keys_max; ++n) keys.push_back(MakeKey("many", Text("s", n)));
    ExpectTooLarge(memory, memory.BeginGet(keys), "the keys of a get", {});
  }
}

void EveryByteInKeys() {
  Host host;
  Memory memory(host);
  std::vector<Op> ops;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string one(1, static_cast<char>(byte));
    ops.push_back(Put(MakeKey("sorts", one), Text("sort ", byte)));
    ops.push_back(Put(MakeKey("sorts", "in" + one + "side"), Text("inside ", byte)));
    ops.push_back(Put(MakeKey("partition" + one, "s"), Text("partition ", byte)));
  }
  // Split at another place, the bytes are the same.
  for (const auto& [partition, sort] : {std::pair<std::string, std::string>("x", "yz"),
                                        {"xy", "z"},
                                        {std::string("x\0", 2), "y"},
                                        {"x", std::string("\0y", 2)},
                                        {std::string("x\0\1", 3), "y"},
                                        {std::string("x\0", 2), "\1y"},
                                        {"x/", "y"},
                                        {"x", "/y"},
                                        {"x#", "y"},
                                        {"x", "#y"}}) {
    ops.push_back(Put(MakeKey(partition, sort), Show(partition) + Show(sort)));
  }
  for (const Op& op : ops) memory.Must(op);
  for (const Op& op : ops) {
    const auto record = memory.MustGet(op.key);
    if (!record) Fail(Show(op.key), " was written and is absent");
    Expect(record->value == op.value, Show(op.key), " holds ", Show(record->value), ", written was ", Show(op.value));
    Expect(record->partition == op.key.partition && record->sort == op.key.sort, "a get of ", Show(op.key),
           " gave the key ", Show(Key{record->partition, record->sort}));
  }
  const auto all = memory.ScanAll(Space("sorts"), "", 100);
  Expect(all.size() == 512, "a scan over keys with every byte value gives ", all.size(), " of 512 records");
}

void EveryByteInValues() {
  Host host;
  Memory memory(host);
  std::string every;
  for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
  const std::string zeros(300, '\0');
  int n = 0;
  for (const std::string& value :
       {std::string(), every, zeros, std::string(1, '\0'), std::string(" \n"), every + every}) {
    const Op op = Put(MakeKey("p", Text("s", n++)), value);
    memory.Must(op);
    ExpectHolds(memory, op);
    const Reply& page = memory.MustScan(op.key.partition, op.key.sort, 2);
    Expect(page.records.size() == 1 && page.records[0].value == value, "a scan does not give the value ", Show(value),
           " as written");
  }
}

constexpr std::array<Test, 4> kTests = {{{"MEM-17", Needs::kMemory, 120, AtTheLimits},
                                         {"MEM-18", Needs::kMemory, 120, OneOver},
                                         {"MEM-19", Needs::kMemory, 60, EveryByteInKeys},
                                         {"MEM-20", Needs::kMemory, 60, EveryByteInValues}}};

}  // namespace

std::span<const Test> SizeTests() {
  return kTests;
}

}  // namespace teal::kit

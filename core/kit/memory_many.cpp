// Commits of several operations, and gets of several keys.
#include <algorithm>
#include <array>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/memory.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

// How many operations the tests put into one commit.
uint64_t Width(const Memory& memory) {
  return std::min<uint64_t>(memory.caps().commit_ops_max, 8);
}

void NeedMany(const Memory& memory) {
  if (memory.caps().commit_ops_max < 2) NotOffered("commit_ops_max is 1");
}

Key Nth(const std::string& group, uint64_t n) {
  // Keys of two partitions: one commit may span them.
  return MakeKey(n % 2 == 0 ? "even" : "odd", Text(group, "-", n));
}

// Operations that all hold, of every kind and condition in turn, on keys of `group`. Makes the records they need.
std::vector<Op> Holding(Memory& memory, const std::string& group, uint64_t width) {
  std::vector<Op> ops;
  for (uint64_t n = 0; n < width; ++n) {
    const Key key = Nth(group, n);
    switch (n % 6) {
      case 0:
        ops.push_back(Create(key, "created"));
        break;
      case 1:
        ops.push_back(Replace(key, "replaced", memory.Must(Put(key, "before"))));
        break;
      case 2:
        ops.push_back(Check(key, memory.Must(Put(key, "checked"))));
        break;
      case 3:
        ops.push_back(DeleteIf(key, memory.Must(Put(key, "to go"))));
        break;
      case 4:
        ops.push_back(CheckAbsent(key));
        break;
      default:
        ops.push_back(Put(key, "put"));
        break;
    }
  }
  return ops;
}

// The same operation with a condition that does not hold.
Op Broken(const Op& op) {
  Op broken = op;
  teal_version wrong{};
  std::fill(std::begin(wrong.opaque), std::end(wrong.opaque), uint8_t{0x77});
  broken.expected = wrong;
  broken.condition = TEAL_IF_VERSION;
  return broken;
}

std::vector<std::optional<host::Record>> Now(Memory& memory, const std::vector<Op>& ops) {
  std::vector<std::optional<host::Record>> records;
  records.reserve(ops.size());
  for (const Op& op : ops) records.push_back(memory.MustGet(op.key));
  return records;
}

bool Same(const std::optional<host::Record>& a, const std::optional<host::Record>& b) {
  if (a.has_value() != b.has_value()) return false;
  return !a || (a->value == b->value && SameVersion(a->version, b->version));
}

void ConflictNamesItsOperation() {
  Host host;
  Memory memory(host);
  const uint64_t width = Width(memory);
  for (uint64_t at = 0; at < width; ++at) {
    std::vector<Op> ops = Holding(memory, Text("index", at), width);
    ops[at] = Broken(ops[at]);
    Call& call = memory.BeginCommit(ops);
    const Reply& reply = call.Wait();
    if (reply.code != TEAL_CONFLICT) continue;  // MEM-4 and MEM-11 judge that
    Expect(reply.failed_op == at, call.words(), ": operation ", at, " does not hold; failed_op is ", reply.failed_op);
  }
}

void EveryConditionCounts() {
  Host host;
  Memory memory(host);
  NeedMany(memory);
  const uint64_t width = Width(memory);
  for (uint64_t count = 2; count <= width; ++count) {
    for (uint64_t at = 0; at < count; ++at) {
      std::vector<Op> ops = Holding(memory, Text("each", count, "-", at), count);
      ops[at] = Broken(ops[at]);
      Call& call = memory.BeginCommit(ops);
      const Reply& reply = call.Wait();
      Expect(reply.code == TEAL_CONFLICT, "the condition of operation ", at, " of ", count,
             " was dropped: ", call.words(), " gave ", reply.Says());
    }
  }
}

void AllOrNothing() {
  Host host;
  Memory memory(host);
  NeedMany(memory);
  const uint64_t width = Width(memory);
  for (uint64_t at = 0; at < width; ++at) {
    std::vector<Op> ops = Holding(memory, Text("whole", at), width);
    ops[at] = Broken(ops[at]);
    const auto before = Now(memory, ops);
    Call& call = memory.BeginCommit(ops);
    const Reply& reply = call.Wait();
    if (reply.Ok()) continue;  // MEM-11 judges that
    const auto after = Now(memory, ops);
    for (uint64_t n = 0; n < width; ++n) {
      if (!Same(before[n], after[n])) {
        Fail(call.words(), " gave ", reply.Says(), ", and operation ", n, " was applied: ", Show(ops[n]));
      }
    }
  }
  const std::vector<Op> ops = Holding(memory, "all", width);
  memory.MustAll(ops);
  const auto after = Now(memory, ops);
  for (uint64_t n = 0; n < width; ++n) {
    const Op& op = ops[n];
    if (op.kind == TEAL_PUT && (!after[n] || after[n]->value != op.value)) Fail("not applied of many: ", Show(op));
    if (op.kind == TEAL_DELETE && after[n]) Fail("not applied of many: ", Show(op));
  }
}

void VersionsOfEach() {
  Host host;
  Memory memory(host);
  const uint64_t width = Width(memory);
  for (uint64_t first = 0; first < 6; ++first) {
    // With single operations only, each kind in turn.
    std::vector<Op> ops = Holding(memory, Text("versions", first), width > 1 ? width : first + 1);
    if (width == 1) ops = {ops.back()};
    const auto before = Now(memory, ops);
    const std::vector<teal_version> versions = memory.MustAll(ops);
    const auto after = Now(memory, ops);
    for (std::size_t n = 0; n < ops.size(); ++n) {
      const teal_version is = after[n] ? after[n]->version : kAbsent;
      Expect(SameVersion(versions[n], is), "the commit gave version ", Show(versions[n]), " for ", Show(ops[n]),
             "; the record has ", Show(is));
      if (ops[n].kind == TEAL_PUT && before[n]) {
        Expect(!SameVersion(before[n]->version, versions[n]), "the version did not change with ", Show(ops[n]));
      }
    }
    if (width > 1) break;
  }
}

void GetsInOrder() {
  Host host;
  Memory memory(host);
  const uint64_t most = std::min<uint64_t>(memory.caps().get_keys_max, 200);
  std::vector<Key> keys;
  for (uint64_t n = 0; n < most; ++n) {
    // An order that no index has.
    const Key key = MakeKey(Text("partition", n * 7 % 5), Text("sort", (n * 37 + 11) % most));
    keys.push_back(key);
    if (n % 3 != 2) memory.Must(Put(key, Text("value ", n)));
  }
  for (const uint64_t count : {uint64_t{1}, std::min<uint64_t>(most, 2), std::min<uint64_t>(most, 7), most}) {
    const std::vector<Key> asked(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(count));
    Call& call = memory.BeginGet(asked);
    const Reply& reply = call.Wait();
    Expect(reply.Ok(), call.words(), " gave ", reply.Says());
    Expect(!reply.more, call.words(), " says more");
    std::size_t at = 0;
    for (uint64_t n = 0; n < count; ++n) {
      if (n % 3 == 2) continue;
      if (at == reply.records.size()) Fail(call.words(), " lacks ", Show(asked[n]));
      const host::Record& record = reply.records[at++];
      Expect(record.partition == asked[n].partition && record.sort == asked[n].sort, call.words(), " gave ",
             Show(Key{record.partition, record.sort}), " where ", Show(asked[n]), " was to come");
      Expect(record.value == Text("value ", n), Show(asked[n]), " holds ", Show(record.value));
    }
    Expect(at == reply.records.size(), call.words(), " gave ", reply.records.size(), " records, ", at, " exist");
  }
}

constexpr std::array<Test, 5> kTests = {{{"MEM-8", Needs::kMemory, 60, ConflictNamesItsOperation},
                                         {"MEM-9", Needs::kMemory, 60, VersionsOfEach},
                                         {"MEM-10", Needs::kMemory, 60, AllOrNothing},
                                         {"MEM-11", Needs::kMemory, 60, EveryConditionCounts},
                                         {"MEM-16", Needs::kMemory, 60, GetsInOrder}}};

}  // namespace

std::span<const Test> MemoryManyTests() {
  return kTests;
}

}  // namespace teal::kit

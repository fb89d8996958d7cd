// A load whose every step follows from (caller, number): what a caller's records look like after n of its commits is
// known without having seen them. A commit writes one to four records and a counter; so a store that is opened after
// a crash must show each caller at exactly one number, with nothing half applied.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/plugins/plugin_under_test.hpp"

namespace teal::tests {

inline uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u;
  return x ^ (x >> 33);
}

struct Expected {
  std::string value;
  uint64_t due = 0;
};
using State = std::map<std::string, Expected>;  // by sort part

struct Step {
  struct Change {
    std::string sort;
    bool remove = false;
    Expected to;
  };
  std::vector<Change> changes;  // the counter is the first
};

inline std::string PartitionOf(uint64_t caller) {
  return std::string("caller\0", 7) + std::to_string(caller);
}

inline Step StepOf(uint64_t caller, uint64_t number) {
  Step step;
  step.changes.push_back({"n", false, {std::to_string(number), 0}});
  const uint64_t seed = Mix(caller * 1'000'003 + number);
  const uint64_t first = seed % 6;
  for (uint64_t i = 0; i < 1 + seed / 6 % 4; ++i) {
    const uint64_t random = Mix(seed + i);
    Step::Change change;
    change.sort = "key" + std::to_string((first + i) % 6);
    change.remove = random % 5 == 0;
    if (!change.remove) {
      change.to.value = std::to_string(number) + std::string(10 + random / 5 % 590, static_cast<char>(random >> 40));
      change.to.due = random % 3 == 0 ? 0 : 1'000'000'000 + random % 1'000'000;
    }
    step.changes.push_back(change);
  }
  return step;
}

inline void Apply(const Step& step, State& state) {
  for (const Step::Change& change : step.changes) {
    if (change.remove) {
      state.erase(change.sort);
    } else {
      state[change.sort] = change.to;
    }
  }
}

inline State StateAfter(uint64_t caller, uint64_t number) {
  State state;
  for (uint64_t n = 1; n <= number; ++n) Apply(StepOf(caller, n), state);
  return state;
}

// Commits step `number`. `counter` is the version of the counter's record, zero before the first; it is renewed.
inline host::CommitResult Commit(const host::Memory& memory, uint64_t caller, uint64_t number, teal_version& counter) {
  const Step step = StepOf(caller, number);
  const std::string partition = PartitionOf(caller);
  std::vector<host::Op> ops;
  for (const Step::Change& change : step.changes) {
    host::Op op;
    op.kind = change.remove ? TEAL_DELETE : TEAL_PUT;
    op.partition = partition;
    op.sort = change.sort;
    op.value = change.to.value;
    op.due_unix_ns = change.to.due;
    ops.push_back(op);
  }
  ops[0].condition = SameVersion(counter, kAbsent) ? TEAL_IF_ABSENT : TEAL_IF_VERSION;
  ops[0].expected = counter;
  host::CommitResult result = memory.CommitNow(ops);
  if (result.error.Ok()) counter = result.versions[0];
  return result;
}

// The number the store shows for a caller, or an error in `wrong`. `counter` gets the version of its counter.
inline uint64_t NumberOf(const host::Memory& memory, uint64_t caller, teal_version& counter, std::string& wrong) {
  const auto page = memory.GetNow(PartitionOf(caller), "n");
  if (!page.error.Ok()) {
    wrong = "cannot read: " + page.error.message;
    return 0;
  }
  counter = page.records.empty() ? kAbsent : page.records[0].version;
  return page.records.empty() ? 0 : std::stoull(page.records[0].value);
}

// Whether the store shows exactly `number` commits of each caller: records, and the index of due times, both ways.
inline std::string Check(const host::Memory& memory, uint64_t caller, const State& expected) {
  const std::string partition = PartitionOf(caller);
  std::map<std::string, host::Record> seen;
  std::string cursor;
  do {
    const auto page = memory.ScanNow(partition, {}, 3, cursor);
    if (!page.error.Ok()) return "cannot scan: " + page.error.message;
    for (const host::Record& record : page.records) seen[record.sort] = record;
    cursor = page.more ? page.next : std::string();
  } while (!cursor.empty());
  if (seen.size() != expected.size()) {
    return std::to_string(seen.size()) + " records, not " + std::to_string(expected.size());
  }
  for (const auto& [sort, record] : expected) {
    const auto at = seen.find(sort);
    if (at == seen.end() || at->second.value != record.value || at->second.due_unix_ns != record.due) {
      return "the record " + sort + " is not what was written";
    }
  }
  return {};
}

inline std::string CheckDue(const host::Memory& memory, uint64_t callers, const std::map<uint64_t, State>& states) {
  std::map<std::pair<std::string, std::string>, uint64_t> wanted;
  for (uint64_t caller = 0; caller < callers; ++caller) {
    for (const auto& [sort, record] : states.at(caller)) {
      if (record.due != 0) wanted[{PartitionOf(caller), sort}] = record.due;
    }
  }
  std::size_t count = 0;
  std::string cursor;
  uint64_t last = 0;
  do {
    const auto page = memory.ScanDueNow(0, 1, ~uint64_t{0}, 5, cursor);
    if (!page.error.Ok()) return "cannot scan what is due: " + page.error.message;
    for (const host::Record& record : page.records) {
      const auto at = wanted.find({record.partition, record.sort});
      if (at == wanted.end() || at->second != record.due_unix_ns) return "due that should not be: " + record.sort;
      if (record.due_unix_ns < last) return "what is due is out of order";
      last = record.due_unix_ns;
      ++count;
    }
    cursor = page.more ? page.next : std::string();
  } while (!cursor.empty());
  return count == wanted.size() ? "" : "not all that is due is given";
}

inline std::string BlobName(uint64_t number) {
  return "caller\xff/blob" + std::to_string(number);
}
inline std::string BlobContent(uint64_t number) {
  std::string content;
  const uint64_t size = Mix(number) % 5 == 0 ? 70'000 + Mix(number) % 70'000 : Mix(number) % 3000;
  while (content.size() < size) content += std::to_string(Mix(number + content.size()));
  content.resize(size);
  return content;
}

}  // namespace teal::tests

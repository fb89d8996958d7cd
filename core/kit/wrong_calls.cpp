#include "core/kit/wrong_calls.h"

namespace teal::kit {

std::vector<Call*> WrongCalls(const MemoryView& memory) {
  const Key key = MakeKey("wrong", "s");
  teal_version some{};
  some.opaque[0] = 1;
  std::vector<Call*> calls;
  const auto commit = [&](const Op& op) { calls.push_back(&memory.BeginCommit({op})); };
  const auto changed = [&](Op op, auto&& change) {
    change(op);
    commit(op);
  };
  changed(Put(key, "x"), [](Op& op) { op.kind = 0; });
  changed(Put(key, "x"), [](Op& op) { op.kind = 9; });
  changed(Put(key, "x"), [](Op& op) { op.condition = 3; });
  changed(Put(key, "x"), [&](Op& op) { op.expected = some; });
  changed(Create(key, "x"), [&](Op& op) { op.expected = some; });
  changed(Delete(key), [](Op& op) { op.value = "x"; });
  changed(Delete(key), [](Op& op) { op.due = 1; });
  changed(Delete(key), [](Op& op) { op.expires = 1; });
  changed(CheckAbsent(key), [](Op& op) { op.condition = TEAL_IF_ANY; });
  changed(CheckAbsent(key), [](Op& op) { op.value = "x"; });
  changed(CheckAbsent(key), [](Op& op) { op.due = 1; });
  commit(Put({key.partition, ""}, "x"));
  commit(Put({"", "s"}, "x"));
  if (memory.caps().commit_ops_max >= 2) calls.push_back(&memory.BeginCommit({Put(key, "x"), Put(key, "y")}));
  CallSpec flagged;
  flagged.flags = 0x40;
  calls.push_back(&memory.BeginCommit({Put(key, "x")}, flagged));
  calls.push_back(&memory.BeginGet({key}, flagged));
  calls.push_back(&memory.BeginGet({{key.partition, ""}}));
  calls.push_back(&memory.BeginScan(key.partition, "", 1, {}, flagged));
  calls.push_back(&memory.BeginScan(key.partition, "", 0));
  calls.push_back(&memory.BeginScan("", "", 1));
  calls.push_back(&memory.BeginScanDue(0, 0, 1, 1));
  calls.push_back(&memory.BeginScanDue(2, 2, 1, 1));
  calls.push_back(&memory.BeginScanDue(0, 1025, 1, 1));
  calls.push_back(&memory.BeginScanDue(0, 1, 1, 0));
  if (memory.Has(TEAL_MEMORY_BLOBS)) calls.push_back(&memory.BeginBlobOpen(""));
  return calls;
}

}  // namespace teal::kit

#include "core/kit/tour.h"

#include <algorithm>
#include <memory>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/call.h"
#include "core/kit/input.h"
#include "core/kit/memory.h"
#include "core/kit/options.h"
#include "core/kit/subject.h"
#include "core/kit/text.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

void TourRecords(const MemoryView& memory, int round, const CallSpec& spec) {
  const auto wait = [](Call& call) -> const Reply& { return call.Wait(); };
  const Key key = MakeKey("tour", Text("s", round));
  const Key other = MakeKey("tour", Text("t", round));
  CallSpec named = spec;
  named.idempotency_key = Text("tour-", round, "-", spec.numbered);
  const Reply& put = wait(memory.BeginCommit({Put(key, "value", 1'000)}, named));
  wait(memory.BeginCommit({Create(key, "in the way")}, spec));
  wait(memory.BeginCommit({Put(other, "")}, spec));
  if (!put.versions.empty()) wait(memory.BeginCommit({Check(key, put.versions[0])}, spec));
  if (memory.caps().commit_ops_max >= 2) wait(memory.BeginCommit({Put(key, "two"), Delete(other)}, spec));
  wait(memory.BeginGet({key}, spec));
  wait(memory.BeginGet({MakeKey("tour", "absent")}, spec));
  const Reply& page = wait(memory.BeginScan(key.partition, "", 1, {}, spec));
  if (page.more) wait(memory.BeginScan(key.partition, "", 1, page.next, spec));
  wait(memory.BeginScanDue(0, 2, 2'000, 5, {}, spec));
  wait(memory.BeginCommit({Delete(key)}, spec));
  wait(memory.BeginCommit({Delete(other)}, spec));
}

void TourBlobs(const MemoryView& memory, int round) {
  const std::string name = Space(Text("tour blob ", round));
  const uint64_t handle = memory.BeginBlobOpen(name).Wait().handle;
  memory.BeginBlobWrite(handle, "first piece, ").Wait();
  memory.BeginBlobWrite(handle, "second piece").Wait();
  memory.BeginBlobCommit(handle).Wait();
  memory.BeginBlobGet(name, 3, 7).Wait();
  memory.BeginBlobDelete(name).Wait();
  const uint64_t dropped = memory.BeginBlobOpen(name).Wait().handle;
  memory.table().blob_abort(memory.instance(), dropped);
}

void TEAL_CALL IgnoreChange(void*, teal_key) {}
void TEAL_CALL IgnoreItem(void*, const teal_item*) {}

void TourWatch(const MemoryView& memory) {
  uint64_t id = 0;
  Inputs inputs;
  if (memory.table().watch(memory.instance(), inputs.Bytes(Space("tour")), &IgnoreChange, nullptr, &id) != TEAL_OK)
    return;
  memory.BeginCommit({Put(MakeKey("tour", "watched"), "x")}).Wait();
  memory.table().unwatch(memory.instance(), id);
}

void TourThreads(Instance& instance, int round) {
  const teal_threads& table = *Tested().threads;
  teal_threads_caps caps{};
  caps.struct_size = sizeof caps;
  table.caps(instance.handle(), &caps);
  Call& dispatch = NewCall("dispatch", Gives::kNothing);
  teal_item item{};
  item.id = dispatch.inputs().Bytes(Space(Text("tour item ", round)));
  item.lane = dispatch.inputs().Bytes("lane");
  item.payload = dispatch.inputs().Bytes("payload");
  const teal_item* placed = dispatch.inputs().Array(std::span<const teal_item>(&item, 1));
  dispatch.Begin([&](const teal_call* call) { return table.dispatch(instance.handle(), call, placed, 1); });
  dispatch.Wait();
  if (table.consume(instance.handle(), &IgnoreItem, nullptr) == TEAL_OK) table.stop_consuming(instance.handle());
  Call& settle = NewCall("settle", Gives::kNothing);
  settle.Begin([&](const teal_call* call) { return table.settle(instance.handle(), call, 0xdead, TEAL_ACK, 0); });
  settle.Wait();
}

}  // namespace

void Tour(Instance& instance, const TourSpec& spec) {
  CallSpec call;
  call.numbered = spec.numbered;
  for (int round = 0; round < spec.rounds; ++round) {
    if (Tested().memory != nullptr) {
      const MemoryView memory(instance);
      TourRecords(memory, round, call);
      if (memory.Has(TEAL_MEMORY_BLOBS)) TourBlobs(memory, round);
      if (memory.Has(TEAL_MEMORY_WATCH)) TourWatch(memory);
    }
    if (Tested().threads != nullptr) TourThreads(instance, round);
  }
}

}  // namespace teal::kit

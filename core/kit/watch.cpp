// Watches: may lose and merge, but not for ever; never of other keys; silent after unwatch.
#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/memory.h"
#include "core/kit/options.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

// What a `changed` was called with. Lives for ever: a call that comes late is seen, not a crash.
struct Watcher {
  std::mutex mutex;
  std::vector<Key> keys;  // guarded by mutex
  std::atomic<uint64_t> calls{0};

  static void TEAL_CALL Changed(void* ctx, teal_key key) {
    auto* self = static_cast<Watcher*>(ctx);
    const std::lock_guard lock(self->mutex);
    self->keys.push_back({Copy(key.partition), Copy(key.sort)});
    self->calls.fetch_add(1);
  }
};

uint64_t MustWatch(Memory& memory, const std::string& prefix, Watcher& watcher) {
  Inputs inputs;
  uint64_t id = 0;
  const teal_status status =
      memory.table().watch(memory.instance(), inputs.Bytes(prefix), &Watcher::Changed, &watcher, &id);
  Note("watch ", Show(prefix), " -> ", StatusName(status), ", id ", id);
  Expect(status == TEAL_OK, "watch gave ", StatusName(status));
  return id;
}

void NeedWatch(const Memory& memory) {
  if (!memory.Has(TEAL_MEMORY_WATCH)) NotOffered("no TEAL_MEMORY_WATCH");
}

// Changes keys under the prefix again and again until the watcher hears of one.
void ChangeUntilHeard(Memory& writer, const std::string& partition, Watcher& watcher, const char* who) {
  const uint64_t before = watcher.calls.load();
  const int turns = 100 * Given().timeout_factor;
  for (int n = 0; n < turns; ++n) {
    writer.Must(Put(MakeKey(partition, "s"), Text("value ", n)));
    for (int wait = 0; wait < 10; ++wait) {
      if (watcher.calls.load() != before) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  Fail("after ", turns, " changes in 10 s by ", who, " `changed` was not called once");
}

void ChangesAreTold() {
  Host host;
  Memory memory(host);
  NeedWatch(memory);
  auto& watcher = *new Watcher;
  const uint64_t id = MustWatch(memory, Space("seen"), watcher);
  ChangeUntilHeard(memory, "seen 1", watcher, "the same instance");
  // Each kind of change.
  const Key key = MakeKey("seen 2", "s");
  memory.Must(Delete(MakeKey("seen 1", "s")));
  memory.Must(Create(key, "x", 5));
  memory.Must(Delete(key));
  if (memory.Has(TEAL_MEMORY_SHARED)) {
    Memory other(host);
    ChangeUntilHeard(other, "seen 3", watcher, "another instance");
  }
  memory.table().unwatch(memory.instance(), id);
}

void NothingElseIsTold() {
  Host host;
  Memory memory(host);
  NeedWatch(memory);
  auto& narrow = *new Watcher;
  auto& wide = *new Watcher;
  const std::string prefix = Space("seen/");
  const uint64_t first = MustWatch(memory, prefix, narrow);
  const uint64_t second = MustWatch(memory, Space(""), wide);
  Expect(first != second, "two watches have the id ", first);
  for (int n = 0; n < 20; ++n) {
    memory.Must(Put(MakeKey("see", "n/x"), "x"));
    memory.Must(Put(MakeKey("seen", "/x"), "x"));
    memory.Must(Put(MakeKey("other", "seen/"), "x"));
  }
  ChangeUntilHeard(memory, "seen/yes", narrow, "the same instance");
  const std::lock_guard lock(narrow.mutex);
  for (const Key& key : narrow.keys) {
    if (key.partition.empty() && key.sort.empty()) continue;
    Expect(key.partition.starts_with(prefix), "a watch of ", Show(prefix), " was told of ", Show(key));
  }
  memory.table().unwatch(memory.instance(), first);
  memory.table().unwatch(memory.instance(), second);
}

void SilentAfterUnwatch() {
  Host host;
  Memory memory(host);
  NeedWatch(memory);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int n = 0; !stop.load(); ++n) memory.Must(Put(MakeKey("seen", Text("s", n % 10)), Text(n)));
  });
  for (int round = 0; round < 20; ++round) {
    auto& watcher = *new Watcher;
    const uint64_t id = MustWatch(memory, Space("seen"), watcher);
    std::this_thread::sleep_for(std::chrono::milliseconds(15));
    memory.table().unwatch(memory.instance(), id);
    const uint64_t then = watcher.calls.load();
    std::this_thread::sleep_for(std::chrono::milliseconds(15));
    const uint64_t later = watcher.calls.load();
    Expect(later == then, "after unwatch returned `changed` was called ", later - then, " times");
  }
  memory.table().unwatch(memory.instance(), 0xdeadbeef);  // unknown: fine
  stop.store(true);
  writer.join();
}

constexpr std::array<Test, 3> kTests = {{{"WATCH-1", Needs::kMemory, 90, ChangesAreTold},
                                         {"WATCH-2", Needs::kMemory, 90, NothingElseIsTold},
                                         {"WATCH-3", Needs::kMemory, 60, SilentAfterUnwatch}}};

}  // namespace

std::span<const Test> WatchTests() {
  return kTests;
}

}  // namespace teal::kit

// Commits and gets under races: their answers must fit one order. What breaks one row does not count for another: gets
// are judged only if the commits alone are sound, commits of several records only if each key alone is, and none of
// them if a version came back (MEM-12).
#include <array>
#include <atomic>
#include <thread>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/clients.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

constexpr uint32_t kKeys = 3;
const std::vector<uint32_t> kAbsentAtFirst(kKeys, 0);

void Judge(const Linearity& found, const char* what) {
  if (found.kind == Linearity::Kind::kUndecided) Fail("the search for an order of ", what, " grew too large to decide");
  if (found.kind == Linearity::Kind::kNo) Fail(what, " fit no order: ", found.why);
}

bool Broken(const Linearity& found) {
  return found.kind == Linearity::Kind::kNo;
}

void CommitsRace() {
  Host host;
  Memory memory(host);
  const History history = Race(memory, {.keys = kKeys});
  if (!history.reused.empty()) return Note(history.reused);
  Judge(CheckEachKey(Commits(history), kAbsentAtFirst), "the commits of 16 racing clients");
}

// One thread commits, another reads the same key after each `done`; both have read it before.
void ReadAfterCommit(Memory& memory) {
  constexpr int kTurns = 200;
  const Key key = MakeKey("turns", "s");
  std::atomic<int> written{-1};
  std::atomic<int> read{-1};
  std::thread reader([&] {
    for (int turn = 0; turn < kTurns; ++turn) {
      while (written.load() < turn) std::this_thread::yield();
      const auto record = memory.MustGet(key);
      const std::string value = record ? record->value : "absent";
      Expect(value == Text("turn ", turn), "a get that began after the `done` of put ", Show(key), " = \"turn ", turn,
             "\" on another thread gave ", Show(value));
      read.store(turn);
    }
  });
  for (int turn = 0; turn < kTurns; ++turn) {
    memory.Must(Put(key, Text("turn ", turn)));
    written.store(turn);
    while (read.load() < turn) std::this_thread::yield();
  }
  reader.join();
}

void GetsRace() {
  Host host;
  Memory memory(host);
  ReadAfterCommit(memory);
  const History history = Race(memory, {.keys = kKeys, .gets_in_100 = 45});
  if (!history.reused.empty()) return Note(history.reused);
  if (Broken(CheckEachKey(Commits(history), kAbsentAtFirst))) return Note("the commits alone fit no order: MEM-14");
  Judge(CheckEachKey(All(history), kAbsentAtFirst), "the gets and commits of 16 racing clients");
}

void WholeCommitsRace() {
  Host host;
  Memory memory(host);
  if (memory.caps().commit_ops_max < 2) NotOffered("commit_ops_max is 1");
  const History history = Race(memory, {.calls = 20, .keys = kKeys, .many = true});
  if (!history.reused.empty()) return Note(history.reused);
  for (uint32_t key = 0; key < kKeys; ++key) {
    if (Broken(CheckLinear(Only(Commits(history), key), {0}))) return Note("a key alone has no order: MEM-14");
  }
  Judge(CheckLinear(Commits(history), kAbsentAtFirst), "the commits of two records of 16 racing clients");
}

constexpr std::array<Test, 3> kTests = {{{"MEM-13", Needs::kMemory, 120, GetsRace},
                                         {"MEM-14", Needs::kMemory, 120, CommitsRace},
                                         {"MEM-15", Needs::kMemory, 120, WholeCommitsRace}}};

}  // namespace

std::span<const Test> RaceTests() {
  return kTests;
}

}  // namespace teal::kit

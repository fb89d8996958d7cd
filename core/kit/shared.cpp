// One store, several instances and processes.
#include <array>
#include <thread>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/clients.h"
#include "core/kit/memory.h"
#include "core/kit/options.h"
#include "core/kit/part.h"
#include "core/kit/subject.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

constexpr uint32_t kKeys = 3;

// Races together with the main process and leaves its history in shared memory.
void RaceAsPart() {
  Host host;
  Memory memory(host);
  Shared& shared = SharedMemory();
  shared.ready.fetch_add(1);
  while (shared.go.load() == 0) std::this_thread::yield();
  const std::string text = Write(Race(memory, {.clients = 8, .keys = kKeys, .gets_in_100 = 40, .first_client = 100}));
  if (text.size() > Shared::kTextBytes) Fail("the kit's history does not fit its shared memory");
  std::copy(text.begin(), text.end(), shared.text);
  shared.text_size.store(text.size());
}

void TwoProcesses() {
  if (!Given().part.empty()) return RaceAsPart();
  Host host;
  Memory memory(host);
  if (!memory.Has(TEAL_MEMORY_SHARED)) NotOffered("no TEAL_MEMORY_SHARED");
  Memory beside(host);
  const Key key = MakeKey("p", "s");
  const teal_version version = memory.Must(Put(key, "one"));
  const auto record = beside.MustGet(key);
  Expect(record && record->value == "one", "a second instance over the same store does not see the first's commit");
  beside.Must(Replace(key, "two", version));
  const auto part = StartPart("racer");
  AwaitReady(1, *part);
  Shared& shared = SharedMemory();
  shared.go.store(1);
  History history = Race(memory, {.clients = 8, .keys = kKeys, .gets_in_100 = 40});
  MustEnd(*part, 60);
  const History other = ReadHistory(std::string(shared.text, shared.text_size.load()));
  history.seen.insert(history.seen.end(), other.seen.begin(), other.seen.end());
  const Linearity found = CheckEachKey(All(history), std::vector<uint32_t>(kKeys, 0));
  if (found.kind == Linearity::Kind::kUndecided) Fail("the search for an order grew too large to decide");
  if (found.kind == Linearity::Kind::kNo) Fail("what the clients of two processes saw fits no order: ", found.why);
}

// What a second open of the same store may be: refused with words, or a store of its own.
void RefusedOrApart(Host& host, const char* where) {
  const Key key = MakeKey("p", "s");
  const Opened second = Open(host, Given().config);
  if (second.status != TEAL_OK) {
    Expect(second.error.message[0] != '\0', "a second open of the store ", where, " is refused without words");
    return;
  }
  // It opened: then as a store that holds nothing of the first. A Memory over it closes it.
  Memory beside(host);
  Expect(!beside.MustGet(key), "a second open of the store ", where,
         " sees the records of the first, and TEAL_MEMORY_SHARED is not said");
  Tested().plugin->close(second.instance);
}

void SecondOpen() {
  Host host;
  if (!Given().part.empty()) return RefusedOrApart(host, "in another process");
  Memory memory(host);
  if (memory.Has(TEAL_MEMORY_SHARED)) NotOffered("TEAL_MEMORY_SHARED: MEM-22 holds instead");
  const Key key = MakeKey("p", "s");
  memory.Must(Put(key, "first"));
  RefusedOrApart(host, "in the same process");
  const auto part = StartPart("second");
  MustEnd(*part, 30);
  const auto record = memory.MustGet(key);
  Expect(record && record->value == "first", "after a second open of its store the first instance has lost its record");
}

constexpr std::array<Test, 2> kTests = {
    {{"MEM-22", Needs::kMemory, 120, TwoProcesses}, {"MEM-23", Needs::kMemory, 60, SecondOpen}}};

}  // namespace

std::span<const Test> SharedTests() {
  return kTests;
}

}  // namespace teal::kit

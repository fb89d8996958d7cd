// How inputs lie in memory, how long they may be read, and which of them nobody may send.
#include <array>

#include "core/kit/call.h"
#include "core/kit/memory.h"
#include "core/kit/subject.h"
#include "core/kit/test.h"
#include "core/kit/tour.h"
#include "core/kit/verdict.h"
#include "core/kit/wrong_calls.h"

namespace teal::kit {
namespace {

// A plugin that reads past an input, or after `done` returned, dies of SIGSEGV here: that is this row's failure.
void ReadInTimeAndPlace() {
  SetLayout(Layout::kGuarded);
  Host host;
  Instance instance(host);
  Tour(instance, {.rounds = 3});
  if (Tested().memory == nullptr) return;
  const MemoryView memory(instance);
  std::vector<Call*> calls;
  for (int n = 0; n < 100; ++n) {
    calls.push_back(&memory.BeginCommit(
        {Put(MakeKey(Text("p", n % 3), Text("s", n)), std::string(static_cast<std::size_t>(n) * 50, 'v'))}));
    calls.push_back(&memory.BeginGet({MakeKey(Text("p", n % 3), Text("s", n / 2))}));
  }
  for (Call* call : calls) call->Wait();
  for (int n = 0; n < 20; ++n) memory.Must(Put(MakeKey("p0", Text("after", n)), "x"));
}

void UnalignedAndNull() {
  SetLayout(Layout::kUnaligned);
  Host host;
  Instance instance(host);
  Tour(instance, {.rounds = 2});
  if (Tested().memory == nullptr) return;
  const MemoryView memory(instance);
  const Key key = MakeKey("p", "s");
  for (const std::string& value : {std::string(), std::string("x"), std::string(1'000, 'y')}) {
    memory.Must(Put(key, value));
    const auto record = memory.MustGet(key);
    Expect(record && record->value == value, "a value given at an odd address, or as NULL with size 0, was read as ",
           record ? Show(record->value) : "absent", "; it is ", Show(value));
  }
  Expect(memory.ScanAll(key.partition, "", 10).size() == 1,
         "a scan with an empty prefix given as NULL does not give the record");
}

void NobodySends() {
  Host host;
  const Memory memory(host);
  for (Call* call : WrongCalls(memory)) {
    const Reply& reply = call->Wait();
    Expect(reply.code == TEAL_INVALID, call->words(), ", which no correct host sends, gave ", reply.Says());
  }
  const Key key = MakeKey("wrong", "s");
  Expect(!memory.MustGet(key), "a call no correct host makes wrote ", Show(key));
}

constexpr std::array<Test, 3> kTests = {{{"CALL-8", Needs::kNothing, 60, ReadInTimeAndPlace},
                                         {"CALL-9", Needs::kNothing, 60, UnalignedAndNull},
                                         {"CALL-10", Needs::kMemory, 60, NobodySends}}};

}  // namespace

std::span<const Test> InputTests() {
  return kTests;
}

}  // namespace teal::kit

// How often `done` comes, what a call may return, deadlines.
#include <array>
#include <chrono>
#include <thread>

#include "core/kit/call.h"
#include "core/kit/memory.h"
#include "core/kit/subject.h"
#include "core/kit/test.h"
#include "core/kit/tour.h"
#include "core/kit/verdict.h"
#include "core/kit/wrong_calls.h"

namespace teal::kit {
namespace {

constexpr auto kSilence = std::chrono::milliseconds(150);  // how long a `done` too many is waited for

// Many calls in the air at once.
void Burst(const MemoryView& memory, int count) {
  std::vector<Call*> calls;
  for (int n = 0; n < count; ++n) {
    const Key key = MakeKey("burst", Text("s", n % 17));
    calls.push_back(&memory.BeginCommit({Put(key, "x")}));
    calls.push_back(&memory.BeginCommit({Create(key, "x")}));
    calls.push_back(&memory.BeginGet({key}));
    calls.push_back(&memory.BeginScan(key.partition, "", 3));
  }
  for (Call* call : calls) call->Wait();
}

// Everything a correct host may do, closed at its end.
void UseAndClose(Host& host) {
  Instance instance(host);
  Tour(instance);
  Tour(instance, {.numbered = false});
  if (Tested().memory != nullptr) Burst(MemoryView(instance), 30);
}

void ExactlyOnce() {
  Host host;
  UseAndClose(host);
  std::this_thread::sleep_for(kSilence);
  EachCall([](Call& call) {
    if (call.reply().returned != TEAL_OK) return;
    Expect(call.dones() == 1, "`done` came ", call.dones(), " times of ", call.words());
  });
}

void NeverAfterRefusal() {
  Host host;
  const Key key = MakeKey("wrong", "s");
  {
    Memory memory(host);
    for (Call* call : WrongCalls(memory)) call->Wait();
    Expect(!memory.MustGet(key), "a call that is nobody's to make wrote ", Show(key));
  }
  std::this_thread::sleep_for(kSilence);
  EachCall([](Call& call) {
    if (call.reply().returned == TEAL_OK) return;
    Expect(call.dones() == 0, call.words(), " returned ", StatusName(call.reply().returned), " and called `done`");
  });
}

void FiveStatuses() {
  Host host;
  {
    Instance instance(host);
    Tour(instance);
    if (Tested().memory != nullptr) {
      for (Call* call : WrongCalls(MemoryView(instance))) call->Wait();
    }
  }
  EachCall([](Call& call) {
    const teal_status returned = call.reply().returned;
    for (const teal_status allowed : {TEAL_OK, TEAL_INVALID, TEAL_UNSUPPORTED, TEAL_CLOSED, TEAL_NO_MEMORY}) {
      if (returned == allowed) return;
    }
    Fail(call.words(), " returned ", StatusName(returned));
  });
}

void ExpectThroughDone(Call& call) {
  const Reply& reply = call.Wait();
  Expect(reply.returned == TEAL_OK, call.words().substr(0, 200), " returned ", StatusName(reply.returned),
         "; what a user could change comes through `done`");
  Expect(!reply.Ok(), call.words().substr(0, 200), " gave OK");
  Expect(reply.message.size() >= 8, call.words().substr(0, 200), " gave the words ", Show(reply.message));
}

void UsersMistakes() {
  Host host;
  const Memory memory(host);
  const teal_memory_caps& caps = memory.caps();
  constexpr uint64_t kTried = 4u * 1024 * 1024;
  if (caps.key_bytes_max < kTried) {
    const std::string longer(caps.key_bytes_max + 1, 'k');
    ExpectThroughDone(memory.BeginCommit({Put({Space("p"), longer}, "x")}));
    ExpectThroughDone(memory.BeginGet({{Space("p"), longer}}));
    ExpectThroughDone(memory.BeginScan(longer, "", 1));
    if (memory.Has(TEAL_MEMORY_BLOBS)) ExpectThroughDone(memory.BeginBlobOpen(longer));
  }
  if (caps.value_bytes_max < kTried) {
    ExpectThroughDone(memory.BeginCommit({Put(MakeKey("p", "s"), std::string(caps.value_bytes_max + 1, 'v'))}));
  }
  if (caps.commit_ops_max < 10'000) {
    std::vector<Op> ops;
    for (uint64_t n = 0; n <= caps.commit_ops_max; ++n) ops.push_back(Put(MakeKey("p", Text("s", n)), "x"));
    ExpectThroughDone(memory.BeginCommit(ops));
  }
}

void Deadlines() {
  // An hour behind the system's clock: a deadline in the host's future is in the system's past.
  constexpr int64_t kHour = 3'600'000'000'000;
  Host host({.clock_offset_ns = -kHour});
  const Memory memory(host);
  const Key key = MakeKey("p", "s");
  CallSpec spec;
  spec.deadline_unix_ns = host.Now() + 60'000'000'000;
  Call& commit = memory.BeginCommit({Put(key, "x")}, spec);
  Expect(commit.Wait().Ok(), commit.words(),
         " with a deadline in a minute by host->now_unix_ns, which is an hour behind the ", "system's clock, gave ",
         commit.reply().Says());
  Call& get = memory.BeginGet({key}, spec);
  Expect(get.Wait().Ok(), get.words(), " with a deadline in a minute by host->now_unix_ns gave ", get.reply().Says());
  spec.deadline_unix_ns = host.Now() - 1'000'000'000;
  for (int n = 0; n < 5; ++n) {
    const Key late = MakeKey("late", Text("s", n));
    Call& past = memory.BeginCommit({Create(late, "x")}, spec);
    const Reply& reply = past.Wait();
    if (reply.Ok()) continue;
    Expect(reply.code == TEAL_TIMEOUT, past.words(), " past its deadline gave ", reply.Says(),
           ", not TIMEOUT or its true result");
  }
}

constexpr std::array<Test, 5> kTests = {{{"CALL-1", Needs::kNothing, 60, ExactlyOnce},
                                         {"CALL-2", Needs::kMemory, 60, NeverAfterRefusal},
                                         {"CALL-3", Needs::kNothing, 60, FiveStatuses},
                                         {"CALL-4", Needs::kMemory, 60, UsersMistakes},
                                         {"CALL-7", Needs::kMemory, 60, Deadlines}}};

}  // namespace

std::span<const Test> CallTests() {
  return kTests;
}

}  // namespace teal::kit

// Close, cancel, and calls from many threads, under load.
#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "core/kit/call.h"
#include "core/kit/memory.h"
#include "core/kit/subject.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

constexpr uint32_t kThreads = 8;
constexpr auto kSilence = std::chrono::milliseconds(300);

template <typename Body>
void OnThreads(uint32_t count, Body&& body) {
  std::vector<std::thread> threads;
  for (uint32_t n = 0; n < count; ++n) threads.emplace_back([&body, n] { body(n); });
  for (std::thread& thread : threads) thread.join();
}

std::atomic<uint64_t> g_changes{0};
void TEAL_CALL CountChange(void*, teal_key) {
  g_changes.fetch_add(1);
}

// Begins calls of every kind; none is waited for.
std::vector<Call*> Load(const MemoryView& memory, uint32_t thread, int calls) {
  std::vector<Call*> begun;
  for (int n = 0; n < calls; ++n) {
    const Key key = MakeKey(Text("load", thread), Text("s", n));
    switch (n % 4) {
      case 0:
      case 1:
        begun.push_back(&memory.BeginCommit({Create(key, std::string(200, 'x'))}));
        break;
      case 2:
        begun.push_back(&memory.BeginGet({key}));
        break;
      default:
        begun.push_back(&memory.BeginScan(key.partition, "", 10));
        break;
    }
  }
  return begun;
}

void CloseUnderLoad() {
  Host host;
  for (int round = 0; round < 5; ++round) {
    ForgetCalls();
    Memory memory(host);
    if (memory.Has(TEAL_MEMORY_WATCH)) {
      uint64_t id = 0;
      Inputs inputs;
      memory.table().watch(memory.instance(), inputs.Bytes(Space("")), &CountChange, nullptr, &id);
    }
    if (memory.Has(TEAL_MEMORY_BLOBS)) {
      const uint64_t handle = memory.BeginBlobOpen(Space(Text("open", round))).Wait().handle;
      memory.BeginBlobWrite(handle, "left open").Wait();
    }
    OnThreads(kThreads, [&](uint32_t n) { Load(memory, n + static_cast<uint32_t>(round) * kThreads, 60); });
    memory.Close();
    // At this very moment every call has ended.
    uint64_t late = 0;
    EachCall([&](Call& call) {
      if (call.reply().returned == TEAL_OK && call.dones() == 0) {
        ++late;
        Note("not done when close returned: ", call.words());
      }
    });
    std::vector<int> then;
    EachCall([&](Call& call) { then.push_back(call.dones()); });
    const uint64_t changes = g_changes.load();
    std::this_thread::sleep_for(kSilence);
    std::size_t at = 0;
    uint64_t after = 0;
    EachCall([&](Call& call) { after += static_cast<uint64_t>(call.dones() - then[at++]); });
    Expect(late == 0, "close returned while ", late, " calls were open; ", after, " of them were done after it");
    Expect(after == 0, "`done` was called ", after, " times after close returned");
    Expect(g_changes.load() == changes, "`changed` was called ", g_changes.load() - changes,
           " times after close returned");
    EachCall([](Call& call) {
      const Reply& reply = call.reply();
      if (reply.Ok() || reply.code == TEAL_CONFLICT || reply.code == TEAL_CLOSED || reply.code == TEAL_THROTTLED)
        return;
      Fail("close ended ", call.words(), " with ", reply.Says());
    });
  }
}

void CancelRaces() {
  Host host;
  const Memory memory(host);
  constexpr int kCalls = 60;
  std::atomic<uint64_t> cancelled{0};
  OnThreads(kThreads, [&](uint32_t thread) {
    for (int n = 0; n < kCalls; ++n) {
      const Key key = MakeKey(Text("cancel", thread), Text("s", n));
      Call& call = memory.BeginCommit({Create(key, "x")});
      Call& get = memory.BeginGet({key});
      if (n % 3 == 0) std::this_thread::yield();
      Tested().plugin->cancel(memory.instance(), call.op_id());
      Tested().plugin->cancel(memory.instance(), get.op_id());
      get.Wait();
      const Reply& reply = call.Wait();
      const bool there = memory.MustGet(key).has_value();
      if (reply.Ok()) {
        Expect(there, call.words(), " was cancelled, gave OK, and is absent");
      } else {
        cancelled.fetch_add(1);
        Expect(reply.code == TEAL_CANCELLED, call.words(), " was cancelled and gave ", reply.Says());
        Expect(!there || reply.outcome == TEAL_OUTCOME_UNKNOWN, call.words(), " gave ", reply.Says(), ", and is there");
      }
      Tested().plugin->cancel(memory.instance(), call.op_id());  // done already: fine
    }
  });
  Tested().plugin->cancel(memory.instance(), 0xfeedfacecafe);  // unknown: fine
  Tested().plugin->cancel(memory.instance(), 0);
  std::this_thread::sleep_for(kSilence);
  Note(cancelled.load(), " of ", kThreads * kCalls, " commits were cancelled");
}

void FromManyThreads() {
  Host host;
  const Memory memory(host);
  OnThreads(16, [&](uint32_t n) {
    for (Call* call : Load(memory, n, 80)) call->Wait();
  });
  EachCall([](Call& call) {
    const Reply& reply = call.reply();
    Expect(reply.Ok() || reply.code == TEAL_CONFLICT || reply.code == TEAL_THROTTLED, "from 16 threads at once ",
           call.words(), " gave ", reply.Says());
  });
}

constexpr std::array<Test, 3> kTests = {{{"CALL-5", Needs::kMemory, 120, CloseUnderLoad},
                                         {"CALL-6", Needs::kMemory, 120, CancelRaces},
                                         {"CALL-12", Needs::kMemory, 120, FromManyThreads}}};

}  // namespace

std::span<const Test> CloseTests() {
  return kTests;
}

}  // namespace teal::kit

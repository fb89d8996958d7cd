// Data calls do not block, unless the plugin says so.
//
// What counts is the time in which the calling thread was neither running nor ready to run, between the call and its
// return: a busy machine makes calls slow, but not blocked. 5 ms is far above a lock that another thread holds for a
// moment, and far below what a network or a disk sync behind a queue takes.
#include <algorithm>
#include <array>

#include "core/kit/call.h"
#include "core/kit/memory.h"
#include "core/kit/proc.h"
#include "core/kit/subject.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

constexpr uint64_t kUsual = 5'000'000;
constexpr uint64_t kEver = 100'000'000;

struct Waits {
  std::string words;
  uint64_t ns;
};

template <typename Begin>
Waits Measure(const WaitingTime& clock, Begin&& begin) {
  const uint64_t before = clock.Now();
  Call& call = begin();
  const uint64_t after = clock.Now();
  call.Wait();
  return {call.words(), after > before ? after - before : 0};
}

std::vector<Waits> Calls(const MemoryView& memory, const WaitingTime& clock, int rounds) {
  std::vector<Waits> waits;
  for (int n = 0; n < rounds; ++n) {
    const Key key = MakeKey("p", Text("s", n));
    waits.push_back(Measure(clock, [&]() -> Call& { return memory.BeginCommit({Put(key, "x", 5)}); }));
    waits.push_back(Measure(clock, [&]() -> Call& { return memory.BeginGet({key}); }));
    waits.push_back(Measure(clock, [&]() -> Call& { return memory.BeginScan(key.partition, "", 5); }));
    waits.push_back(Measure(clock, [&]() -> Call& { return memory.BeginScanDue(0, 1, 10, 5); }));
    waits.push_back(Measure(clock, [&]() -> Call& { return memory.BeginCommit({Delete(key)}); }));
  }
  return waits;
}

void ExpectNoWait(const std::vector<Waits>& waits, const char* when) {
  std::size_t over = 0;
  const Waits* longest = &waits.front();
  for (const Waits& one : waits) {
    if (one.ns > kUsual) ++over;
    if (one.ns > longest->ns) longest = &one;
  }
  const double ms = static_cast<double>(longest->ns) / 1e6;
  Expect(longest->ns <= kEver, when, " ", longest->words, " blocked its thread for ", ms,
         " ms, and TEAL_PLUGIN_BLOCKING is not said");
  Expect(over * 20 <= waits.size(), when, " ", over, " of ", waits.size(), " calls blocked their thread for over ",
         kUsual / 1'000'000, " ms, the longest ", ms, " ms (", longest->words,
         "), and TEAL_PLUGIN_BLOCKING is not said");
}

void DoesNotBlock() {
  if (Tested().blocking()) NotOffered("TEAL_PLUGIN_BLOCKING: data calls may block");
  const WaitingTime clock;
  Host host;
  const Memory memory(host);
  Calls(memory, clock, 2);  // what is made on first use
  ExpectNoWait(Calls(memory, clock, 12), "in use");
  if (!host.HttpUsed()) return;
  SetHttpFaults(R"({"rules":[{"fault":"delay","delay_ms":300}]})");
  const auto waits = Calls(memory, clock, 3);
  SetHttpFaults("");
  ExpectNoWait(waits, "with 300 ms for each answer of " TEAL_HTTP_ID);
}

constexpr std::array<Test, 1> kTests = {{{"CALL-11", Needs::kMemory, 90, DoesNotBlock}}};

}  // namespace

std::span<const Test> BlockingTests() {
  return kTests;
}

}  // namespace teal::kit

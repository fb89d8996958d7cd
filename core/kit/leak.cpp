// What open and close leave behind.
#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <vector>

#include "core/kit/allocations.h"
#include "core/kit/call.h"
#include "core/kit/instance.h"
#include "core/kit/proc.h"
#include "core/kit/subject.h"
#include "core/kit/test.h"
#include "core/kit/tour.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

constexpr int kWarmUp = 4;  // caches fill, lazy statics are made
constexpr int kRounds = 8;
constexpr int64_t kBytesMax = 256 * 1024;  // in all rounds together, where not every round leaves something

struct State {
  Allocations live;
  std::size_t threads;
  std::size_t descriptors;
};

State OpenUseClose(Host& host) {
  {
    Instance instance(host);
    Tour(instance, {.rounds = 2});
  }
  ForgetCalls();
  // Threads that were joined or have just ended may still be in the list for a moment.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  return {LiveAllocations(), Threads().size(), Descriptors().size()};
}

void NothingGrows() {
  Host host;
  for (int n = 0; n < kWarmUp; ++n) OpenUseClose(host);
  std::vector<State> states;
  states.reserve(kRounds + 1);
  for (int n = 0; n <= kRounds; ++n) states.push_back(OpenUseClose(host));
  const State& first = states.front();
  const State& last = states.back();
  Expect(last.threads <= first.threads, "after ", kRounds, " times open and close there are ", last.threads,
         " threads, before ", first.threads);
  Expect(last.descriptors <= first.descriptors, "after ", kRounds, " times open and close there are ", last.descriptors,
         " descriptors, before ", first.descriptors);
  if (!CountsAllocations()) return Note("allocations are not counted under a sanitizer");
  int64_t least = last.live.blocks - states[kRounds - 1].live.blocks;
  for (int n = 1; n <= kRounds; ++n) {
    const auto at = static_cast<std::size_t>(n);
    least = std::min(least, states[at].live.blocks - states[at - 1].live.blocks);
  }
  const int64_t bytes = last.live.bytes - first.live.bytes;
  Note(kRounds, " rounds: ", last.live.blocks - first.live.blocks, " blocks, ", bytes, " bytes more");
  Expect(least <= 0, "each of ", kRounds, " times open and close leaves at least ", least, " allocations behind, ",
         bytes / kRounds, " bytes on average");
  Expect(bytes <= kBytesMax, kRounds, " times open and close leave ", bytes, " bytes behind");
}

constexpr std::array<Test, 1> kTests = {{{"LIFE-10", Needs::kNothing, 120, NothingGrows}}};

}  // namespace

std::span<const Test> LeakTests() {
  return kTests;
}

}  // namespace teal::kit

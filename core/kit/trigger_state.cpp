// A trigger over stops, starts and instances.
#include <algorithm>
#include <array>
#include <set>

#include "core/kit/source.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

void SilentAfterStop() {
  Host host;
  const Instance instance(host);
  for (int round = 0; round < 4; ++round) {
    Source& source = Source::New(instance, Space("stop"));
    source.MustStart();
    source.Credit(1'000);
    source.Await(1 + static_cast<std::size_t>(round) % 2);
    source.MustStop();
    const uint64_t calls = source.calls();
    source.Credit(10);  // of a trigger that was stopped: nothing happens
    source.After(0.3);
    Expect(source.calls() == calls, "after the `done` of stop `emit` was called ", source.calls() - calls, " times");
  }
}

// Takes `count` events of a source that was just started, accepts every second and stops it. Names go to the sets.
void TakeHalf(Source& source, std::size_t count, std::set<std::string>& accepted, std::set<std::string>& open) {
  source.MustStart();
  source.Credit(count);
  const auto events = source.Await(count);
  for (std::size_t n = 0; n < count; ++n) {
    const std::string name = events[n].Name();
    Expect(!accepted.contains(name), "the event ", name, " was accepted and is emitted again");
    if (n % 2 == 0) {
      source.MustAccept(events[n]);
      accepted.insert(name);
      open.erase(name);
    } else {
      open.insert(name);
    }
  }
  source.MustStop();
}

void OpenEventsComeAgain() {
  Host host;
  std::set<std::string> accepted;
  std::set<std::string> open;
  for (int round = 0; round < 2; ++round) {
    const Instance instance(host);
    TakeHalf(Source::New(instance, Space("again")), 6, accepted, open);
    TakeHalf(Source::New(instance, Space("again")), 4, accepted, open);
  }
  // All that were not accepted are among the next, once there is credit for them.
  const Instance instance(host);
  Source& source = Source::New(instance, Space("again"));
  source.MustStart();
  const std::size_t expected = open.size();
  source.Credit(expected + 5);
  for (const Emitted& event : source.Await(expected)) {
    Expect(!accepted.contains(event.Name()), "the event ", event.Name(), " was accepted and is emitted again");
  }
  for (const Emitted& event : source.After(1.0)) open.erase(event.Name());
  if (!open.empty())
    Fail("the event ", *open.begin(), " was not accepted and is not emitted again after the next start");
  source.MustStop();
}

void RunsOnce() {
  Host host;
  const Instance instance(host);
  Source& first = Source::New(instance, Space("once"));
  first.MustStart();
  Source& second = Source::New(instance, Space("once"));
  Call& again = second.BeginStart();
  const Reply& reply = again.Wait();
  Expect(reply.returned == TEAL_OK && reply.code == TEAL_INVALID, "a second start of an id that runs gave ",
         reply.Says(), ", not INVALID through `done`");
  first.Credit(1);
  first.MustAccept(first.Await(1).front());
  Expect(second.Events().empty(), "a start that was refused emits events");
  first.MustStop();
  second.MustStart();
  second.MustStop();
}

constexpr std::array<Test, 3> kTests = {{{"TRG-5", Needs::kTrigger, 60, SilentAfterStop},
                                         {"TRG-6", Needs::kTrigger, 120, OpenEventsComeAgain},
                                         {"TRG-7", Needs::kTrigger, 60, RunsOnce}}};

}  // namespace

std::span<const Test> TriggerStateTests() {
  return kTests;
}

}  // namespace teal::kit

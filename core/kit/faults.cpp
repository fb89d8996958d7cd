// A bad world under teal.host.http/1.
#include <array>
#include <chrono>
#include <thread>

#include "core/kit/clients.h"
#include "core/kit/memory.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

constexpr uint32_t kKeys = 3;

// An instance that has talked through the http service.
void NeedHttp(Host& host, const MemoryView& memory) {
  memory.MustGet(MakeKey("p", "absent"));
  if (!host.HttpUsed()) NotOffered("the plugin does not use " TEAL_HTTP_ID);
}

void RetryAfterIsHonoured() {
  Host host;
  const Memory memory(host);
  NeedHttp(host, memory);
  constexpr uint64_t kSecond = 1'000'000'000;
  for (const int status : {429, 503}) {
    const Key key = MakeKey("p", Text("s", status));
    SetHttpFaults(Text(R"({"rules":[{"fault":"status","status":)", status, R"(,"retry_after":"2"}]})"));
    const uint64_t attempts = HttpAttempts();
    Call& call = memory.BeginCommit({Create(key, "x")});
    call.WaitFor(1.0);
    const uint64_t within = HttpAttempts() - attempts;
    Expect(within <= 1, "after an answer ", status, " with Retry-After: 2 the plugin sent ", within - 1,
           " further requests within a second");
    if (call.DoneNow()) {
      const Reply& reply = call.reply();
      Expect(!reply.Ok(), call.words(), " gave OK though every request was answered ", status);
      Expect(reply.retry_after_ns >= kSecond, call.words(), " was answered ", status,
             " with Retry-After: 2, and the error's retry_after_ns is ", reply.retry_after_ns, ": ", reply.Says());
    }
    SetHttpFaults("");
    call.Wait();
  }
}

constexpr const char* kBadWorld =
    R"({"seed":11,"rules":[
      {"fault":"timeout","probability":0.03},{"fault":"timeout_unsent","probability":0.03},
      {"fault":"lost_answer","probability":0.04},{"fault":"lost_request","probability":0.03},{"fault":"refused","probability":0.03},
      {"fault":"status","status":500,"probability":0.03},{"fault":"status_after","status":500,"probability":0.03},
      {"fault":"status","status":429,"probability":0.03},{"fault":"status","status":503,"probability":0.03},
      {"fault":"cut","probability":0.04},{"fault":"delay","delay_ms":30,"probability":0.05}]})";

void StaysTrue() {
  Host host;
  const Memory memory(host);
  NeedHttp(host, memory);
  SetHttpFaults(kBadWorld);
  const History history = Race(memory, {.calls = 25, .keys = kKeys, .gets_in_100 = 40, .expect_errors = true});
  SetHttpFaults("");
  uint64_t unknown = 0;
  for (const Seen& seen : history.seen) unknown += seen.event.maybe ? 1 : 0;
  Note(history.seen.size(), " events, ", unknown, " with an unknown outcome");
  const Linearity found = CheckEachKey(All(history), std::vector<uint32_t>(kKeys, 0));
  if (found.kind == Linearity::Kind::kUndecided) Fail("the search for an order grew too large to decide");
  if (found.kind == Linearity::Kind::kNo)
    Fail("under faults of " TEAL_HTTP_ID " what 16 clients saw fits no order: ", found.why);
}

void WorksAgain() {
  Host host;
  const Memory memory(host);
  NeedHttp(host, memory);
  for (const char* fault : {"refused", "timeout", "cut", "status"}) {
    SetHttpFaults(Text(R"({"rules":[{"fault":")", fault, R"("}]})"));
    for (int n = 0; n < 3; ++n) memory.BeginCommit({Put(MakeKey("p", "s"), "during")}).Wait();
    SetHttpFaults("");
    const uint64_t deadline = Monotonic() + 10'000'000'000u;
    for (;;) {
      Call& call = memory.BeginCommit({Put(MakeKey("p", "s"), fault)});
      if (call.Wait().Ok()) break;
      if (Monotonic() > deadline)
        Fail("10 s after the faults (", fault, ") are over ", call.words(), " gives ", call.reply().Says());
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    const auto record = memory.MustGet(MakeKey("p", "s"));
    Expect(record && record->value == fault, "after the faults the record holds ",
           record ? Show(record->value) : "nothing");
  }
}

constexpr std::array<Test, 3> kTests = {{{"ERR-4", Needs::kMemory, 90, RetryAfterIsHonoured},
                                         {"ERR-5", Needs::kMemory, 240, StaysTrue},
                                         {"ERR-6", Needs::kMemory, 180, WorksAgain}}};

}  // namespace

std::span<const Test> FaultTests() {
  return kTests;
}

}  // namespace teal::kit

// Sections, events, credit, rejection.
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/kit/options.h"
#include "core/kit/source.h"
#include "core/kit/subject.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

void ExpectValid(teal_instance* instance, const std::string& section, bool valid, const std::string& named) {
  teal_error error{};
  error.struct_size = sizeof error;
  Inputs inputs;
  const teal_status status = Tested().trigger->validate(instance, inputs.Bytes(section), &error);
  const std::string message(error.message, ::strnlen(error.message, sizeof error.message));
  const char* how = instance == nullptr ? " without an instance" : "";
  Note("validate ", Show(section), how, " -> ", StatusName(status), " ", message);
  if (valid) {
    Expect(status == TEAL_OK, "validate", how, " refuses the section given: ", StatusName(status), ": ", message);
    return;
  }
  Expect(status != TEAL_OK, "validate", how, " takes the section ", Show(section));
  Expect(error.code == status, "validate gave ", StatusName(status), " and an error of ", StatusName(error.code));
  Expect(message.size() >= 8 && message.find(named) != std::string::npos, "validate refuses the section ",
         Show(section), " with the words ", Show(message));
}

void Sections() {
  Host host;
  const Instance instance(host);
  auto unknown = nlohmann::json::parse(Given().trigger);
  unknown["kit_unknown_key"] = 1;
  for (teal_instance* given : {instance.handle(), static_cast<teal_instance*>(nullptr)}) {
    ExpectValid(given, Given().trigger, true, "");
    for (const char* wrong : {"", "{", "nonsense", "[]", "null", "3"}) ExpectValid(given, wrong, false, "");
    ExpectValid(given, unknown.dump(), false, "kit_unknown_key");
  }
}

void CreditIsNeverOverrun() {
  Host host;
  const Instance instance(host);
  Source& source = Source::New(instance, Space("credit"));
  source.MustStart();
  Expect(source.After(0.4).empty(), "without credit ", source.Events().size(), " events were emitted");
  std::size_t credited = 0;
  std::size_t accepted = 0;
  for (const std::size_t more : {1u, 3u, 1u, 4u}) {
    source.Credit(more);
    credited += more;
    source.Await(credited);
    Expect(source.After(0.2).size() == credited, "with credit for ", credited, " ", source.Events().size(),
           " events were emitted");
    for (const auto events = source.Events(); accepted < events.size(); ++accepted) source.MustAccept(events[accepted]);
    Expect(source.After(0.1).size() == credited, "with credit for ", credited, ", all accepted, ",
           source.Events().size(), " events were emitted");
  }
  source.MustStop();
}

void EventsHaveNames() {
  Host host;
  const Instance instance(host);
  Source& source = Source::New(instance, Space("names"));
  source.MustStart();
  source.Credit(5);
  std::set<uint64_t> tokens;
  std::set<std::string> names;
  for (const Emitted& event : source.Await(5)) {
    Expect(!event.source.empty() && !event.id.empty(), "an event has source ", Show(event.source), " and id ",
           Show(event.id));
    Expect(event.token != 0, "the event ", event.Name(), " has token 0");
    Expect(tokens.insert(event.token).second, "the token ", event.token, " is given twice");
    Expect(names.insert(event.Name()).second, "two events not yet accepted or rejected have the name ", event.Name());
    Expect(event.flags == 0, "the event ", event.Name(), " has flags ", event.flags);
    source.MustAccept(event);
  }
  source.MustStop();
}

void RejectedComesAgain() {
  Host host;
  const Instance instance(host);
  Source& source = Source::New(instance, Space("reject"));
  source.MustStart();
  source.Credit(1);
  const Emitted first = source.Await(1).front();
  constexpr uint64_t kDelay = 400'000'000;
  const uint64_t rejected = host.Now();
  source.MustReject(first, kDelay);
  source.Credit(100'000);
  for (std::size_t seen = 1;;) {
    const auto events = source.Await(seen + 1);
    for (; seen < events.size(); ++seen) {
      const Emitted& event = events[seen];
      if (event.Name() != first.Name()) {
        source.MustAccept(event);
        continue;
      }
      Expect(event.host_time >= rejected + kDelay, "an event rejected for ", kDelay / 1'000'000,
             " ms is emitted again after ", (event.host_time - rejected) / 1'000'000, " ms");
      Expect(event.token != first.token, "an event is emitted again with the same token");
      Expect(event.data == first.data, "an event is emitted again with other data");
      source.MustAccept(event);
      source.MustStop();
      return;
    }
    if (host.Now() > rejected + 20'000'000'000) Fail("an event that was rejected is not emitted again within 20 s");
  }
}

void TEAL_CALL CountEmitted(void* ctx, const teal_event*) {
  ++*static_cast<int*>(ctx);
}

void DecodeAllOrNone() {
  if (Tested().trigger->decode == nullptr) NotOffered("decode is NULL: no cloud's event of this kind");
  Host host;
  const Instance instance(host);
  for (const std::string& body :
       {std::string(), std::string("{"), std::string("nonsense"), std::string("[1,2,3]"), std::string(1'000, '\xff')}) {
    int emitted = 0;
    teal_error error{};
    error.struct_size = sizeof error;
    Inputs inputs;
    const teal_status status =
        Tested().trigger->decode(instance.handle(), inputs.Bytes(body), &CountEmitted, &emitted, &error);
    Note("decode ", Show(body), " -> ", StatusName(status), ", ", emitted, " events");
    if (status == TEAL_OK) continue;  // a body without events, for it
    Expect(emitted == 0, "decode of ", Show(body), " gave ", StatusName(status), " and emitted ", emitted, " events");
    Expect(error.message[0] != '\0', "decode refuses ", Show(body), " without words");
  }
}

constexpr std::array<Test, 5> kTests = {{{"TRG-1", Needs::kTrigger, 30, Sections},
                                         {"TRG-2", Needs::kTrigger, 90, CreditIsNeverOverrun},
                                         {"TRG-3", Needs::kTrigger, 60, EventsHaveNames},
                                         {"TRG-4", Needs::kTrigger, 60, RejectedComesAgain},
                                         {"TRG-8", Needs::kTrigger, 30, DecodeAllOrNone}}};

}  // namespace

std::span<const Test> TriggerTests() {
  return kTests;
}

}  // namespace teal::kit

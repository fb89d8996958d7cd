// Errors: their form, and that "not applied" is true.
#include <array>
#include <chrono>
#include <thread>

#include "core/kit/call.h"
#include "core/kit/memory.h"
#include "core/kit/subject.h"
#include "core/kit/test.h"
#include "core/kit/tour.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

void FormOfErrors() {
  Host host;
  Instance instance(host);
  Tour(instance, {.rounds = 2});
  if (Tested().memory != nullptr) {
    const MemoryView memory(instance);
    const teal_memory_caps& caps = memory.caps();
    const Key key = MakeKey("p", "s");
    memory.Must(Put(key, "x"));
    memory.Commit(Create(key, "y"));
    memory.Commit(Check(MakeKey("p", "absent"), memory.MustGet(key)->version));
    if (caps.key_bytes_max < (1u << 20u))
      memory.Commit(Put({Space("p"), std::string(caps.key_bytes_max + 1, '\xff')}, "x"));
    if (caps.value_bytes_max < (64u << 20u)) memory.Commit(Put(key, std::string(caps.value_bytes_max + 1, 'x')));
    if (memory.Has(TEAL_MEMORY_BLOBS)) {
      memory.BeginBlobGet(Space("\xff\xfe no such blob"), 0, 10).Wait();
      memory.BeginBlobCommit(0xdead).Wait();
    }
  }
  uint64_t errors = 0;
  EachCall([&](Call& call) {
    const Reply& reply = call.reply();
    if (reply.returned != TEAL_OK || reply.Ok()) return;
    ++errors;
    const std::string words = call.words().substr(0, 200);
    Expect(reply.code >= TEAL_CONFLICT && reply.code <= TEAL_INTERNAL, words, " gave an error of code ", reply.code);
    Expect(reply.outcome <= TEAL_OUTCOME_UNKNOWN, words, " gave an error of outcome ", reply.outcome);
    Expect(reply.error_size >= 8, words, " gave an error of struct_size ", reply.error_size);
    Expect(reply.message_ended, words, " gave a message without an end");
    Expect(reply.message.size() >= 4, words, " gave ", StatusName(reply.code), " without words");
    Expect(IsUtf8(reply.message), words, " gave a message that is not UTF-8: ", Show(reply.message));
  });
  Note(errors, " errors");
}

void NotAppliedIsTrue() {
  Host host;
  const Memory memory(host);
  struct Tried {
    Key key;
    Call* call;
  };
  std::vector<Tried> tried;
  int n = 0;
  const auto attempt = [&](const char* how, CallSpec spec, bool cancel) {
    const Key key = MakeKey(how, Text("s", n++));
    Call& call = memory.BeginCommit({Create(key, how)}, std::move(spec));
    if (cancel) Tested().plugin->cancel(memory.instance(), call.op_id());
    tried.push_back({key, &call});
  };
  for (int i = 0; i < 40; ++i) {
    CallSpec soon;
    soon.deadline_unix_ns = host.Now() + static_cast<uint64_t>(i) * 100'000;
    attempt("deadline", soon, false);
    attempt("cancel", {}, true);
  }
  for (const Tried& one : tried) one.call->Wait();
  if (host.HttpUsed()) {
    for (const char* fault :
         {"refused", "lost_request", "lost_answer", "timeout", "timeout_unsent", "status", "status_after", "cut"}) {
      for (const int count : {1, 3, 20}) {
        SetHttpFaults(Text(R"({"seed":5,"rules":[{"fault":")", fault, R"(","count":)", count, "}]}"));
        attempt(fault, {}, false);
        tried.back().call->Wait();
        SetHttpFaults("");
      }
    }
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  for (const Tried& one : tried) {
    const Reply& reply = one.call->reply();
    const bool there = memory.MustGet(one.key).has_value();
    if (reply.Ok()) {
      Expect(there, one.call->words(), " gave OK, and the record is absent");
    } else if (reply.outcome == TEAL_NOT_APPLIED) {
      Expect(!there, one.call->words(), " gave ", reply.Says(), ", and the record is there");
    }
  }
}

constexpr std::array<Test, 2> kTests = {
    {{"ERR-1", Needs::kNothing, 60, FormOfErrors}, {"ERR-2", Needs::kMemory, 180, NotAppliedIsTrue}}};

}  // namespace

std::span<const Test> ErrorTests() {
  return kTests;
}

}  // namespace teal::kit

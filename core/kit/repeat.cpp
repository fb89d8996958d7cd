// A commit that is sent again: never a conflict with itself.
#include <array>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/memory.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

// The host's own repeat: the same operations under the same key, after the first was answered.
void RepeatByHost(Memory& memory) {
  const auto repeat = [&](const std::vector<Op>& ops, const std::string& id) {
    CallSpec spec;
    spec.idempotency_key = id;
    Call& first = memory.BeginCommit(ops, spec);
    const Reply& was = first.Wait();
    if (!was.Ok()) Fail(first.words(), " gave ", was.Says());
    for (int n = 0; n < 2; ++n) {
      Call& again = memory.BeginCommit(ops, spec);
      const Reply& is = again.Wait();
      if (is.outcome == TEAL_OUTCOME_UNKNOWN && !is.Ok()) continue;
      Expect(is.Ok(), "a repeat of ", first.words(), " under the same idempotency key gave ", is.Says());
      Expect(is.versions.size() == was.versions.size(), "a repeat of ", first.words(), " gave ", is.versions.size(),
             " versions");
      for (std::size_t i = 0; i < is.versions.size(); ++i) {
        Expect(SameVersion(is.versions[i], was.versions[i]), "a repeat of ", first.words(), " gave version ",
               Show(is.versions[i]), ", the first ", Show(was.versions[i]));
      }
    }
  };
  const Key key = MakeKey("p", "s");
  repeat({Create(key, "one")}, "commit-1");
  repeat({Replace(key, "two", memory.MustGet(key)->version)}, "commit-2");
  const auto record = memory.MustGet(key);
  Expect(record && record->value == "two", "after the repeats ", Show(key), " holds ",
         record ? Show(record->value) : "nothing");
  repeat({DeleteIf(key, record->version)}, "commit-3");
  if (memory.caps().commit_ops_max >= 2) {
    const Key other = MakeKey("q", "s");
    repeat({Create(key, "three"), Create(other, "three")}, "commit-4");
  }
  // Another commit under another key is judged on its own.
  CallSpec spec;
  spec.idempotency_key = "commit-5";
  memory.Must(Put(key, "now there"));
  const Reply& conflict = memory.Commit(Create(key, "five"), spec);
  Expect(conflict.code == TEAL_CONFLICT, "a commit under a new idempotency key whose condition fails gave ",
         conflict.Says());
}

// The plugin's own repeats: answers of the service behind are lost after it acted.
void LostAnswers(Memory& memory) {
  const std::array<std::string, 4> faults = {R"({"seed":1,"rules":[{"fault":"lost_answer","count":1}]})",
                                             R"({"seed":2,"rules":[{"fault":"timeout","count":1}]})",
                                             R"({"seed":3,"rules":[{"fault":"status_after","status":500,"count":1}]})",
                                             R"({"seed":4,"rules":[{"fault":"cut","count":1}]})"};
  int n = 0;
  for (const std::string& fault : faults) {
    for (const bool with_id : {false, true}) {
      const Key key = MakeKey("lost", Text("s", n++));
      CallSpec spec;
      if (with_id) spec.idempotency_key = Text("lost-", n);
      const std::string value = Text("value ", n);
      SetHttpFaults(fault);
      Call& create = memory.BeginCommit({Create(key, value)}, spec);
      const Reply& reply = create.Wait();
      SetHttpFaults("");
      const auto record = memory.MustGet(key);
      Expect(reply.code != TEAL_CONFLICT, "with the answer lost (", fault, ") ", create.words(),
             " of an absent record gave CONFLICT; now it holds ", record ? Show(record->value) : "nothing");
      if (reply.Ok()) {
        Expect(record && record->value == value, create.words(), " gave OK, and the record holds ",
               record ? Show(record->value) : "nothing");
        Expect(SameVersion(record->version, reply.versions.at(0)), create.words(), " gave version ",
               Show(reply.versions[0]), ", the record has ", Show(record->version));
      } else if (reply.outcome == TEAL_NOT_APPLIED) {
        Expect(!record, create.words(), " gave ", reply.Says(), ", and the record is there");
      }
      if (!record) continue;
      SetHttpFaults(fault);
      Call& replace = memory.BeginCommit({Replace(key, value + " again", record->version)});
      const Reply& second = replace.Wait();
      SetHttpFaults("");
      const auto now = memory.MustGet(key);
      Expect(second.code != TEAL_CONFLICT, "with the answer lost (", fault, ") ", replace.words(),
             " of the version that was there gave CONFLICT; now it holds ", now ? Show(now->value) : "nothing");
    }
  }
}

void NeverAConflictWithItself() {
  Host host;
  Memory memory(host);
  const bool remembers = memory.caps().idempotency_window_ns != 0;
  if (remembers) RepeatByHost(memory);
  if (!host.HttpUsed()) {
    if (!remembers) NotOffered("idempotency_window_ns is 0, and no answer of " TEAL_HTTP_ID " can be lost");
    return;
  }
  LostAnswers(memory);
}

constexpr std::array<Test, 1> kTests = {{{"ERR-3", Needs::kMemory, 180, NeverAConflictWithItself}}};

}  // namespace

std::span<const Test> RepeatTests() {
  return kTests;
}

}  // namespace teal::kit

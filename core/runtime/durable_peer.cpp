// What a session does to another: sends it an event, or starts it. Both are repeated under the key of the step.
#include "core/runtime/durable.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using vm::Value;
using Code = ServiceError::Code;

namespace {

constexpr int64_t kAskAgainNs = 1'000'000'000;
constexpr int64_t kSoonestNs = 10'000'000;
constexpr uint64_t kSoonSpreadNs = 90'000'000;

}  // namespace

void DurableSessions::SendFor(const std::string& key, const std::string& sid, const std::string& event, Value value,
                              PeerDone done) {
  WithEventsOf(sid, [this, key, sid, event, value, done = std::move(done)](Session* session, const ServiceError* why) {
    const auto answer = [this, &done](Value error) { runtime_->Later([done, error] { done(error, Value()); }); };
    if (session == nullptr && why->code == Code::kNotFound) {
      return answer(vm::MakeError("not_found", "send: there is no session " + sid));
    }
    if (session == nullptr && why->code == Code::kConflict) {
      return answer(vm::MakeError("conflict", "send: the session " + sid + " has ended"));
    }
    const auto again = [this, key, sid, event, value, done] {
      Again([this, key, sid, event, value, done] { SendFor(key, sid, event, value, done); });
    };
    if (session == nullptr && why == &kElsewhere) {
      return runtime_->Later([this, key, sid, event, value, done, again] {
        const SideEdit edit = EventBeside(sid, Sending{event, value, key, false, nullptr});
        Beside(sid, edit, again, [sid, done, again](std::optional<ServiceError> error) {
          if (!error) return done(Value(), Value());
          if (error->code == Code::kOverloaded) {
            return done(vm::MakeError("limit", "send: the session " + sid + " has as many events waiting as it may"),
                        Value());
          }
          again();  // what is amiss is found out in the usual way
        });
      });
    }
    if (session == nullptr) return runtime_->Later(again);  // not with the mutex
    switch (session->Deliver(event, value, key)) {
      case Session::Delivery::kEnded:
        // If that is what the store will have, and not another host's to say.
        return session->TellWhenKept([done, again, sid](const Status& status) {
          if (!status.ok()) return again();
          done(vm::MakeError("conflict", "send: the session " + sid + " has ended"), Value());
        });
      case Session::Delivery::kFull:
        return answer(vm::MakeError("limit", "send: the session " + sid + " has as many events waiting as it may"));
      case Session::Delivery::kTaken:
      case Session::Delivery::kRepeated:
        session->TellWhenKept([done, again](const Status& status) {
          if (!status.ok()) return again();
          done(Value(), Value());
        });
        return;
    }
  });
}

void DurableSessions::StartFor(const std::string& key, SessionStart start, const std::string& function, bool reject,
                               PeerDone done) {
  StartRequest request;
  request.function = function;
  request.source = start.id.empty() ? "session" : "api";
  request.id = start.id.empty() ? key : start.id;
  // Who made it, so that a repeat of this step is told from another's session of the same id.
  request.labels.emplace_back("started_by", key);
  const std::string sid = SidOf(request);
  GetRecord(sid, [this, key, start, function, reject, done, request, sid](Served<record::Session> record) mutable {
    const auto again = [this, key, start, function, reject, done] {
      Again([this, key, start, function, reject, done] { StartFor(key, start, function, reject, done); });
    };
    if (!record.error) {
      bool ours = false;
      for (const record::Label& label : record.value.labels) {
        ours = ours || (label.key == "started_by" && label.value == key);
      }
      if (reject && !ours)
        return done(vm::MakeError("conflict", "start: there is a session with this id already"), Value());
      return done(Value(), vm::MakeString(sid));
    }
    if (record.error->code != Code::kNotFound) return again();
    {
      const std::lock_guard<std::mutex> lock(runtime_->mutex());
      if (runtime_->Find(sid) != nullptr) return again();  // on its way into the store
    }
    if (coming_.count(sid) > 0) return again();
    Sha256 program = active_;
    for (const auto& [id, loaded] : programs_) {
      if (loaded.program == start.program) program = id;
    }
    SessionStart copy = start;
    Begin(request, program, sid, std::move(copy), [done, again, sid](const Served<StartAnswer>& answer) {
      if (answer.error) return again();
      done(Value(), vm::MakeString(sid));
    });
  });
}

void DurableSessions::Again(std::function<void()> call) {
  After(kAskAgainNs, std::move(call));
}

// Two that got into one another's way do not do so again.
void DurableSessions::Soon(std::function<void()> call) {
  uint64_t mixed = (agains_ + 1) * 0x9e3779b97f4a7c15u;
  for (const uint8_t byte : options_.incarnation) mixed = (mixed ^ byte) * 0x100000001b3u;
  After(kSoonestNs + static_cast<int64_t>((mixed >> 20) % kSoonSpreadNs), std::move(call));
}

void DurableSessions::After(int64_t delay_ns, std::function<void()> call) {
  const std::string name = "again " + std::to_string(++agains_);
  const int64_t then = Now() + delay_ns;
  following_[name].push_back({then, std::move(call)});
  WaitUntil(then);
}

}  // namespace teal::runtime

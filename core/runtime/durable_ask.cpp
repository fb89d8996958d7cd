// What is asked of sessions from outside.
#include <algorithm>

#include "core/runtime/durable.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"
#include "core/vm/json.h"

namespace teal::runtime {

using Code = ServiceError::Code;

namespace {

ServiceError HasEndedError(const std::string& sid) {
  return {Code::kConflict, "the session " + sid + " has ended", "", 0};
}

}  // namespace

// Takes the session into memory, changes it, and answers when that is in the store.
void DurableSessions::Change(std::string sid, std::function<std::optional<ServiceError>(Session&)> change,
                             Done<SessionView> done, bool dead_too) {
  Post([this, sid = std::move(sid), change = std::move(change), done = std::move(done), dead_too]() mutable {
    With(sid, [this, sid, change = std::move(change), done = std::move(done), dead_too](Session* session,
                                                                                        const ServiceError* why) {
      if (session == nullptr) {
        runtime_->Later([done, error = *why] { done({error, {}}); });
        return;
      }
      if (session->ended()) {
        runtime_->Later([done, sid] { done({HasEndedError(sid), {}}); });
        return;
      }
      if (session->IsDead() && !dead_too) {
        runtime_->Later([done, sid] {
          done({ServiceError{Code::kConflict, "the session " + sid + " is dead: it ended its host again and again",
                             "let it go on with teal dead retry " + sid + ", or end it with teal dead drop " + sid, 0},
                {}});
        });
        return;
      }
      if (std::optional<ServiceError> error = change(*session)) {
        runtime_->Later([done, error = std::move(*error)] { done({error, {}}); });
        return;
      }
      session->TellWhenKept([this, sid, done](const Status& status) {
        if (!status.ok()) return done({ErrorOf(status.failure()), {}});
        Get(sid, done);
      });
    });
  });
}

void DurableSessions::Cancel(std::string sid, Done<SessionView> done) {
  Change(
      std::move(sid),
      [](Session& session) -> std::optional<ServiceError> {
        session.CancelAll();
        return std::nullopt;
      },
      std::move(done));
}

void DurableSessions::Terminate(std::string sid, Done<SessionView> done) {
  Change(
      std::move(sid),
      [](Session& session) -> std::optional<ServiceError> {
        session.MarkTerminated();
        session.EndNow(SessionStatus::kCancelled, vm::MakeError("terminated", "the session was terminated"));
        return std::nullopt;
      },
      std::move(done));
}

void DurableSessions::Pause(std::string sid, Done<SessionView> done) {
  Change(
      std::move(sid),
      [now = Now()](Session& session) -> std::optional<ServiceError> {
        if (session.kept()->head.paused) return std::nullopt;
        session.SetPaused(record::Paused{"asked", static_cast<uint64_t>(std::max<int64_t>(now, 1)), {}});
        return std::nullopt;
      },
      std::move(done));
}

void DurableSessions::Resume(std::string sid, Done<SessionView> done) {
  // Not before it has the foreign code of its program again.
  ProvideAgain(sid, [this, sid, done = std::move(done)](std::optional<ServiceError> error) mutable {
    if (error) return done({std::move(error), {}});
    Change(
        sid,
        [](Session& session) -> std::optional<ServiceError> {
          if (session.kept()->head.paused) session.SetPaused(std::nullopt);
          return std::nullopt;
        },
        std::move(done));
  });
}

void DurableSessions::Published(std::string sid, Done<std::vector<std::pair<std::string, std::string>>> done) {
  Post([this, sid = std::move(sid), done = std::move(done)]() mutable {
    GetRecord(sid, [done = std::move(done)](Served<record::Session> record) {
      if (record.error) return done({std::move(record.error), {}});
      std::vector<std::pair<std::string, std::string>> all;
      for (const record::Published& one : record.value.published) {
        Result<vm::Value> value = vm::DecodeValue(one.value.bytes, nullptr);
        std::string json;
        vm::Value error;
        if (value.ok() && vm::EncodeJson(*value, &json, &error)) all.emplace_back(one.key, std::move(json));
      }
      done({std::nullopt, std::move(all)});
    });
  });
}

// ---- threads ----

void DurableSessions::Threads(std::string sid, Done<std::vector<ThreadView>> done) {
  Post([this, sid = std::move(sid), done = std::move(done)]() mutable {
    With(sid, [this, done = std::move(done)](Session* session, const ServiceError* why) {
      if (session == nullptr) {
        // One that has ended has no threads.
        if (why->code == Code::kConflict) {
          runtime_->Later([done] { done({std::nullopt, {}}); });
        } else {
          runtime_->Later([done, error = *why] { done({error, {}}); });
        }
        return;
      }
      runtime_->Later([done, threads = session->ViewThreads()] { done({std::nullopt, threads}); });
    });
  });
}

}  // namespace teal::runtime

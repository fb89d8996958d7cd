// What is asked of sessions from outside.
#include <algorithm>

#include "core/runtime/durable.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"
#include "core/vm/json.h"

namespace teal::runtime {

using Code = ServiceError::Code;

namespace {

constexpr uint64_t kTerminateWaitNs = 10'000'000'000;
// Whoever carries a session finds by then what was written beside, and has left it, if it does.
constexpr int64_t kLeftByThenNs = 1'000'000'000;

ServiceError HasEndedError(const std::string& sid) {
  return {Code::kConflict, "the session " + sid + " has ended", "", 0};
}

}  // namespace

// Takes the session into memory, changes it, and answers when that is in the store.
void DurableSessions::Change(std::string sid, std::function<std::optional<ServiceError>(Session&)> change,
                             SideEdit beside, Done<SessionView> done, bool dead_too) {
  Post([this, sid = std::move(sid), change = std::move(change), beside = std::move(beside), done = std::move(done),
        dead_too]() mutable {
    const auto again = [this, sid, change, beside, done, dead_too] {
      Soon([this, sid, change, beside, done, dead_too] { Change(sid, change, beside, done, dead_too); });
    };
    With(sid, [this, sid, change, beside, done, dead_too, again](Session* session, const ServiceError* why) {
      if (session == nullptr && why == &kElsewhere) {
        runtime_->Later([this, sid, beside, done, dead_too, again] {
          const SideEdit edit = [sid, beside, dead_too](record::Session& found) -> Served<bool> {
            if (IsDead(found) && !dead_too) return {IsDeadError(sid), false};
            return beside(found);
          };
          Beside(sid, edit, again, [this, sid, done](std::optional<ServiceError> error) {
            if (error) return done({std::move(error), {}});
            Get(sid, done);
          });
        });
        return;
      }
      if (session == nullptr) {
        runtime_->Later([done, error = *why] { done({error, {}}); });
        return;
      }
      const bool ended = session->ended();
      if (!ended && session->IsDead() && !dead_too) {
        runtime_->Later([done, sid] { done({IsDeadError(sid), {}}); });
        return;
      }
      if (!ended) {
        if (std::optional<ServiceError> error = change(*session)) {
          runtime_->Later([done, error = std::move(*error)] { done({error, {}}); });
          return;
        }
      }
      // Also what an end says is said when the store has it: another host may have the session.
      session->TellWhenKept([this, sid, ended, done, again](const Status& status) {
        if (MustAskAgain(status)) return again();
        if (!status.ok()) return done({ErrorOf(status.failure()), {}});
        if (ended) return done({HasEndedError(sid), {}});
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
      [](record::Session& session) -> Served<bool> {
        if (session.main.cancel != record::Cancel::kNo) return {std::nullopt, false};
        session.main.cancel = record::Cancel::kCancel;
        return {std::nullopt, true};
      },
      std::move(done));
}

void DurableSessions::Terminate(std::string sid, Done<SessionView> done) {
  Change(
      sid,
      [](Session& session) -> std::optional<ServiceError> {
        session.MarkTerminated();
        session.EndNow(SessionStatus::kCancelled, vm::MakeError("terminated", "the session was terminated"));
        return std::nullopt;
      },
      [](record::Session& session) -> Served<bool> {
        if (session.main.cancel == record::Cancel::kTerminate) return {std::nullopt, false};
        session.main.cancel = record::Cancel::kTerminate;
        return {std::nullopt, true};
      },
      // Whoever carries it ends it, and that is soon; what was asked for holds in any case.
      [this, sid, done = std::move(done)](Served<SessionView> view) mutable {
        if (view.error || HasEnded(view.value.status)) return done(std::move(view));
        Wait(sid, kTerminateWaitNs, std::move(done));
      });
}

void DurableSessions::Pause(std::string sid, Done<SessionView> done) {
  Change(
      std::move(sid),
      [now = Now()](Session& session) -> std::optional<ServiceError> {
        if (session.kept()->head.paused) return std::nullopt;
        session.SetPaused(record::Paused{"asked", static_cast<uint64_t>(std::max<int64_t>(now, 1)), {}});
        return std::nullopt;
      },
      [now = Now()](record::Session& session) -> Served<bool> {
        if (session.paused) return {std::nullopt, false};
        session.paused = record::Paused{"asked", static_cast<uint64_t>(std::max<int64_t>(now, 1)), {}};
        return {std::nullopt, true};
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
        [this, sid](record::Session& session) -> Served<bool> {
          if (!session.paused) return {std::nullopt, false};
          session.paused.reset();
          // A host that carries it and has not its foreign code leaves it to this one.
          NoteDue(sid, Now() + kLeftByThenNs);
          return {std::nullopt, true};
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

}  // namespace teal::runtime

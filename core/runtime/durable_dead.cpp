// Sessions that end their host (P-25). Who ran when the life before ended is noted (running_note.h). That is counted in
// the session's record, by a write before it is carried again; what the session achieves since takes the count back. At
// the third time it is set aside: `dead`, until somebody lets it go on or drops it.
#include "core/runtime/durable.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using Code = ServiceError::Code;

namespace {

constexpr uint32_t kCrashesMax = 3;

ServiceError IsNotDeadError(const std::string& sid) {
  return {Code::kConflict, "the session " + sid + " is not dead", "", 0};
}

}  // namespace

bool DurableSessions::IsDead(const record::Session& session) {
  return session.ended_unix_ns == 0 && session.paused && session.paused->reason.starts_with(kDeadReason);
}

ServiceError DurableSessions::IsDeadError(const std::string& sid) {
  return {Code::kConflict, "the session " + sid + " is dead: it ended its host again and again",
          "let it go on with teal dead retry " + sid + ", or end it with teal dead drop " + sid, 0};
}

// own: its record, as the store has it. Goes on taking it up, whatever comes of the write.
void DurableSessions::Blame(const std::string& sid, StoreItem own) {
  Result<record::Session> session = record::DecodeSession(own.key, own.bytes);
  if (!session.ok() || session->ended_unix_ns > 0 || record::IsErase(session->main.status) || session->paused) {
    return TakeUp(sid);
  }
  StoreWrite write;
  write.key = own.key;
  write.condition = StoreCondition::kVersion;
  write.expected = own.version;
  write.due_unix_ns = own.due_unix_ns;
  ++session->main.attempts;
  if (session->main.attempts >= kCrashesMax) {
    const std::string times = std::to_string(session->main.attempts);
    session->paused = record::Paused{
        std::string(kDeadReason) + ": it ran when its host ended, " + times + " times without getting further",
        static_cast<uint64_t>(std::max<int64_t>(Now(), 1)),
        {}};
    write.due_unix_ns = 0;
    Log("the session " + sid + " is set aside: it ended its host " + times + " times; see teal dead show " + sid);
  } else {
    Log("the session " + sid + " ran when the host ended; at the third time it is set aside");
  }
  Result<std::string> bytes = record::Encode(own.key, *session);
  if (!bytes.ok()) return TakeUp(sid);
  write.bytes = std::move(*bytes);
  options_.store->Commit({std::move(write)},
                         [this, sid](const Result<StoreCommitted>&) { Post([this, sid] { TakeUp(sid); }); });
}

void DurableSessions::RetryDead(std::string sid, Done<SessionView> done) {
  Change(
      sid,
      [](Session& session) -> std::optional<ServiceError> {
        if (!session.IsDead()) return IsNotDeadError(session.sid());
        session.kept()->crashes = 0;
        session.SetPaused(std::nullopt);
        return std::nullopt;
      },
      [sid](record::Session& session) -> Served<bool> {
        if (!IsDead(session)) return {IsNotDeadError(sid), false};
        session.paused.reset();
        return {std::nullopt, true};
      },
      std::move(done), /*dead_too=*/true);
}

void DurableSessions::DropDead(std::string sid, Done<SessionView> done) {
  Change(
      sid,
      [](Session& session) -> std::optional<ServiceError> {
        if (!session.IsDead()) return IsNotDeadError(session.sid());
        session.MarkTerminated();
        session.EndNow(SessionStatus::kCancelled, vm::MakeError("terminated", "the session was dead and was dropped"));
        return std::nullopt;
      },
      [sid](record::Session& session) -> Served<bool> {
        if (!IsDead(session)) return {IsNotDeadError(sid), false};
        session.main.cancel = record::Cancel::kTerminate;
        return {std::nullopt, true};
      },
      std::move(done), /*dead_too=*/true);
}

}  // namespace teal::runtime

#include "core/runtime/runtime.h"

#include <cassert>

#include "core/runtime/host_alone.h"
#include "core/runtime/limiter.h"
#include "core/runtime/scheduler.h"
#include "core/runtime/session.h"

namespace teal::runtime {

std::string_view NameOf(SessionStatus status) {
  switch (status) {
    case SessionStatus::kRunning:
      return "running";
    case SessionStatus::kDone:
      return "done";
    case SessionStatus::kFailed:
      return "failed";
    case SessionStatus::kCancelled:
      return "cancelled";
  }
  return "running";
}

Runtime::Runtime(RuntimeOptions options)
    : options_(options),
      // A session that is written down must not move on elsewhere meanwhile; virtual time must pass in one order.
      scheduler_(std::make_unique<Scheduler>(
          options.clock, options.suspension.move_at != 0 || options.clock->IsVirtual() || options.store != nullptr
                             ? 1
                             : options.cores)) {
  assert(options.clock != nullptr && options.output != nullptr);
}

Runtime::~Runtime() {
  if (options_.foreign != nullptr) options_.foreign->Shutdown();
  // An OS thread of the scheduler that was woken before the end may look for work only now: it must find none.
  const std::lock_guard<std::mutex> lock(scheduler_->mutex());
  for (const std::shared_ptr<Session>& session : sessions_) {
    scheduler_->Forget(session.get());
    if (session->kept() != nullptr) {  // who waits to be told may hold the session
      session->kept()->told.clear();
      session->kept()->told_in_air.clear();
    }
  }
}

Session* Runtime::Find(std::string_view sid) {
  const auto found = by_sid_.find(sid);
  return found == by_sid_.end() ? nullptr : found->second;
}

Limiter* Runtime::LimiterOf(const vm::Program& program, bool is_import, uint32_t index, const std::string& name,
                            const LimitPolicy& policy) {
  std::unique_ptr<Limiter>& limiter = limiters_[{program.hash(), is_import, index}];
  if (limiter == nullptr) limiter = std::make_unique<Limiter>(scheduler_.get(), index, name, policy);
  return limiter.get();
}

Session* Runtime::Keep(std::shared_ptr<Session> session) {
  Session* const kept = session.get();
  assert(by_sid_.find(kept->sid()) == by_sid_.end());
  by_sid_.emplace(kept->sid(), kept);
  sessions_.push_back(std::move(session));
  ++living_;
  return kept;
}

Result<Session*> Runtime::Add(SessionStart start) {
  if (start.id.empty()) start.id = RandomSid();
  if (Find(start.id) != nullptr) return Fail(FailureCode::kInvalid, "there is a session with the id " + start.id);
  Session* const session = Keep(std::make_shared<Session>(this, std::move(start)));
  session->Begin();
  return session;
}

Result<std::string> Runtime::Start(SessionStart start) {
  const std::lock_guard<std::mutex> lock(scheduler_->mutex());
  Result<Session*> added = Add(std::move(start));
  if (!added.ok()) return added.failure();
  return (*added)->sid();
}

Result<std::string> Runtime::TakeUp(SessionStart start, std::string_view bytes) {
  const std::lock_guard<std::mutex> lock(scheduler_->mutex());
  Result<std::string> sid = Session::SidOfWritten(bytes);
  if (!sid.ok()) return sid;
  start.id = std::move(*sid);
  if (Find(start.id) != nullptr) return Fail(FailureCode::kInvalid, "there is a session with the id " + start.id);
  Session* const session = Keep(std::make_shared<Session>(this, std::move(start)));
  const Status taken = session->TakeUp(bytes);
  if (!taken.ok()) {
    session->EndNow(SessionStatus::kFailed, vm::MakeError("internal", taken.failure().message));
    return taken.failure();
  }
  return session->sid();
}

void Runtime::Run() {
  std::unique_lock<std::mutex> lock(scheduler_->mutex());
  scheduler_->Run(
      lock, [this] { return AllEnded() || !moved_.empty(); }, [this] { options_.output->Flush(); },
      [this] {
        // Ending one may start none, but wakes nobody either: all that live are stuck.
        for (size_t i = 0; i < sessions_.size(); ++i) sessions_[i]->EndStuck();
      });
  lock.unlock();
  options_.output->Flush();
}

Result<SessionOutcome> Runtime::OutcomeOf(std::string_view sid) {
  const std::lock_guard<std::mutex> lock(scheduler_->mutex());
  const Session* session = Find(sid);
  if (session == nullptr) return Fail(FailureCode::kNotFound, "there is no session " + std::string(sid));
  return session->outcome();
}

void Runtime::CancelAll() {
  const std::lock_guard<std::mutex> lock(scheduler_->mutex());
  for (size_t i = 0; i < sessions_.size(); ++i) sessions_[i]->CancelAll();
}

void Runtime::EndAll() {
  const std::lock_guard<std::mutex> lock(scheduler_->mutex());
  for (size_t i = 0; i < sessions_.size(); ++i) {
    sessions_[i]->EndNow(SessionStatus::kCancelled, vm::MakeError("cancelled", "the session was ended"));
  }
}

bool Runtime::CountSuspension() {
  return moved_.empty() && ++suspensions_ == options_.suspension.move_at;
}

void Runtime::Move(Session& session, const ThreadRecord& running) {
  // Only a program of one session can be moved whole.
  if (sessions_.size() != 1) return;
  Result<std::string> written = session.WriteDown(running);
  if (written.ok()) {
    moved_ = std::move(*written);
  } else {
    session.EndNow(SessionStatus::kFailed, vm::MakeError("internal", written.failure().message));
  }
}

}  // namespace teal::runtime

// What threads ask for, and how they are answered.
#include <cassert>

#include "core/runtime/host_alone.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using vm::RequestKind;
using vm::Value;

namespace {

// Host builtins at which `cancelled` is raised: where a thread suspends, and where something leaves it.
bool IsSuspensionOrEffect(const vm::Request& request) {
  if (request.kind != RequestKind::kHost) return true;
  switch (request.id) {
    case vm::kBuiltin_sleep:
    case vm::kBuiltin_send:
    case vm::kBuiltin_start:
    case vm::kBuiltin_reply:
    case vm::kBuiltin___wait:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool Session::AnswerAlone(ThreadRecord& record) {
  const vm::Request& request = record.thread->request();
  if (request.kind != RequestKind::kHost) return false;
  Value answer;
  switch (
      AnswerHostAlone({sid_, record.tid(), *runtime_->options_.clock, *runtime_->options_.output}, request, &answer)) {
    case HostAnswer::kNotMine:
      return false;
    case HostAnswer::kValue:
      record.thread->Resolve(std::move(answer));
      break;
    case HostAnswer::kError:
      record.thread->Raise(std::move(answer));
      break;
  }
  record.asked = false;
  return true;
}

Session::Handled Session::Handle(ThreadRecord& record, std::unique_lock<std::mutex>& lock) {
  const vm::Request& request = record.thread->request();
  if (record.cancel_requested && !record.cancel_raised && IsSuspensionOrEffect(request)) {
    BeginGrace(record);
    return RaiseHere(record, vm::MakeError("cancelled", "the thread was cancelled"));
  }
  switch (request.kind) {
    case RequestKind::kForeign:
      return HandleForeign(record, lock);
    case RequestKind::kSpawn:
      return HandleSpawn(record);
    case RequestKind::kAwait:
      assert(request.arguments.size() == 1);
      return AwaitFuture(record, request.arguments[0]);
    case RequestKind::kHost:
      return AnswerAlone(record) ? Handled::kAnswered : HandleHost(record);
    case RequestKind::kNone:
      break;
  }
  assert(!"a thread that asked for nothing");
  return Handled::kAnswered;
}

Session::Handled Session::HandleSpawn(ThreadRecord& record) {
  const vm::Request& request = record.thread->request();
  assert(!request.arguments.empty());
  uint64_t step = 0;
  if (!TakeEffectStep(record, &step)) return Handled::kParked;
  std::vector<Value> arguments;
  arguments.reserve(request.arguments.size() - 1);
  for (Value& argument : request.arguments.subspan(1)) arguments.push_back(std::move(argument));
  std::unique_ptr<Admission> admission;
  if (!function_policies_.empty() && request.arguments[0].tag() == vm::Tag::kFunction) {
    Value error;
    admission = AdmissionToFunction(request.arguments[0].AsIndex(), arguments, request.keywords, &error);
    if (!error.IsNull()) return RaiseHere(record, std::move(error));
  }
  ThreadRecord* child = Spawn(record, step, request.arguments[0], std::move(arguments), request.keywords);
  if (child == nullptr) return Handled::kParked;
  child->admission = std::move(admission);
  return AnswerHere(record, FutureOf(*child));
}

Session::Handled Session::HandleHost(ThreadRecord& record) {
  switch (record.thread->request().id) {
    case vm::kBuiltin_sleep:
      return HostSleep(record);
    case vm::kBuiltin_event:
      return HostEvent(record, false);
    case vm::kBuiltin_request:
      return HostEvent(record, true);
    case vm::kBuiltin_reply:
      return HostReply(record);
    case vm::kBuiltin_publish:
      return HostPublish(record);
    case vm::kBuiltin_send:
      return HostSend(record);
    case vm::kBuiltin_start:
      return HostStart(record);
    case vm::kBuiltin_cancel:
      return HostCancel(record);
    case vm::kBuiltin_timer:
      return HostTimer(record, false);
    case vm::kBuiltin_timer_at:
      return HostTimer(record, true);
    case vm::kBuiltin_timeout:
      return HostTimeout(record);
    case vm::kBuiltin___wait:
      return HostWait(record);
    case vm::kBuiltin___abandon:
      return HostAbandon(record);
    case vm::kBuiltin___outcome:
      return HostOutcome(record);
    default:
      return RaiseHere(record, vm::MakeError("internal", "a builtin that this runtime does not know"));
  }
}

// ---- answering ----

Session::Handled Session::AnswerHere(ThreadRecord& record, Value value) {
  record.asked = false;
  record.has_effect_step = false;
  record.thread->Resolve(std::move(value));
  return Handled::kAnswered;
}

Session::Handled Session::RaiseHere(ThreadRecord& record, Value error) {
  record.asked = false;
  record.has_effect_step = false;
  record.thread->Raise(std::move(error));
  return Handled::kAnswered;
}

void Session::Park(ThreadRecord& record, Phase phase, WaitKind wait) {
  assert(phase == Phase::kWaiting || phase == Phase::kForeign);
  record.phase = phase;
  record.wait = wait;
  record.parked = ++parks_;
  if (living_ > kRoomyThreadsMax) record.thread->Shrink();
  if (phase == Phase::kWaiting) GiveSlotBack(record);
}

void Session::Unpark(ThreadRecord& record) {
  if (record.wait == WaitKind::kTime || record.wait == WaitKind::kRetry) scheduler_.TimerIsVoid();
  if (record.wait == WaitKind::kFuture && record.awaits->armed) scheduler_.TimerIsVoid();
  ++record.generation;
  record.wait = WaitKind::kNone;
  record.awaits = nullptr;
  record.several.reset();
}

void Session::Answer(ThreadRecord& record, Value value) {
  Unpark(record);
  record.answered = AnswerKind::kValue;
  record.answer = std::move(value);
  scheduler_.MakeReady(&record);
}

void Session::AnswerWholeError(ThreadRecord& record, Value error) {
  Unpark(record);
  record.answered = AnswerKind::kError;
  record.answer = std::move(error);
  scheduler_.MakeReady(&record);
}

void Session::AnswerError(ThreadRecord& record, Value error) {
  AnswerWholeError(record, WithTraceOf(*record.thread, std::move(error)));
}

void Session::TakeAnswer(ThreadRecord& record) {
  const AnswerKind kind = record.answered;
  record.answered = AnswerKind::kNone;
  if (kind == AnswerKind::kValue) AnswerHere(record, std::move(record.answer));
  if (kind == AnswerKind::kError) RaiseHere(record, std::move(record.answer));
  record.answer = Value();
}

// ---- timers ----

bool Session::TimerMatters(const Timer& timer) const {
  if (ended_) return false;
  switch (timer.kind) {
    case TimerKind::kFuture: {
      const FutureCell* cell = static_cast<const FutureCell*>(timer.target);
      if (cell->state != CellState::kPending) return false;
      if (cell->kind == vm::FutureKind::kTimeout) return true;
      // A timer that nobody waits for keeps no session alive.
      return cell->waiters.AnyWaits();
    }
    case TimerKind::kThread: {
      const ThreadRecord* record = static_cast<const ThreadRecord*>(timer.target);
      return record->phase != Phase::kEnded && record->generation == timer.generation;
    }
    case TimerKind::kTerminate:
      return static_cast<const ThreadRecord*>(timer.target)->phase != Phase::kEnded;
  }
  return false;
}

}  // namespace teal::runtime

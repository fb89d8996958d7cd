// Foreign calls: attempts, lost workers, and fakes that stand in for them in tests.
#include <cassert>

#include "core/base/mutant.h"
#include "core/runtime/carry.h"
#include "core/runtime/running_note.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using vm::Tag;
using vm::Value;

namespace {

std::string NameOfImport(const vm::Import& import) {
  return import.module + "." + import.function;
}

}  // namespace

Session::Handled Session::HandleForeign(ThreadRecord& record, std::unique_lock<std::mutex>& lock) {
  const vm::Request& request = record.thread->request();
  assert(request.id < program_->imports().size());
  if (record.call == nullptr) {
    record.call = std::make_unique<PendingCall>();
  }
  if (record.wake_ns != 0) {
    // It moved here between two attempts.
    if (record.wake_ns > scheduler_.clock().NowUnixNs()) return WaitForAttempt(record);
    record.wake_ns = 0;
  }
  uint64_t step = 0;
  if (!TakeEffectStep(record, &step)) return Handled::kParked;
  if (record.call->interrupted && !TEAL_MUTANT("at_most_once_again")) {
    record.call.reset();
    return RaiseHere(record, vm::MakeError("interrupted", NameOfImport(program_->imports()[request.id]) +
                                                              " runs at most once, and its host was lost meanwhile"));
  }
  std::unique_ptr<Admission>& admission = record.call->admission;
  if (admission == nullptr) {
    Value error;
    admission = AdmissionToImport(request, &error);
    if (!error.IsNull()) {
      record.call.reset();
      return RaiseHere(record, std::move(error));
    }
  }
  if (admission != nullptr && !EnterOrPark(record, *admission)) return Handled::kParked;
  if (kept_ != nullptr && (!record.call->committed || !LeaseHolds()) && !policies_[request.id].pure &&
      !TEAL_MUTANT("call_before_commit"))
    return WaitAtGate(record);
  const int32_t fake = request.id < start_.fakes.size() ? start_.fakes[request.id] : -1;
  if (fake >= 0) return StartFake(record, static_cast<uint32_t>(fake));
  for (;;) {
    StartCall(record, step, lock);
    if (ended_ || record.terminate) return Handled::kParked;
    if (record.call->early == nullptr) break;
    const ForeignOutcome outcome = std::move(*record.call->early);
    record.call->early.reset();
    switch (Judge(record, outcome)) {
      case AfterCall::kValue:
        record.call.reset();
        return AnswerHere(record, outcome.value);
      case AfterCall::kError:
        record.call.reset();
        return RaiseHere(record, WithTraceOf(*record.thread, outcome.value));
      case AfterCall::kCancelled:
        BeginGrace(record);
        return RaiseHere(record, vm::MakeError("cancelled", "the thread was cancelled"));
      case AfterCall::kInterrupted:
        record.call.reset();
        return RaiseHere(record, Interrupted(outcome));
      case AfterCall::kAgainLater:
        return WaitForAttempt(record);
      case AfterCall::kAgain:
        break;
    }
  }
  Park(record, Phase::kForeign, WaitKind::kCall);
  if (record.cancel_requested && !record.cancel_raised) {
    foreign_->Cancel(record.call->number, limits_.cancel_grace_seconds);
  }
  return Handled::kParked;
}

// Gives the call away. Without the mutex meanwhile: encoding the arguments may take long.
void Session::StartCall(ThreadRecord& record, uint64_t step, std::unique_lock<std::mutex>& lock) {
  const vm::Request& request = record.thread->request();
  const CallPolicy& policy = policies_[request.id];
  PendingCall& pending = *record.call;
  // Where the store did not have to know of it first.
  if (!pending.committed) NoteStep(Happened::kStepBegun, record, program_->imports()[request.id].function);
  ForeignCall call;
  call.import = request.id;
  call.keywords = request.keywords;
  call.arguments = request.arguments;
  call.session = sid_;
  call.thread = record.tid();
  call.step = step;
  call.attempt = pending.attempt + pending.losses;
  call.timeout_seconds = policy.timeout_seconds;
  call.heartbeat_seconds = policy.heartbeat_seconds;
  call.priority = policy.priority;
  pending.in_flight = true;
  pending.number = 0;
  scheduler_.CallStarted(foreign_);
  ++calls_;
  const uint32_t generation = record.generation;
  RunningNote* const note = kept_ == nullptr ? nullptr : runtime_->options_.note;
  const size_t noted = note == nullptr ? 0 : note->CallBegins(sid_);
  call.gather = kept_ != nullptr;
  if (call.gather) runtime_->Gathers(foreign_);
  lock.unlock();
  // The session lives until its last call has ended.
  const uint64_t number = foreign_->Start(
      call, [self = shared_from_this(), this, &record, generation, note, noted](ForeignOutcome outcome) mutable {
        if (note != nullptr) note->CallEnds(noted);
        if (kept_ != nullptr) return runtime_->Land({std::move(self), &record, generation, std::move(outcome)});
        const std::lock_guard<std::mutex> guard(scheduler_.mutex());
        CallLanded(record, generation, std::move(outcome));
      });
  lock.lock();
  if (pending.in_flight) pending.number = number;
}

void Session::CallLanded(ThreadRecord& record, uint32_t generation, ForeignOutcome outcome) {
  scheduler_.CallEnded(foreign_);
  --calls_;
  CallEnded(record, generation, std::move(outcome));
}

void Session::CallEnded(ThreadRecord& record, uint32_t generation, ForeignOutcome outcome) {
  if (ended_ || record.phase == Phase::kEnded || record.generation != generation || record.call == nullptr) return;
  record.call->in_flight = false;
  record.call->number = 0;
  Touch(record);
  if (record.phase == Phase::kRunning) {
    record.call->early = std::make_unique<ForeignOutcome>(std::move(outcome));
    return;
  }
  switch (Judge(record, outcome)) {
    case AfterCall::kValue:
      record.call.reset();
      return Answer(record, std::move(outcome.value));
    case AfterCall::kError: {
      const bool whole = outcome.whole_trace;
      record.call.reset();
      return whole ? AnswerWholeError(record, std::move(outcome.value)) : AnswerError(record, std::move(outcome.value));
    }
    case AfterCall::kInterrupted:
      record.call.reset();
      return AnswerError(record, Interrupted(outcome));
    case AfterCall::kCancelled:
      return RaiseCancelled(record);
    case AfterCall::kAgainLater:
      Unpark(record);
      WaitForAttempt(record);
      return;
    case AfterCall::kAgain:
      // The thread itself makes the next attempt when it runs: its request is still there.
      Unpark(record);
      return scheduler_.MakeReady(&record);
  }
}

Session::AfterCall Session::Judge(ThreadRecord& record, const ForeignOutcome& outcome) {
  PendingCall& call = *record.call;
  const CallPolicy& policy = policies_[record.thread->request().id];
  if (record.cancel_requested && !record.cancel_raised) return AfterCall::kCancelled;
  if (outcome.ok) {
    NoteStep(Happened::kStepDone, record);
    return AfterCall::kValue;
  }
  std::string_view kind = "interrupted";
  if (!outcome.worker_lost) {
    kind = outcome.value.As<vm::Error>()->kind.Text();
  } else if (policy.at_most_once) {
    NoteError(Happened::kStepFailed, record, outcome.value);
    return AfterCall::kInterrupted;
  } else if (call.losses < kWorkerLossesMax) {
    ++call.losses;
    call.committed = false;
    NoteError(Happened::kStepRetried, record, outcome.value);
    return AfterCall::kAgain;
  }
  const bool again = policy.TriesAgain(kind, call.attempt);
  NoteError(again ? Happened::kStepRetried : Happened::kStepFailed, record, outcome.value);
  if (!again) {
    return outcome.worker_lost ? AfterCall::kInterrupted : AfterCall::kError;
  }
  record.wake_ns = After(scheduler_.clock().NowUnixNs(), policy.DelayAfter(call.attempt));
  ++call.attempt;
  call.committed = false;
  if (call.admission != nullptr) call.admission->Leave();  // others may run meanwhile
  return AfterCall::kAgainLater;
}

// The next attempt is due at record.wake_ns.
Session::Handled Session::WaitForAttempt(ThreadRecord& record) {
  Park(record, Phase::kWaiting, WaitKind::kRetry);
  scheduler_.SetTimer({record.wake_ns, 0, this, TimerKind::kThread, record.generation, &record});
  return Handled::kParked;
}

Value Session::Interrupted(const ForeignOutcome& outcome) const {
  return vm::MakeError(vm::MakeString("interrupted"), outcome.value.As<vm::Error>()->message, Value());
}

// A function of the program answers the call, in a thread of its own.
Session::Handled Session::StartFake(ThreadRecord& record, uint32_t function) {
  const vm::Request& request = record.thread->request();
  std::vector<Value> arguments(request.arguments.begin(), request.arguments.end());
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (const auto why = WhyNotCarried(arguments[i], "argument " + std::to_string(i + 1))) {
      record.call.reset();
      return RaiseHere(record, vm::MakeError("type", NameOfImport(program_->imports()[request.id]) + ": " + *why));
    }
  }
  // Each attempt is a thread of its own, so it needs a number of its own.
  ThreadRecord* child =
      Spawn(record, record.thread->TakeStep(), Value::Function(function), std::move(arguments), request.keywords);
  if (child == nullptr) return Handled::kParked;
  child->fake = true;
  child->priority = policies_[request.id].priority;
  Park(record, Phase::kWaiting, WaitKind::kFuture);
  record.awaits = &child->cell;
  Subscribe(child->cell, Waiter::Of(&record));
  return Handled::kParked;
}

}  // namespace teal::runtime

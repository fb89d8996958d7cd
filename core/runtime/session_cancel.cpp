// Cancelling: `cancelled` is raised once, at the thread's next suspension or effect; then the thread has a grace to
// clean up, and is terminated at its end.
#include <cassert>

#include "core/base/mutant.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using vm::FutureKind;
using vm::Tag;
using vm::Value;

Session::Handled Session::HostCancel(ThreadRecord& record) {
  const Value future = record.thread->request().arguments[0];
  if (future.tag() != Tag::kFuture) {
    return RaiseHere(
        record, vm::MakeError("type", "cancel takes a future, not a value of type " + std::string(TypeName(future))));
  }
  FutureCell* cell = CellOf(future);
  if (cell == nullptr) return RaiseHere(record, vm::MakeError("type", "cancel: a future of another session"));
  CancelFuture(*cell);
  return AnswerHere(record, Value());
}

void Session::CancelFuture(FutureCell& first) {
  // A thread's result, a timeout's future: what is really cancelled is what they wait for.
  FutureCell* cell = &first;
  while (cell->state == CellState::kPending) {
    switch (cell->kind) {
      case FutureKind::kThread:
        if (cell->thread->phase != Phase::kEnded) return Cancel(*cell->thread);
        assert(cell->IsChained());
        cell = cell->inner;
        break;
      case FutureKind::kTimeout:
        cell = cell->inner;
        break;
      case FutureKind::kEvent:
      case FutureKind::kRequest:
        GivePlaceBack(static_cast<MadeCell&>(*cell));
        return Resolve(*cell, false, vm::MakeError("cancelled", "the wait for the event was cancelled"));
      case FutureKind::kTimer:
        return Resolve(*cell, false, vm::MakeError("cancelled", "the timer was cancelled"));
    }
  }
}

void Session::Cancel(ThreadRecord& record) {
  if (record.phase == Phase::kEnded || (record.cancel_requested && !TEAL_MUTANT("cancelled_twice"))) return;
  record.cancel_requested = true;
  Touch(record);
  Note(Happened::kCancelled, record);
  if (!record.started) {
    // It has done nothing that could need cleaning up.
    Unpark(record);
    record.thread.reset();
    record.admission.reset();
    record.phase = Phase::kEnded;
    --living_;
    GiveSlotBack(record);
    Value error = vm::MakeError("cancelled", "the thread was cancelled before it began");
    Resolve(record.cell, false, WithWholeTrace(std::move(error), record.tid(), record.site, *program_));
    return EndIfOver();
  }
  if (record.phase == Phase::kForeign && record.wait == WaitKind::kCall) {
    // The call is told, and awaited for the grace; what comes of it is dropped, and `cancelled` raised at the call.
    if (record.call->number != 0) {
      foreign_->Cancel(record.call->number, limits_.cancel_grace_seconds);
    }
    return;
  }
  if (record.phase == Phase::kWaiting) {
    ReleaseWaited(record);
    RaiseCancelled(record);
  }
}

// A cancelled thread leaves what it waits for: an event that nobody else awaits takes no value any more, a foreign call
// answered by a fake is cancelled with it.
void Session::ReleaseWaited(ThreadRecord& record) {
  std::vector<FutureCell*> cells;
  if (record.wait == WaitKind::kFuture) cells.push_back(record.awaits);
  if (record.wait == WaitKind::kSeveral) cells = record.several->cells;
  ++record.generation;  // its own waiters count no more
  for (FutureCell* cell : cells) {
    while (cell != nullptr && cell->kind == FutureKind::kTimeout) cell = cell->inner;
    if (cell == nullptr || cell->state != CellState::kPending) continue;
    if (cell->kind == FutureKind::kThread && cell->thread->fake && cell->thread->owner == &record) {
      Cancel(*cell->thread);
      continue;
    }
    if (cell->kind != FutureKind::kEvent && cell->kind != FutureKind::kRequest) continue;
    if (cell->waiters.AnyThreadWaits()) continue;
    GivePlaceBack(static_cast<MadeCell&>(*cell));
    Resolve(*cell, false, vm::MakeError("cancelled", "the thread that waited for the event was cancelled"));
  }
}

void Session::BeginGrace(ThreadRecord& record) {
  assert(!record.cancel_raised);
  record.cancel_raised = true;
  record.call.reset();
  record.wake_ns = 0;
  const int64_t end = After(scheduler_.clock().NowUnixNs(), limits_.cancel_grace_seconds);
  record.Seldom().grace_end_ns = end;
  scheduler_.SetTimer({end, 0, this, TimerKind::kTerminate, 0, &record});
}

// Precondition: the thread is parked.
void Session::RaiseCancelled(ThreadRecord& record) {
  BeginGrace(record);
  AnswerError(record, vm::MakeError("cancelled", "the thread was cancelled"));
}

void Session::CancelAll() {
  if (ended_) return;
  cancelled_ = true;
  WantCommit();
  std::vector<ThreadRecord*> records;
  for (const auto& record : threads_) records.push_back(record.get());
  for (ThreadRecord* record : records) {
    if (ended_) return;
    Cancel(*record);
  }
}

}  // namespace teal::runtime

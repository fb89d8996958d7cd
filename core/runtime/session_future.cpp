// Futures: their cells, who waits for them, and what happens when they resolve.
#include <cassert>

#include "core/runtime/session.h"

namespace teal::runtime {

using vm::Future;
using vm::FutureKind;
using vm::Value;

FutureCell* Session::CellOf(const Value& future) {
  const Future* f = future.As<Future>();
  if (f->id.tag() != vm::Tag::kString) return nullptr;
  if (f->kind == FutureKind::kThread) {
    const auto found = threads_.find(f->id.Text());
    return found == threads_.end() ? nullptr : &found->second->cell;
  }
  const auto found = cells_.find(CellKey(*f));
  if (found != cells_.end()) return &found->second;
  // A timer needs no cell before somebody waits for it. All others have had one since they were made.
  return f->kind == FutureKind::kTimer ? AddCell(future) : nullptr;
}

FutureCell* Session::AddCell(const Value& future) {
  const Future* f = future.As<Future>();
  assert(f->kind != FutureKind::kThread);
  vm::Share(future);
  const auto [place, added] = cells_.try_emplace(CellKey(*f));
  assert(added);
  FutureCell& cell = place->second;
  cell.kind = f->kind;
  cell.future = future;
  cell.deadline_ns = f->deadline_unix_ns;
  const auto owner = threads_.find(f->id.Text());
  if (owner != threads_.end()) cell.thread = owner->second.get();
  const int64_t now = scheduler_.clock().NowUnixNs();
  if (f->kind == FutureKind::kTimer && f->deadline_unix_ns <= now) Resolve(cell, true, Value());
  if (f->kind == FutureKind::kTimeout) {
    cell.made_ns = now;
    cell.inner = CellOf(f->inner);
    assert(cell.inner != nullptr);
    Subscribe(*cell.inner, {.cell = &cell});
    if (cell.state == CellState::kPending) {
      cell.armed = true;
      scheduler_.SetTimer({cell.deadline_ns, 0, this, TimerKind::kFuture, 0, &cell});
    }
  }
  return &cell;
}

void Session::Subscribe(FutureCell& cell, Waiter waiter) {
  cell.awaited = true;
  if (cell.state != CellState::kPending) return Notify(waiter, cell);
  // Waits that ended otherwise (race, a cancelled thread) leave their waiters behind; they must not pile up.
  if (cell.waiters.size() >= 16 && (cell.waiters.size() & (cell.waiters.size() - 1)) == 0) {
    std::erase_if(cell.waiters,
                  [](const Waiter& w) { return w.thread != nullptr && w.thread->generation != w.generation; });
  }
  cell.waiters.push_back(waiter);
  if (cell.kind == FutureKind::kTimer && !cell.armed) {
    cell.armed = true;
    scheduler_.SetTimer({cell.deadline_ns, 0, this, TimerKind::kFuture, 0, &cell});
  }
}

void Session::Resolve(FutureCell& first, bool ok, Value outcome) {
  if (first.state != CellState::kPending) return;
  vm::Share(outcome);
  // Chains may be long: no recursion.
  std::vector<FutureCell*> work{&first};
  while (!work.empty()) {
    FutureCell& cell = *work.back();
    work.pop_back();
    if (cell.state != CellState::kPending) continue;
    cell.state = ok ? CellState::kOk : CellState::kFailed;
    cell.outcome = outcome;
    cell.order = ++resolved_;
    if (cell.armed) scheduler_.TimerIsVoid();
    cell.armed = false;
    if (!ok && cell.kind == FutureKind::kThread) failures_.push_back(&cell);
    const std::vector<Waiter> waiters = std::move(cell.waiters);
    cell.waiters.clear();
    for (const Waiter& waiter : waiters) {
      if (waiter.cell != nullptr) {
        work.push_back(waiter.cell);
      } else {
        Notify(waiter, cell);
      }
    }
  }
}

// Precondition: the cell is resolved.
void Session::Notify(const Waiter& waiter, FutureCell& cell) {
  const bool ok = cell.state == CellState::kOk;
  if (waiter.cell != nullptr) return Resolve(*waiter.cell, ok, cell.outcome);
  ThreadRecord& record = *waiter.thread;
  if (record.generation != waiter.generation) return;
  if (record.wait == WaitKind::kSeveral) return MemberResolved(record, waiter.index, ok);
  assert(record.wait == WaitKind::kFuture);
  if (record.call != nullptr) {
    // The fake of a foreign call has ended.
    return CallEnded(record, record.generation, {.ok = ok, .whole_trace = true, .value = cell.outcome});
  }
  if (ok) {
    Answer(record, cell.outcome);
  } else {
    AnswerWholeError(record, cell.outcome);
  }
}

// A thread's result is a future: its own resolves when that one does.
void Session::Chain(FutureCell& outer, const Value& future) {
  FutureCell* inner = CellOf(future);
  if (inner == nullptr)
    return Resolve(outer, false, vm::MakeError("type", "the result is a future of another session"));
  for (const FutureCell* cell = inner; cell != nullptr; cell = cell->chained_to) {
    if (cell != &outer) continue;
    return Resolve(outer, false, vm::MakeError("type", "the result of the thread is its own future"));
  }
  outer.chained_to = inner;
  Subscribe(*inner, {.cell = &outer});
}

Session::Handled Session::AwaitFuture(ThreadRecord& record, const Value& future) {
  if (future.tag() != vm::Tag::kFuture) return AnswerHere(record, future);
  FutureCell* cell = CellOf(future);
  if (cell == nullptr) return RaiseHere(record, vm::MakeError("type", "await: a future of another session"));
  cell->awaited = true;
  if (cell->state == CellState::kOk) return AnswerHere(record, cell->outcome);
  if (cell->state == CellState::kFailed) return RaiseHere(record, cell->outcome);
  Park(record, Phase::kWaiting, WaitKind::kFuture);
  record.awaits = cell;
  Subscribe(*cell, {.thread = &record, .generation = record.generation});
  return Handled::kParked;
}

}  // namespace teal::runtime

// Futures: their cells, who waits for them, and what happens when they resolve.
#include <cassert>

#include "core/runtime/session.h"

namespace teal::runtime {

using vm::Future;
using vm::FutureKind;
using vm::Value;

bool Session::ByName::operator()(const Future* a, const Future* b) const {
  if (a->step != b->step) return a->step < b->step;
  if (const int order = a->id.Text().compare(b->id.Text()); order != 0) return order < 0;
  return a->kind < b->kind;
}

Value Session::FutureOf(const ThreadRecord& record) {
  return MakeFuture(FutureKind::kThread, record.name, 0, 0, Value(), Value());
}

FutureCell* Session::CellOf(const Value& future) {
  if (const FutureCell* found = FindCell(future)) return const_cast<FutureCell*>(found);
  // A timer needs no cell before somebody waits for it. All others have had one since they were made.
  const Future* f = future.As<Future>();
  const bool is_timer = f->kind == FutureKind::kTimer && f->id.tag() == vm::Tag::kString;
  return is_timer ? AddCell(future) : nullptr;
}

const FutureCell* Session::FindCell(const Value& future) const {
  const Future* f = future.As<Future>();
  if (f->id.tag() != vm::Tag::kString) return nullptr;
  if (f->kind == FutureKind::kThread) {
    const auto found = threads_.find(f->id.Text());
    return found == threads_.end() ? nullptr : &(*found)->cell;
  }
  const auto found = cells_.find(f);
  return found == cells_.end() ? nullptr : &found->second;
}

MadeCell* Session::AddCell(const Value& future) {
  const Future* f = future.As<Future>();
  assert(f->kind != FutureKind::kThread);
  vm::Share(future);
  const auto [place, added] = cells_.try_emplace(f);
  assert(added);
  MadeCell& cell = place->second;
  cell.kind = f->kind;
  cell.future = future;
  if (kept_ != nullptr) {
    if (const auto maker = threads_.find(f->id.Text()); maker != threads_.end()) {
      cell.maker = maker->get();
      cell.maker->made.push_back(&cell);
      Touch(*cell.maker);
    }
  }
  const int64_t now = scheduler_.clock().NowUnixNs();
  if (f->kind == FutureKind::kTimer && f->deadline_unix_ns <= now) Resolve(cell, true, Value());
  if (f->kind == FutureKind::kTimeout) {
    cell.made_ns = now;
    cell.inner = CellOf(f->inner);
    assert(cell.inner != nullptr);
    Subscribe(*cell.inner, Waiter::Of(&cell));
    if (cell.state == CellState::kPending) {
      cell.armed = true;
      scheduler_.SetTimer({f->deadline_unix_ns, 0, this, TimerKind::kFuture, 0, &cell});
    }
  }
  return &cell;
}

void Session::MarkAwaited(FutureCell& cell) {
  if (cell.awaited) return;
  cell.awaited = true;
  TouchMaker(cell);
}

void Session::Subscribe(FutureCell& cell, Waiter waiter) {
  MarkAwaited(cell);
  if (cell.state != CellState::kPending) return Notify(waiter, cell);
  cell.waiters.Add(waiter);
  if (cell.kind == FutureKind::kTimer && !cell.armed) {
    cell.armed = true;
    scheduler_.SetTimer({static_cast<MadeCell&>(cell).Made().deadline_unix_ns, 0, this, TimerKind::kFuture, 0, &cell});
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
    TouchMaker(cell);
    if (cell.armed) scheduler_.TimerIsVoid();
    cell.armed = false;
    if (!ok && cell.kind == FutureKind::kThread) failures_.push_back(&cell);
    for (const Waiter& waiter : cell.waiters.Take()) {
      if (waiter.cell() != nullptr) {
        work.push_back(waiter.cell());
      } else {
        Notify(waiter, cell);
      }
    }
  }
}

// Precondition: the cell is resolved.
void Session::Notify(const Waiter& waiter, FutureCell& cell) {
  const bool ok = cell.state == CellState::kOk;
  if (waiter.cell() != nullptr) return Resolve(*waiter.cell(), ok, cell.outcome);
  if (!waiter.Waits()) return;
  ThreadRecord& record = *waiter.thread();
  if (record.wait == WaitKind::kSeveral) return MemberResolved(record, waiter.index(), ok);
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
  for (const FutureCell* cell = inner; cell != nullptr; cell = cell->IsChained() ? cell->inner : nullptr) {
    if (cell != &outer) continue;
    return Resolve(outer, false, vm::MakeError("type", "the result of the thread is its own future"));
  }
  outer.inner = inner;
  Subscribe(*inner, Waiter::Of(&outer));
}

Session::Handled Session::AwaitFuture(ThreadRecord& record, const Value& future) {
  if (future.tag() != vm::Tag::kFuture) return AnswerHere(record, future);
  FutureCell* cell = CellOf(future);
  if (cell == nullptr) return RaiseHere(record, vm::MakeError("type", "await: a future of another session"));
  MarkAwaited(*cell);
  if (cell->state == CellState::kOk) return AnswerHere(record, cell->outcome);
  if (cell->state == CellState::kFailed) return RaiseHere(record, cell->outcome);
  Park(record, Phase::kWaiting, WaitKind::kFuture);
  record.awaits = cell;
  Subscribe(*cell, Waiter::Of(&record));
  return Handled::kParked;
}

}  // namespace teal::runtime

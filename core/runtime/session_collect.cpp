// Forgetting threads that have ended and futures that are resolved, once nothing can ask for them any more: a session
// that spawns and awaits in a loop must not grow (P-20).
#include <algorithm>
#include <unordered_set>

#include "core/runtime/session.h"
#include "core/vm/value_walk.h"

namespace teal::runtime {

using vm::FutureKind;
using vm::Value;

namespace {

// Whether a value's object is referred to only where this is asked. Sound only for futures that were made here: one
// that was read back from a record is another object than the thread's name.
bool IsOnlyOurs(const vm::Value& value) {
  const int32_t refs = value.AsObject()->refs.load(std::memory_order_relaxed);
  return refs == 1 || refs == -1;
}

}  // namespace

bool Session::CanForget(const ThreadRecord& record) const {
  if (&record == main_ || record.phase != Phase::kEnded || record.foreign_name || record.living_children > 0)
    return false;
  const FutureCell& cell = record.cell;
  if (cell.state == CellState::kPending || cell.waiters.AnyWaits()) return false;
  if (cell.state == CellState::kFailed && !cell.awaited) return false;  // it fails the session in the end
  return record.made.empty() && IsOnlyOurs(record.name);
}

// Takes an ended thread out. Precondition: nothing can ask for it.
Session::Threads::iterator Session::Forget(Threads::iterator at) {
  ThreadRecord& record = **at;
  if (record.owner != nullptr) --record.owner->living_children;
  if (record.stored) kept_->gone.push_back(record::ThreadKey(sid_, record.tid()));
  if (record.changed) std::erase(kept_->changed, &record);
  std::erase(failures_, &record.cell);
  const auto next = std::next(at);
  graveyard_.push_back(threads_.extract(at));
  return next;
}

// What was read back is looked at once, when it is: what no living thread reaches is forgotten.
void Session::CollectResumed() {
  std::unordered_set<const FutureCell*> reached;
  std::vector<const FutureCell*> cells;  // reached, and what they hold not yet looked at
  std::vector<const Value*> values;
  const auto reach = [&](const FutureCell* cell) {
    if (cell != nullptr && reached.insert(cell).second) cells.push_back(cell);
  };
  const auto look = [&] {
    while (!values.empty() || !cells.empty()) {
      if (values.empty()) {
        const FutureCell* cell = cells.back();
        cells.pop_back();
        values.push_back(&cell->outcome);
        reach(cell->inner);
        continue;
      }
      const Value& value = *values.back();
      values.pop_back();
      if (!value.IsHeap()) continue;
      if (value.tag() == vm::Tag::kFuture) reach(FindCell(value));
      if (!vm::HoldsValues(value.tag())) continue;
      vm::ForEachChild(value.AsObject(), [&](const Value& part) { values.push_back(&part); });
    }
  };
  for (const auto& record : threads_) {
    if (record->phase == Phase::kEnded) {
      if (record->cell.state == CellState::kPending) reach(&record->cell);
      continue;
    }
    reach(&record->cell);
    values.push_back(&record->answer);
    const std::vector<vm::FrameView> stack = record->thread->Stack();
    for (const vm::FrameView& frame : stack) {
      for (const Value& value : frame.registers) values.push_back(&value);
    }
    look();
  }
  for (const auto& [future, cell] : cells_) {
    // A wait for an event takes its value, whether somebody still asks for it or not.
    if (cell.state == CellState::kPending && cell.kind != FutureKind::kTimer) reach(&cell);
  }
  reach(&main_->cell);
  look();
  for (auto at = cells_.begin(); at != cells_.end();) {
    MadeCell& cell = at->second;
    const auto next = std::next(at);
    if (reached.count(&cell) == 0) {
      if (cell.maker != nullptr) {
        std::erase(cell.maker->made, &cell);
        Touch(*cell.maker);
      }
      cells_.erase(at);
    }
    at = next;
  }
  // Children before those that spawned them.
  for (bool found = true; found;) {
    found = false;
    for (auto at = threads_.begin(); at != threads_.end();) {
      const ThreadRecord& record = **at;
      const FutureCell& cell = record.cell;
      const bool garbage = record.phase == Phase::kEnded && &record != main_ && record.living_children == 0 &&
                           record.made.empty() && reached.count(&cell) == 0 &&
                           (cell.state == CellState::kOk || cell.awaited);
      if (garbage) {
        at = Forget(at);
        found = true;
      } else {
        ++at;
      }
    }
  }
}

void Session::Collect() {
  if (kept_ == nullptr) return;
  // Only what changed can have become garbage, or those whose parents changed: look at all that ended, when they are
  // more than they were after the last look.
  if (threads_.size() < collect_at_ && cells_.size() < collect_at_) return;
  for (auto at = cells_.begin(); at != cells_.end();) {
    MadeCell& cell = at->second;
    const bool garbage = cell.state != CellState::kPending && !cell.armed && !cell.waiters.AnyWaits() &&
                         cell.maker != nullptr && !cell.maker->foreign_name && IsOnlyOurs(cell.future);
    if (!garbage) {
      ++at;
      continue;
    }
    std::erase(cell.maker->made, &cell);
    Touch(*cell.maker);
    graveyard_cells_.push_back(cells_.extract(at++));
  }
  for (auto at = threads_.begin(); at != threads_.end();) {
    if (CanForget(**at)) {
      at = Forget(at);
    } else {
      ++at;
    }
  }
  // Timers that mean nothing any more may point to them still.
  scheduler_.ForgetVoidTimers();
  graveyard_.clear();
  graveyard_cells_.clear();
  collect_at_ = std::max<size_t>(kCollectMin, 2 * std::max(threads_.size(), cells_.size()));
}

}  // namespace teal::runtime

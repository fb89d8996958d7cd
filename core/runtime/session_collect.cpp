// Forgetting threads that have ended and futures that are resolved, once nothing can ask for them any more: a session
// that spawns and awaits in a loop must not grow (P-20).
#include <algorithm>

#include "core/runtime/session.h"

namespace teal::runtime {

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
    ThreadRecord& record = **at;
    if (!CanForget(record)) {
      ++at;
      continue;
    }
    if (record.owner != nullptr) --record.owner->living_children;
    if (record.kept != nullptr && !record.kept->lines.empty()) {
      // Its lines stay, as main's.
      for (record::Line& line : record.kept->lines) AddLine(main_->tid(), std::move(line));
      record.kept->lines.clear();
    }
    if (record.stored) kept_->gone.push_back(record::ThreadKey(sid_, record.tid()));
    if (record.changed) std::erase(kept_->changed, &record);
    std::erase(failures_, &record.cell);
    graveyard_.push_back(threads_.extract(at++));
  }
  // Timers that mean nothing any more may point to them still.
  scheduler_.ForgetVoidTimers();
  graveyard_.clear();
  graveyard_cells_.clear();
  collect_at_ = std::max<size_t>(kCollectMin, 2 * std::max(threads_.size(), cells_.size()));
}

}  // namespace teal::runtime

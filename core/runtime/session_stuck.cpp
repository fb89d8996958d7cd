// A session in which every thread waits for what can never come is told so, instead of hanging.
#include <algorithm>
#include <cassert>

#include "core/runtime/session.h"

namespace teal::runtime {

using vm::FutureKind;
using vm::Value;

namespace {

constexpr size_t kThreadsTold = 10;

std::string Place(const vm::Thread& thread) {
  const std::vector<vm::FrameView> stack = thread.Stack();
  for (auto frame = stack.rbegin(); frame != stack.rend(); ++frame) {
    if (frame->function->library) continue;
    const std::vector<std::string>& files = thread.program()->files();
    if (frame->function->file >= files.size()) break;
    return files[frame->function->file] + ":" + std::to_string(frame->function->PositionAt(frame->pc).line);
  }
  return "an unknown place";
}

std::string NameOfCell(const FutureCell& first) {
  const FutureCell* cell = &first;
  while (cell->IsChained()) cell = cell->inner;
  switch (cell->kind) {
    case FutureKind::kThread:
      return "thread " + std::string(cell->thread->tid());
    case FutureKind::kEvent:
      return "event(" + SourceForm(static_cast<const MadeCell*>(cell)->Made().text) + ")";
    case FutureKind::kRequest:
      return "request(" + SourceForm(static_cast<const MadeCell*>(cell)->Made().text) + ")";
    case FutureKind::kTimer:
    case FutureKind::kTimeout:
      return "a timer";
  }
  return "a future";
}

}  // namespace

std::string Session::WhatItAwaits(const ThreadRecord& record) const {
  std::string what;
  if (record.wait == WaitKind::kFuture) {
    what = NameOfCell(*record.awaits);
  } else if (record.wait == WaitKind::kSeveral) {
    for (const FutureCell* cell : record.several->cells) {
      if (cell == nullptr || cell->state != CellState::kPending) continue;
      what += (what.empty() ? "" : ", ") + NameOfCell(*cell);
    }
    // A wait for nothing, such as race([]).
    if (what.empty()) what = "the first of no futures";
  } else if (record.wait == WaitKind::kPlace) {
    what = "a place among those of `" + PlaceOf(record).limiter().name() + "` that may run at once";
  } else {
    what = record.wait == WaitKind::kTime || record.wait == WaitKind::kRetry ? "a time" : "a turn to run";
  }
  return what;
}

std::string Session::WhatItWaitsFor(const ThreadRecord& record) const {
  const std::string what = WhatItAwaits(record);
  return "thread " + std::string(record.tid()) + " waits for " + what + " at " + Place(*record.thread);
}

void Session::EndStuck() {
  if (ended_) return;
  std::vector<const ThreadRecord*> waiting;
  for (const auto& record : threads_) {
    if (record->phase != Phase::kEnded) waiting.push_back(record.get());
  }
  std::sort(waiting.begin(), waiting.end(), [](const ThreadRecord* a, const ThreadRecord* b) {
    return a->depth != b->depth ? a->depth < b->depth : a->tid() < b->tid();
  });
  std::string message = "nothing can happen any more: ";
  if (waiting.empty()) {
    assert(main_->cell.IsChained());
    message += "the result is that of " + NameOfCell(main_->cell) + ", which can never come";
  }
  for (size_t i = 0; i < waiting.size() && i < kThreadsTold; ++i) {
    message += (i == 0 ? "" : "; ") + WhatItWaitsFor(*waiting[i]);
  }
  if (waiting.size() > kThreadsTold) {
    message += "; and " + std::to_string(waiting.size() - kThreadsTold) + " more threads wait";
  }
  Value error = vm::MakeError("stuck", message);
  if (!waiting.empty()) {
    const ThreadRecord& first = *waiting.front();
    error.As<vm::Error>()->trace = first.thread->TraceHere();
    error = WithWholeTrace(std::move(error), first.tid(), first.site, *program_);
  }
  EndNow(SessionStatus::kFailed, std::move(error));
}

}  // namespace teal::runtime

// The threads of a session as `teal inspect` shows them.
#include <algorithm>

#include "core/runtime/session.h"

namespace teal::runtime {

namespace {

constexpr size_t kVariableBytesMax = 1'000;  // of a value that is shown
constexpr size_t kFramesShown = 32;

std::string Cut(std::string text) {
  if (text.size() <= kVariableBytesMax) return text;
  text.resize(kVariableBytesMax);
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.pop_back();
  if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0) text.pop_back();
  return text + "…";
}

FrameViewed ViewOf(const vm::FrameView& frame, const vm::Program& program) {
  FrameViewed view;
  view.function = frame.function->name;
  if (frame.function->file < program.files().size()) view.file = program.files()[frame.function->file];
  view.line = frame.function->PositionAt(frame.pc).line;
  // A variable's register may be reused once it is dead: only those that live here are shown.
  const std::vector<bool>* live = frame.function->LiveAt(frame.pc + 1);
  for (const vm::Function::Local& local : frame.function->locals) {
    if (frame.pc < local.from || frame.pc >= local.to || local.reg >= frame.registers.size()) continue;
    if (live != nullptr && local.reg < live->size() && !(*live)[local.reg]) continue;
    view.variables.push_back({local.name, Cut(vm::SourceForm(frame.registers[local.reg]))});
  }
  return view;
}

}  // namespace

std::vector<ThreadView> Session::ViewThreads() const {
  std::vector<const ThreadRecord*> all;
  for (const auto& record : threads_) all.push_back(record.get());
  std::sort(all.begin(), all.end(), [](const ThreadRecord* a, const ThreadRecord* b) {
    return a->depth != b->depth ? a->depth < b->depth : a->tid() < b->tid();
  });
  std::vector<ThreadView> views;
  for (const ThreadRecord* record : all) {
    ThreadView& view = views.emplace_back();
    view.tid = std::string(record->tid());
    if (record->owner != nullptr) view.owner = std::string(record->owner->tid());
    switch (record->phase) {
      case Phase::kEnded:
        view.status = record->cell.state == CellState::kOk       ? "done"
                      : record->cell.state == CellState::kFailed ? "failed"
                                                                 : "waiting";
        continue;
      case Phase::kReady:
        view.status = "ready";
        break;
      case Phase::kRunning:
        view.status = "running";
        continue;  // another OS thread has it
      case Phase::kForeign:
        view.status = "running";
        view.waits_for = "a Python call";
        if (record->wait == WaitKind::kGate) view.waits_for = "its state to be stored, before a Python call";
        break;
      case Phase::kWaiting:
        view.status = "waiting";
        view.waits_for = WhatItAwaits(*record);
        break;
    }
    const std::vector<vm::FrameView> stack = record->thread->Stack();
    for (auto frame = stack.rbegin(); frame != stack.rend() && view.frames.size() < kFramesShown; ++frame) {
      if (frame->function->library || frame->replaced) continue;
      view.frames.push_back(ViewOf(*frame, *program_));
    }
    if (!view.frames.empty()) {
      view.function = view.frames.front().function;
      view.file = view.frames.front().file;
      view.line = view.frames.front().line;
    }
    view.state_bytes = record->thread->MemorySize();
  }
  return views;
}

bool Session::IsDead() const {
  return kept_->head.paused && kept_->head.paused->reason.starts_with(kDeadReason);
}

void Session::SetPaused(std::optional<record::Paused> paused) {
  const bool resumes = kept_->head.paused.has_value() && !paused.has_value();
  if (paused) {
    Note(Happened::kPaused, *main_, paused->reason);
  } else {
    Note(Happened::kResumed, *main_);
  }
  kept_->head.paused = std::move(paused);
  WantCommit();
  if (!resumes) return;
  std::deque<ThreadRecord*> queued = std::move(queued_);
  queued_.clear();
  for (ThreadRecord* record : queued) {
    if (record->phase == Phase::kReady) scheduler_.MakeReady(record);
  }
}

}  // namespace teal::runtime

// A session that is carried whole, as records: what docs/formats/records.md lists for each key. What is pending (a
// wait, a sleep, a foreign call) is told for those who look; the thread's request is part of its state, and is handled
// again where the session goes on.
#include <algorithm>
#include <cassert>

#include "core/base/mutant.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using vm::FutureKind;
using vm::Value;

namespace {

Status EncodeInto(const Value& value, record::Content* to) {
  Result<std::string> bytes = vm::EncodeValue(value);
  if (!bytes.ok()) return bytes.failure();
  *to = record::Content::Of(std::move(*bytes));
  return Unit{};
}

uint64_t Unsigned(int64_t unix_ns) {
  return unix_ns > 0 ? static_cast<uint64_t>(unix_ns) : 0;
}

void AddStep(std::vector<uint64_t>* steps, std::vector<record::Range>* ranges) {
  std::sort(steps->begin(), steps->end());
  steps->erase(std::unique(steps->begin(), steps->end()), steps->end());
  for (const uint64_t step : *steps) {
    if (!ranges->empty() && ranges->back().first + ranges->back().count == step) {
      ++ranges->back().count;
    } else {
      ranges->push_back({step, 1, {}});
    }
  }
}

}  // namespace

// What the thread waits for, as far as a record can say it: absent if that is nothing that a record knows.
std::optional<record::Wait> Session::WaitOf(const ThreadRecord& record) const {
  record::Wait wait;
  if (record.wait == WaitKind::kTime || record.wait == WaitKind::kRetry) {
    wait.kind = record::WaitKind::kTimer;
    wait.deadline_unix_ns = std::max<uint64_t>(Unsigned(record.wake_ns), 1);
    return wait;
  }
  std::vector<const FutureCell*> cells;
  if (record.wait == WaitKind::kFuture) cells.push_back(record.awaits);
  if (record.wait == WaitKind::kSeveral) {
    for (const FutureCell* cell : record.several->cells) {
      if (cell != nullptr && cell->state == CellState::kPending) cells.push_back(cell);
    }
  }
  std::vector<uint64_t> own;
  for (const FutureCell* cell : cells) {
    for (; cell != nullptr && cell->kind == FutureKind::kTimeout; cell = cell->inner) {
      const uint64_t due = Unsigned(static_cast<const MadeCell*>(cell)->Made().deadline_unix_ns);
      if (wait.deadline_unix_ns == 0 || due < wait.deadline_unix_ns) wait.deadline_unix_ns = due;
    }
    if (cell == nullptr) continue;
    if (cell->kind == FutureKind::kThread) {
      if (cell->thread->owner == &record) {
        own.push_back(cell->thread->spawn_step);
      } else {
        wait.others.emplace_back(cell->thread->tid());
      }
      continue;
    }
    const vm::Future& made = static_cast<const MadeCell*>(cell)->Made();
    if (cell->kind == FutureKind::kTimer) {
      const uint64_t due = std::max<uint64_t>(Unsigned(made.deadline_unix_ns), 1);
      if (wait.deadline_unix_ns == 0 || due < wait.deadline_unix_ns) wait.deadline_unix_ns = due;
    } else {
      wait.events.push_back({std::string(made.text.Text()), made.step, {}});
    }
  }
  AddStep(&own, &wait.own);
  std::sort(wait.others.begin(), wait.others.end());
  wait.others.erase(std::unique(wait.others.begin(), wait.others.end()), wait.others.end());
  std::sort(wait.events.begin(), wait.events.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  wait.events.erase(std::unique(wait.events.begin(), wait.events.end(),
                                [](const auto& a, const auto& b) { return a.step == b.step; }),
                    wait.events.end());
  const size_t members = own.size() + wait.others.size();
  if (members == 0 && wait.events.empty() && wait.deadline_unix_ns == 0) return std::nullopt;
  if (record.wait == WaitKind::kFuture) {
    wait.kind = members == 1          ? record::WaitKind::kOne
                : wait.events.empty() ? record::WaitKind::kTimer
                                      : record::WaitKind::kEvent;
    return wait;
  }
  switch (record.several->mode) {
    case WaitMode::kAll:
    case WaitMode::kSettle:
      wait.kind = record.several->mode == WaitMode::kAll ? record::WaitKind::kAll : record::WaitKind::kSettle;
      if (!own.empty()) {
        wait.watch_own = own.front();
      } else if (!wait.others.empty()) {
        wait.watch_other = wait.others.front();
      }
      return wait;
    case WaitMode::kRace:
      wait.kind = record::WaitKind::kAny;
      return wait;
    case WaitMode::kSome:
      wait.kind = record::WaitKind::kSome;
      wait.wanted = static_cast<uint64_t>(std::max<int64_t>(record.several->wanted, 1));
      wait.failures_allowed = static_cast<uint64_t>(std::max<int64_t>(record.several->failures_allowed, 0));
      return wait;
  }
  return std::nullopt;
}

Status Session::EncodeMade(const ThreadRecord& record, record::Thread* to) const {
  // Those of one thread stand together only by their steps; a thread has few.
  for (const MadeCell* cell : record.made) {
    if (cell->kind == FutureKind::kTimer && cell->state == CellState::kPending) continue;  // its future says it all
    record::Made& made = to->made.emplace_back();
    Result<std::string> future = vm::EncodeValue(cell->future);
    if (!future.ok()) return future.failure();
    made.future = std::move(*future);
    made.state = static_cast<record::MadeState>(cell->state);
    made.awaited = cell->awaited;
    made.order = cell->order;
    made.made_unix_ns = Unsigned(cell->made_ns);
    if (cell->state == CellState::kPending) continue;
    if (Status s = EncodeInto(cell->outcome, &made.outcome); !s.ok()) return s;
  }
  return Unit{};
}

void Session::EncodeCourse(const ThreadRecord& record, record::Course* to) const {
  to->depth = record.depth;
  if (record.site != nullptr) {
    for (const SpawnSite::Place& place : record.site->places) {
      to->site.push_back(place.function);
      to->site.push_back(place.pc);
    }
  }
  to->begun = record.started;
  to->awaited = record.cell.awaited;
  to->order = record.cell.order;
  to->cancel_raised = record.cancel_raised;
  if (record.cancel_raised) to->grace_end_unix_ns = Unsigned(record.seldom->grace_end_ns);
  if (record.has_effect_step) to->effect_step = record.effect_step;
  if (record.call != nullptr) {
    to->attempt = record.call->attempt;
    to->losses = record.call->losses;
  }
  to->priority = record.priority;
  if (record.admission != nullptr) {
    to->limited_function = record.admission->limiter().index() + 1;
    to->running_key = record.admission->running_key();
    to->begins_key = record.admission->begins_key();
  }
}

Status Session::EncodeThread(ThreadRecord& record, std::vector<vm::Segment>* segments, record::Thread* to) {
  to->commit_id = commit_id_;
  to->epoch = kept_->epoch;
  to->verified = true;
  if (record.owner != nullptr) {
    to->owner = std::string(record.owner->tid());
    to->step = record.spawn_step;
  }
  if (record.cancel_requested) to->cancel = record::Cancel::kCancel;
  EncodeCourse(record, &to->course);
  if (Status s = EncodeMade(record, to); !s.ok()) return s;
  if (record.phase == Phase::kEnded) {
    if (record.cell.state == CellState::kPending && record.cell.inner != nullptr) {
      to->status = record::Status::kReady;
      const FutureCell* inner = record.cell.inner;
      return EncodeInto(
          inner->thread != nullptr ? FutureOf(*inner->thread) : static_cast<const MadeCell*>(inner)->future,
          &to->chained);
    }
    Value outcome = record.cell.outcome;
    bool ok = record.cell.state == CellState::kOk;
    if (record.cell.state == CellState::kPending) {  // its session ended before it
      outcome = vm::MakeError("cancelled", "the session ended");
      ok = false;
    }
    to->status = ok ? record::Status::kDone : record::Status::kFailed;
    if (!ok && record.cancel_requested && outcome.As<vm::Error>()->kind.Text() == "cancelled") {
      to->status = record::Status::kCancelled;
    }
    return EncodeInto(outcome, &to->result);
  }
  Result<vm::Checkpoint> checkpoint = vm::WriteCheckpoint(*record.thread);
  if (!checkpoint.ok()) return checkpoint.failure();
  to->state = record::Content::Of(std::move(checkpoint->state));
  for (vm::Segment& segment : checkpoint->segments) segments->push_back(std::move(segment));
  if (record.answered != AnswerKind::kNone) {
    to->answer_failed = record.answered == AnswerKind::kError;
    if (Status s = EncodeInto(record.answer, &to->answer); !s.ok()) return s;
  }
  // A host that stops begins nothing: what stands at the gate has not begun.
  const bool begins = kept_->shared == nullptr || !kept_->shared->handing_over;
  // In flight is also the call whose commit has come and that begins with the thread's next turn, and the one that must
  // not be made again and of which the thread does not know yet: another thread's commit must not forget them.
  const bool on_its_way = record.call != nullptr && (record.call->committed || record.call->interrupted) &&
                          record.answered == AnswerKind::kNone && record.thread->state() == vm::RunState::kRequest &&
                          !TEAL_MUTANT("begun_is_forgotten");
  if ((record.wait == WaitKind::kGate && begins) || record.wait == WaitKind::kCall || on_its_way) {
    to->status = record::Status::kRunning;
    to->lease = record::Lease{runtime_->options_.incarnation, Unsigned(kept_->lease_until_ns), {}};
    record::Effect& effect = to->in_flight.emplace_back();
    effect.step = record.effect_step;
    effect.attempt = record.call->attempt;
    effect.losses = record.call->losses;
    const vm::Request& request = record.thread->request();
    effect.at_most_once = request.kind == vm::RequestKind::kForeign && policies_[request.id].at_most_once;
    return Unit{};
  }
  to->status = record::Status::kReady;
  if (record.phase != Phase::kWaiting || record.wait == WaitKind::kPlace) return Unit{};
  std::optional<record::Wait> wait = WaitOf(record);
  if (!wait) return Unit{};
  to->status = record::Status::kWaiting;
  to->wait = std::move(wait);
  return Unit{};
}

void Session::EncodeEvents(record::Session* to) const {
  for (const auto& [name, queue] : events_) {
    if (!queue.kept.empty() || !queue.seen.empty()) {
      record::Inbox& inbox = to->inbox.emplace_back();
      inbox.name = name;
      for (const KeptEvent& event : queue.kept) {
        inbox.values.push_back({event.id, record::Content::Of(event.bytes), {}, event.wants_reply});
      }
      inbox.seen.assign(queue.seen.begin(), queue.seen.end());
    }
    if (queue.waiting.empty()) continue;
    record::EventWaiters& waiters = to->event_waiters.emplace_back();
    waiters.name = name;
    for (const MadeCell* cell : queue.waiting) {
      waiters.waiters.push_back({std::string(cell->maker->tid()), cell->Made().step, {}});
    }
  }
}

Status Session::EncodeSession(std::vector<vm::Segment>* segments, record::Session* to) {
  *to = kept_->head;
  if (Status s = EncodeThread(*main_, segments, &to->main); !s.ok()) return s;
  to->steps = steps_;
  to->resolved = resolved_;
  to->cancelled = cancelled_;
  // It got further: it ended, began another step, or came to rest.
  const bool further = ended_ || AtRest() || steps_ > kept_->steps_then;
  if (kept_->crashes > 0 && further && !kept_->head.paused && !TEAL_MUTANT("blame_for_ever")) kept_->crashes = 0;
  to->main.attempts = kept_->crashes;
  to->main.lines = kept_->lines.lines;
  to->main.pieces = kept_->lines.pieces;
  to->history = kept_->history.entries;
  to->history_pieces = kept_->history.pieces;
  for (const auto& [key, value] : published_) {
    record::Published& published = to->published.emplace_back();
    published.key = key;
    if (Status s = EncodeInto(value, &published.value); !s.ok()) return s;
  }
  if (!ended_) {
    EncodeEvents(to);
    return Unit{};
  }
  // The main thread's record tells how the session ended.
  record::Thread& main = to->main;
  main.state = main.chained = main.answer = record::Content();
  main.answer_failed = false;
  main.lease.reset();
  main.wait.reset();
  main.in_flight.clear();
  main.made.clear();
  main.status = outcome_.status == SessionStatus::kDone     ? record::Status::kDone
                : outcome_.status == SessionStatus::kFailed ? record::Status::kFailed
                                                            : record::Status::kCancelled;
  if (terminated_) main.cancel = record::Cancel::kTerminate;
  to->ended_unix_ns = std::max<uint64_t>(Unsigned(scheduler_.clock().NowUnixNs()), 1);
  to->paused.reset();
  return EncodeInto(outcome_.status == SessionStatus::kDone ? outcome_.result : outcome_.error, &main.result);
}

}  // namespace teal::runtime

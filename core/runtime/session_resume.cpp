// Going on with a session that is kept in a store, from its records.
#include <algorithm>
#include <cassert>

#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using vm::Value;

namespace {

Failure Damaged(const std::string& what) {
  return teal::Fail(FailureCode::kCorrupt, "the records of the session do not fit together: " + what);
}

Result<Value> ValueOf(const record::Content& content, const vm::Program& program) {
  if (content.size > 0) return Damaged("a value that is not in place");
  return vm::DecodeValue(content.bytes, &program);
}

}  // namespace

void Session::KeepIn(std::unique_ptr<KeptSession> kept) {
  assert(threads_.empty());
  kept_ = std::move(kept);
  if (runtime_->options_.store->limits().shared) kept_->shared = std::make_unique<SharedSession>();
}

Status Session::ResumeMade(ThreadRecord& record, const record::Thread& from) {
  for (const record::Made& one : from.made) {
    Result<MadeCell*> read = ReadCell(one.future);
    if (!read.ok()) return read.failure();
    MadeCell& cell = **read;
    cell.made_ns = static_cast<int64_t>(one.made_unix_ns);
    cell.maker = &record;
    cell.awaited = one.awaited;
    record.made.push_back(&cell);
    if (one.state == record::MadeState::kPending) continue;
    Result<Value> outcome = ValueOf(one.outcome, *program_);
    if (!outcome.ok()) return outcome.failure();
    vm::Share(*outcome);
    cell.state = one.state == record::MadeState::kWell ? CellState::kOk : CellState::kFailed;
    if (cell.state == CellState::kFailed && outcome->tag() != vm::Tag::kError)
      return Damaged("a failure that is no error");
    cell.order = one.order;
    cell.outcome = std::move(*outcome);
  }
  return Unit{};
}

Status Session::ResumeThread(const std::string& tid, record::Thread& from, const vm::SegmentSource& segment_of) {
  ThreadRecord* owner = nullptr;
  if (!from.owner.empty()) {
    const auto found = threads_.find(from.owner);
    if (found == threads_.end()) return Damaged("thread " + tid + " without the one that spawned it");
    owner = found->get();
  }
  ThreadRecord& record = *AddThread(vm::MakeString(tid), owner, from.course.depth);
  if (owner == nullptr) main_ = &record;
  record.foreign_name = true;
  record.stored = owner != nullptr;
  record.spawn_step = from.step;
  if (owner != nullptr) ++owner->living_children;
  record.started = from.course.begun;
  record.cancel_requested = from.cancel != record::Cancel::kNo;
  record.cancel_raised = from.course.cancel_raised;
  if (record.cancel_raised) record.Seldom().grace_end_ns = static_cast<int64_t>(from.course.grace_end_unix_ns);
  record.priority = from.course.priority;
  record.has_effect_step = from.course.effect_step.has_value();
  record.effect_step = from.course.effect_step.value_or(0);
  record.cell.awaited = from.course.awaited;
  record.parked_noted = from.status == record::Status::kWaiting;
  if (owner == nullptr) kept_->lines.pieces = from.pieces;
  // Those of other threads stand in their own records where an early release wrote them.
  for (record::Line& line : from.lines) {
    if (owner != nullptr) line.tid = tid;
    kept_->lines.bytes += line.text.size() + kLineBytes;
    kept_->lines.lines.push_back(std::move(line));
  }
  if (owner != nullptr) {
    auto site = std::make_unique<SpawnSite>();
    site->outer = owner->site;
    site->tid = owner->tid();
    for (size_t i = 0; i + 1 < from.course.site.size(); i += 2) {
      if (from.course.site[i] >= program_->functions().size()) return Damaged("a function that is not there");
      site->places.push_back({from.course.site[i], from.course.site[i + 1]});
    }
    record.site = site.get();
    sites_.push_back(std::move(site));
  }
  if (Status s = ResumeMade(record, from); !s.ok()) return s;
  if (from.state.empty()) {
    record.phase = Phase::kEnded;
    --living_;
    if (!record::IsFinal(from.status))
      return from.chained.empty() ? Status(Damaged("a thread without a state")) : Unit{};
    Value outcome = vm::MakeError("cancelled", "the thread never ran");
    if (!from.result.empty()) {
      Result<Value> result = ValueOf(from.result, *program_);
      if (!result.ok()) return result.failure();
      outcome = std::move(*result);
    }
    vm::Share(outcome);
    record.cell.state = from.status == record::Status::kDone ? CellState::kOk : CellState::kFailed;
    if (record.cell.state == CellState::kFailed && outcome.tag() != vm::Tag::kError)
      return Damaged("a failure that is no error");
    record.cell.order = from.course.order;
    record.cell.outcome = std::move(outcome);
    return Unit{};
  }
  if (from.state.size > 0) return Damaged("a state that is not in place");
  Result<std::unique_ptr<vm::Thread>> thread = vm::ReadCheckpoint(from.state.bytes, program_, segment_of);
  if (!thread.ok()) return thread.failure();
  record.thread = std::move(*thread);
  record.asked = record.thread->state() == vm::RunState::kRequest;
  if (!from.answer.empty()) {
    if (!record.asked && !from.answer_failed) return Damaged("an answer to no question");
    Result<Value> answer = ValueOf(from.answer, *program_);
    if (!answer.ok()) return answer.failure();
    if (from.answer_failed && answer->tag() != vm::Tag::kError) return Damaged("an error that is none");
    record.answered = from.answer_failed ? AnswerKind::kError : AnswerKind::kValue;
    record.answer = std::move(*answer);
  }
  if (record.asked && record.thread->request().kind == vm::RequestKind::kForeign) {
    if (from.course.attempt > 0 || !from.in_flight.empty()) {
      record.call = std::make_unique<PendingCall>();
      record.call->attempt = std::max<uint32_t>(from.course.attempt, 1);
      record.call->losses = from.course.losses;
      record.call->interrupted = !from.in_flight.empty() && from.in_flight.front().at_most_once;
    }
  }
  if (from.wait && record.asked && record.answered == AnswerKind::kNone &&
      from.wait->kind == record::WaitKind::kTimer &&
      (record.call != nullptr || record.thread->request().kind == vm::RequestKind::kHost)) {
    record.wake_ns = static_cast<int64_t>(from.wait->deadline_unix_ns);
  }
  if (from.course.limited_function > 0) {
    const auto policy = function_policies_.find(from.course.limited_function - 1);
    if (policy == function_policies_.end() || policy->second.limiter == nullptr) return Damaged("an unknown limit");
    record.admission =
        std::make_unique<Admission>(policy->second.limiter, from.course.running_key, from.course.begins_key);
    if (record.started) record.admission->TakePlace();
  }
  if (record.cancel_raised) {
    scheduler_.SetTimer({record.seldom->grace_end_ns, 0, this, TimerKind::kTerminate, 0, &record});
  }
  return Unit{};
}

Status Session::ResumeEvents(const record::Session& from) {
  for (const record::Inbox& inbox : from.inbox) {
    EventQueue& queue = events_[inbox.name];
    queue.seen.assign(inbox.seen.begin(), inbox.seen.end());
    for (const record::EventValue& event : inbox.values) {
      Result<Value> value = ValueOf(event.value, *program_);
      if (!value.ok()) return value.failure();
      vm::Share(*value);
      kept_event_bytes_ += event.value.bytes.size() + event.id.size();
      ++kept_events_;
      queue.kept.push_back({std::move(*value), event.id, event.value.bytes, event.wants_reply});
    }
  }
  for (const record::EventWaiters& waiters : from.event_waiters) {
    EventQueue& queue = events_[waiters.name];
    for (const record::EventWaiter& waiter : waiters.waiters) {
      const auto maker = threads_.find(waiter.tid);
      if (maker == threads_.end()) return Damaged("an event that nobody asked for");
      const auto& made = (*maker)->made;
      const auto cell = std::find_if(made.begin(), made.end(), [&](const MadeCell* one) {
        return one->Made().step == waiter.step && one->state == CellState::kPending &&
               (one->kind == vm::FutureKind::kEvent || one->kind == vm::FutureKind::kRequest);
      });
      if (cell == made.end()) return Damaged("an event that nobody asked for");
      queue.waiting.push_back(*cell);
    }
  }
  return Unit{};
}

Status Session::Resume(record::Session session, std::vector<std::pair<std::string, record::Thread>> threads,
                       const vm::SegmentSource& segment_of) {
  assert(kept_ != nullptr && main_ == nullptr);
  if (kept_->shared != nullptr) RememberStored(session);
  steps_ = session.steps;
  kept_->crashes = session.main.attempts;
  kept_->steps_then = session.steps;
  resolved_ = session.resolved;
  cancelled_ = session.cancelled;
  kept_->history.entries = std::move(session.history);
  kept_->history.pieces = session.history_pieces;
  EachHistory(kept_->history.entries, [this](const HistoryEntry& entry) {
    kept_->history.last_us = entry.unix_ns / 1'000;  // microseconds
  });
  threads.emplace_back(std::string(record::kMainTid), std::move(session.main));
  // Owners before those they spawned.
  std::sort(threads.begin(), threads.end(), [](const auto& a, const auto& b) {
    return a.second.course.depth != b.second.course.depth ? a.second.course.depth < b.second.course.depth
                                                          : a.first < b.first;
  });
  for (auto& [tid, thread] : threads) {
    if (threads_.count(tid) > 0) return Damaged("two threads " + tid);
    if (Status s = ResumeThread(tid, thread, segment_of); !s.ok()) return s;
  }
  if (main_ == nullptr) return Damaged("it has no main thread");
  // A timeout may be of any other future.
  for (auto& [future, cell] : cells_) {
    if (cell.kind != vm::FutureKind::kTimeout) continue;
    const Value& inner = cell.Made().inner;
    cell.inner = inner.tag() == vm::Tag::kFuture ? CellOf(inner) : nullptr;
    if (cell.inner == nullptr) return Damaged("a timeout of nothing");
    if (cell.state != CellState::kPending) continue;
    Subscribe(*cell.inner, Waiter::Of(&cell));
    if (cell.state != CellState::kPending) continue;
    cell.armed = true;
    scheduler_.SetTimer({cell.Made().deadline_unix_ns, 0, this, TimerKind::kFuture, 0, &cell});
  }
  for (auto& [tid, thread] : threads) {
    if (thread.chained.empty()) continue;
    Result<Value> future = ValueOf(thread.chained, *program_);
    if (!future.ok()) return future.failure();
    if (future->tag() != vm::Tag::kFuture) return Damaged("a chain to no future");
    Chain((*threads_.find(tid))->cell, *future);
  }
  if (Status s = ResumeEvents(session); !s.ok()) return s;
  for (const record::Published& published : session.published) {
    Result<Value> value = ValueOf(published.value, *program_);
    if (!value.ok()) return value.failure();
    vm::Share(*value);
    published_[published.key] = std::move(*value);
  }
  std::vector<FutureCell*> failed;
  for (const auto& record : threads_) {
    if (record->cell.state == CellState::kFailed) failed.push_back(&record->cell);
  }
  std::sort(failed.begin(), failed.end(), [](const FutureCell* a, const FutureCell* b) { return a->order < b->order; });
  failures_ = std::move(failed);
  CollectResumed();
  graveyard_.clear();  // no timer was set for what has ended
  for (const auto& [tid, thread] : threads) {
    const auto found = threads_.find(tid);
    if (found != threads_.end() && (*found)->phase != Phase::kEnded) scheduler_.MakeReady(found->get());
  }
  if (kept_->taken_over) Note(Happened::kTakenOver, *main_);
  EndIfOver();
  return Unit{};
}

void Session::Abandon() {
  ended_ = true;
  for (auto& record : threads_) {
    if (record->phase != Phase::kRunning) Drop(*record);
  }
  queued_.clear();
  events_.clear();
}

}  // namespace teal::runtime

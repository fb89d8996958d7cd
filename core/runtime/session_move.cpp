// Writing down a whole session. What is pending (a wait, a sleep, a foreign call) is not written: the thread's request
// is part of its state, and is handled again where the session goes on.
#include <algorithm>
#include <cassert>

#include "core/proto/session.pb.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using vm::Value;

namespace {

Status WriteValue(const Value& value, std::string* to) {
  Result<std::string> bytes = vm::EncodeValue(value);
  if (!bytes.ok()) return bytes.failure();
  *to = std::move(*bytes);
  return Unit{};
}

Status WriteOutcome(const FutureCell& cell, proto::SessionOutcome* to) {
  to->set_state(static_cast<uint32_t>(cell.state));
  to->set_awaited(cell.awaited);
  to->set_order(cell.order);
  return cell.state == CellState::kPending ? Unit{} : WriteValue(cell.outcome, to->mutable_value());
}

// The thread without its machine state.
Status WriteRecord(const ThreadRecord& record, const Value& chained_to, proto::SessionThread* to) {
  to->set_tid(std::string(record.tid()));
  if (record.owner != nullptr) to->set_owner(std::string(record.owner->tid()));
  to->set_depth(record.depth);
  to->set_started(record.started);
  to->set_cancel_requested(record.cancel_requested);
  to->set_cancel_raised(record.cancel_raised);
  if (record.cancel_raised) to->set_grace_end_unix_ns(record.seldom->grace_end_ns);
  to->set_has_effect_step(record.has_effect_step);
  to->set_effect_step(record.effect_step);
  to->set_wake_unix_ns(record.wake_ns);
  if (record.call != nullptr) {
    to->set_attempt(record.call->attempt);
    to->set_losses(record.call->losses);
  }
  if (record.site != nullptr) {
    for (const SpawnSite::Place& place : record.site->places) {
      to->add_site(place.function);
      to->add_site(place.pc);
    }
  }
  to->set_priority(record.priority);
  if (record.admission != nullptr) {
    to->set_limited_function(record.admission->limiter().index() + 1);
    to->set_running_key(record.admission->running_key());
    to->set_begins_key(record.admission->begins_key());
  }
  to->set_answered(static_cast<uint32_t>(record.answered));
  if (record.answered != AnswerKind::kNone) {
    if (Status s = WriteValue(record.answer, to->mutable_answer()); !s.ok()) return s;
  }
  if (!chained_to.IsNull()) {
    if (Status s = WriteValue(chained_to, to->mutable_chained_to()); !s.ok()) return s;
  }
  return WriteOutcome(record.cell, to->mutable_outcome());
}

}  // namespace

Result<std::string> Session::WriteDown(const ThreadRecord& running) {
  proto::Session session;
  session.set_version(kSessionVersion);
  session.set_sid(sid_);
  session.set_program(program_->hash().data(), program_->hash().size());
  session.set_steps(steps_);
  session.set_resolved(resolved_);
  session.set_cancelled(cancelled_);
  session.set_output(runtime_->options_.output->Kept());

  std::vector<ThreadRecord*> records;
  for (const auto& record : threads_) records.push_back(record.get());
  std::sort(records.begin(), records.end(), [](const ThreadRecord* a, const ThreadRecord* b) {
    return a->depth != b->depth ? a->depth < b->depth : a->tid() < b->tid();
  });
  std::vector<const ThreadRecord*> parked;
  for (ThreadRecord* record : records) {
    proto::SessionThread* to = session.add_threads();
    Value chained;
    if (const FutureCell* inner = record->cell.inner; inner != nullptr && record->cell.state == CellState::kPending) {
      chained = inner->thread != nullptr ? FutureOf(*inner->thread) : static_cast<const MadeCell*>(inner)->future;
    }
    if (Status s = WriteRecord(*record, chained, to); !s.ok()) return s.failure();
    if (record->phase == Phase::kEnded) continue;
    if (record->phase == Phase::kWaiting || record->phase == Phase::kForeign) parked.push_back(record);
    Result<vm::Checkpoint> checkpoint = vm::WriteCheckpoint(*record->thread);
    if (!checkpoint.ok()) return checkpoint.failure();
    to->set_state(std::move(checkpoint->state));
    for (vm::Segment& segment : checkpoint->segments) session.add_segments(std::move(segment.bytes));
  }
  for (const auto& [hash, bytes] : segments_) session.add_segments(bytes);

  // Those that wait go first, to wait again in the order in which they do now; then everything runs on as it would.
  // Before them those that have a place, which they take again.
  std::sort(parked.begin(), parked.end(), [](const ThreadRecord* a, const ThreadRecord* b) {
    const bool a_inside = a->call != nullptr && a->call->admission != nullptr && a->call->admission->inside();
    const bool b_inside = b->call != nullptr && b->call->admission != nullptr && b->call->admission->inside();
    return a_inside != b_inside ? a_inside : a->parked < b->parked;
  });
  for (const ThreadRecord* record : parked) session.add_turns(std::string(record->tid()));
  session.add_turns(std::string(running.tid()));
  for (const ThreadRecord* record : scheduler_.ReadyInOrder()) {
    if (record->session == this && record->phase == Phase::kReady) session.add_turns(std::string(record->tid()));
  }
  for (const ThreadRecord* record : queued_) {
    if (record->phase == Phase::kReady) session.add_turns(std::string(record->tid()));
  }

  for (const auto& [key, cell] : cells_) {
    proto::SessionCell* to = session.add_cells();
    to->set_made_unix_ns(cell.made_ns);
    if (Status s = WriteValue(cell.future, to->mutable_future()); !s.ok()) return s.failure();
    if (Status s = WriteOutcome(cell, to->mutable_outcome()); !s.ok()) return s.failure();
  }
  for (const auto& [name, queue] : events_) {
    proto::SessionEvents* to = session.add_events();
    to->set_name(name);
    for (const MadeCell* cell : queue.waiting) {
      if (Status s = WriteValue(cell->future, to->add_waiting()); !s.ok()) return s.failure();
    }
    for (const KeptEvent& event : queue.kept) {
      if (Status s = WriteValue(event.value, to->add_kept()); !s.ok()) return s.failure();
    }
  }
  for (const auto& [key, value] : published_) {
    proto::SessionPublished* to = session.add_published();
    to->set_key(key);
    if (Status s = WriteValue(value, to->mutable_value()); !s.ok()) return s.failure();
  }
  for (const FutureCell* cell : failures_) session.add_failures(std::string(cell->thread->tid()));
  return session.SerializeAsString();
}

}  // namespace teal::runtime

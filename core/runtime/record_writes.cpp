// Which writes are allowed on a record: record_rules.h.
#include <algorithm>

#include "core/runtime/record_rules.h"

namespace teal::runtime::record {
namespace {

using Mask = uint32_t;
constexpr Mask Bit(Status s) {
  return Mask{1} << static_cast<uint32_t>(s);
}
constexpr Mask kAbsentBit = 1;  // no status has the number 0
constexpr Mask kFinalBits = Bit(Status::kDone) | Bit(Status::kFailed) | Bit(Status::kCancelled);
constexpr Mask kWorkBits = Bit(Status::kRunning) | Bit(Status::kWaiting) | kFinalBits;

// From each status, by its number, 0 for absent: those that a progress write may lead to.
constexpr Mask kThreadTable[] = {
    Bit(Status::kReady) | kWorkBits,  // ready: a waiter creates it (P-14); cancelled: a cancel does (P-19)
    kWorkBits,
    Bit(Status::kReady) | kWorkBits,  // ready: handed over
    kWorkBits,
    kAbsentBit,
    kAbsentBit,
    kAbsentBit,
    0,
    0,
};
constexpr Mask kSessionTable[] = {
    Bit(Status::kReady) | (kWorkBits & ~Bit(Status::kCancelled)),  // nobody cancels a session that is not there
    Bit(Status::kReady) | kWorkBits,                               // ready: with the current program (P-30)
    Bit(Status::kReady) | kWorkBits,
    kWorkBits,
    Bit(Status::kErasing),
    Bit(Status::kErasing),
    Bit(Status::kErasing),
    Bit(Status::kErased),
    kAbsentBit,
};

// The first progress field in which they differ, the outbox left out.
std::string Difference(const Thread& a, const Thread& b) {
  if (a.status != b.status) return "status";
  if (a.commit_id != b.commit_id) return "commit_id";
  if (a.epoch != b.epoch) return "epoch";
  if (a.lease != b.lease) return "lease";
  if (a.verified != b.verified) return "verified";
  if (a.state != b.state) return "state";
  if (a.start != b.start) return "start";
  if (a.chained != b.chained) return "chained";
  if (a.in_flight != b.in_flight) return "in_flight";
  if (a.wait != b.wait) return "wait";
  if (a.children != b.children) return "children";
  if (a.result != b.result) return "result";
  if (a.owner != b.owner) return "owner";
  if (a.step != b.step) return "step";
  if (a.outcomes != b.outcomes) return "outcomes";
  if (a.segments != b.segments) return "segments";
  if (a.settle_delay_ns != b.settle_delay_ns) return "settle_delay_ns";
  if (a.attempts != b.attempts) return "attempts";
  if (a.course != b.course) return "course";
  if (a.lines != b.lines) return "lines";
  if (a.pieces != b.pieces) return "pieces";
  if (a.answer != b.answer || a.answer_failed != b.answer_failed) return "answer";
  if (a.made != b.made) return "made";
  if (a.unknown != b.unknown) return "a field of a newer release";
  return {};
}

std::string Difference(const Session& a, const Session& b) {
  if (std::string field = Difference(a.main, b.main); !field.empty()) return field;
  if (a.program != b.program) return "program";
  if (a.function != b.function) return "function";
  if (a.source != b.source) return "source";
  if (a.id != b.id) return "id";
  if (a.labels != b.labels) return "labels";
  if (a.created_unix_ns != b.created_unix_ns) return "created_unix_ns";
  if (a.started_unix_ns != b.started_unix_ns) return "started_unix_ns";
  if (a.ended_unix_ns != b.ended_unix_ns) return "ended_unix_ns";
  if (a.deadline_unix_ns != b.deadline_unix_ns) return "deadline_unix_ns";
  if (a.retention_ns != b.retention_ns) return "retention_ns";
  if (a.published != b.published) return "published";
  if (a.steps != b.steps) return "steps";
  if (a.resolved != b.resolved) return "resolved";
  if (a.cancelled != b.cancelled) return "cancelled";
  if (a.history != b.history || a.history_pieces != b.history_pieces) return "history";
  if (a.replied != b.replied) return "replied";
  if (a.carrier != b.carrier) return "carrier";
  if (a.unknown != b.unknown) return "a field of a newer release";
  return {};
}

bool Includes(const std::vector<std::string>& all, const std::vector<std::string>& some) {
  return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

// The parts of a side write that are not progress.
std::string SidePart(const Thread& before, const Thread& after) {
  if (after.outbox != before.outbox && !after.outbox.empty()) return "outbox: changed, not cleared";
  if (after.cancel < before.cancel) return "cancel: taken back";
  if (IsFinal(before.status)) {
    if (after.cancel != before.cancel) return "cancel: of what has ended";
    return Includes(before.waiters, after.waiters) ? "" : "waiters: added to what has ended";
  }
  return Includes(after.waiters, before.waiters) ? "" : "waiters: lost before the end";
}

std::string ProgressPart(const Thread& before, const Thread& after) {
  if (after.commit_id == before.commit_id) return "commit_id: not a new one (P-2)";
  if (after.owner != before.owner || after.step != before.step) return "owner: another";
  if (before.verified && !after.verified) return "verified: taken back";
  if (after.epoch < before.epoch || after.epoch - before.epoch > 1) return "epoch: not the same or the next (P-10)";
  const bool leased = before.status == Status::kRunning && before.lease.has_value();
  if (leased && after.commit_id.incarnation != before.lease->holder) {
    if (after.status != Status::kRunning) return "status: what was running is taken over as running first (P-10)";
    if (after.epoch == before.epoch) return "epoch: taken over without the next (P-10)";
  }
  if (!leased && after.epoch != before.epoch) return "epoch: the next without a take-over (P-10)";
  if (after.lease && after.lease->holder != after.commit_id.incarnation) return "lease: in another's name";
  // P-16: a park equal to the one recorded is not written; no other write leaves everything as it was, either.
  Thread same = before;
  same.commit_id = after.commit_id;
  if (Difference(same, after).empty() && before.outbox == after.outbox) return "commit_id: nothing moves (P-16)";
  const bool parked = before.status == Status::kWaiting && after.status == Status::kWaiting;
  if (parked && before.wait == after.wait && before.state == after.state && before.outcomes == after.outcomes &&
      before.start == after.start && before.chained == after.chained) {
    return "wait: parked as before (P-16)";
  }
  return {};
}

std::string NotAllowed(const Thread* before, const Thread& after) {
  const std::string from = before == nullptr ? "absent" : std::string(NameOf(before->status));
  return "status: from " + from + " to " + std::string(NameOf(after.status));
}

std::optional<Status> StatusOf(const Thread* thread) {
  return thread == nullptr ? std::nullopt : std::optional(thread->status);
}

}  // namespace

std::string_view NameOf(Status status) {
  static constexpr std::string_view kNames[] = {"",       "ready",     "running", "waiting", "done",
                                                "failed", "cancelled", "erasing", "erased"};
  return kNames[static_cast<size_t>(status)];
}

bool MayChange(std::optional<Status> from, std::optional<Status> to, Holder holder) {
  const Mask* table = holder == Holder::kThread ? kThreadTable : kSessionTable;
  const Mask allowed = table[from ? static_cast<size_t>(*from) : 0];
  return (allowed & (to ? Bit(*to) : kAbsentBit)) != 0;
}

std::string SideWriteFault(const Thread& before, const Thread& after) {
  if (std::string field = Difference(before, after); !field.empty()) return field + ": changed by a side write (P-2)";
  return SidePart(before, after);
}

std::string SideWriteFault(const Session& before, const Session& after) {
  if (std::string field = Difference(before, after); !field.empty()) return field + ": changed by a side write (P-2)";
  return SidePart(before.main, after.main);
}

std::string ProgressWriteFault(const Thread* before, const Thread& after) {
  if (!MayChange(StatusOf(before), after.status, Holder::kThread)) return NotAllowed(before, after);
  return before == nullptr ? std::string() : ProgressPart(*before, after);
}

std::string ProgressWriteFault(const Session* before, const Session& after) {
  const Thread* main = before == nullptr ? nullptr : &before->main;
  if (!MayChange(StatusOf(main), after.main.status, Holder::kSession)) return NotAllowed(main, after.main);
  if (before == nullptr) return {};
  // A change of the session's own fields moves it, too (P-30).
  Session same = *before;
  same.main = after.main;
  if (!Difference(same, after).empty() && after.main.commit_id != before->main.commit_id) {
    if (before->main.status == Status::kReady && after.main.status == Status::kReady) return {};
  }
  return ProgressPart(before->main, after.main);
}

void AdoptSide(const Thread& found, Thread* mine) {
  mine->cancel = found.cancel;
  mine->waiters = found.waiters;
}

void AdoptSide(const Session& found, Session* mine) {
  AdoptSide(found.main, &mine->main);
  mine->paused = found.paused;
  mine->inbox = found.inbox;
  mine->event_waiters = found.event_waiters;
  mine->taken = found.taken;
}

}  // namespace teal::runtime::record

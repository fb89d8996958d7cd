// How a session gets into its store, and what waits for that (core/runtime/kept.h).
#include <algorithm>
#include <cassert>
#include <iterator>

#include "core/base/mutant.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using record::Key;
using vm::Value;

namespace {

uint64_t RoundedUp(uint64_t unix_ns, uint64_t round) {
  return round == 0 ? unix_ns : (unix_ns + round - 1) / round * round;
}

// A deadline that is nearer is waited for in the memory of the host that wrote it; another host that sees it due waits
// so much longer.
constexpr int64_t kOwnWakeNs = 8'000'000'000;
constexpr int64_t kOwnWakeGraceNs = 1'000'000'000;

// Bytes that a write takes of a commit's limit.
uint64_t SizeOf(const StoreWrite& write) {
  return write.key.partition.size() + write.key.sort.size() + write.bytes.size();
}

}  // namespace

void Session::Touch(ThreadRecord& record) {
  if (kept_ == nullptr || record.changed) return;
  record.changed = true;
  kept_->changed.push_back(&record);
  WantCommit();
}

void Session::TouchMaker(FutureCell& cell) {
  if (kept_ == nullptr) return;
  ThreadRecord* const maker = cell.thread != nullptr ? cell.thread : static_cast<MadeCell&>(cell).maker;
  if (maker != nullptr) Touch(*maker);
}

void Session::WantCommit() {
  if (kept_ == nullptr || kept_->wanted || kept_->lost) return;
  kept_->wanted = true;
  kept_->wanted_since_ns = scheduler_.clock().NowUnixNs();
  if (!kept_->in_air) runtime_->wanting_.push_back(shared_from_this());
  scheduler_.WakeIfIdle();
}

void Session::TellWhenKept(WhenKept told) {
  assert(kept_ != nullptr);
  if (kept_->lost) {
    const Status gone = Fail(FailureCode::kUnavailable, "the session is no longer here");
    runtime_->later_.push_back([told = std::move(told), gone] { told(gone); });
    return;
  }
  if (TEAL_MUTANT("answer_before_commit")) return runtime_->Later([told = std::move(told)] { told(Unit{}); });
  kept_->told.push_back(std::move(told));
  WantCommit();
}

Session::Handled Session::WaitAtGate(ThreadRecord& record) {
  if (record.call != nullptr) record.call->committed = false;
  const vm::Request& request = record.thread->request();
  NoteStep(Happened::kStepBegun, record,
           request.kind == vm::RequestKind::kForeign ? std::string_view(program_->imports()[request.id].function)
           : request.id == vm::kBuiltin_send         ? std::string_view("send")
                                                     : std::string_view("start"));
  Park(record, Phase::kForeign, WaitKind::kGate);
  kept_->at_gate.push_back(&record);
  Touch(record);
  return Handled::kParked;
}

bool Session::CommitIsDue() const {
  if (kept_->in_air) return false;
  const SharedSession* const shared = kept_->shared.get();
  if (shared != nullptr && shared->handing_over && calls_ > 0 && !shared->at_once && !ended_) return false;
  if (queued_entries_ == 0 || ended_) return true;
  if (kept_->changed.size() >= kChangedThreadsMax) return true;
  return scheduler_.clock().NowUnixNs() - kept_->wanted_since_ns >= kCommitWaitNs;
}

// Nothing runs, nothing is on its way: only the world or the time can wake it.
bool Session::AtRest() const {
  return queued_entries_ == 0 && queued_.empty() && calls_ == 0 && kept_->at_gate.empty() && kept_->gate_in_air.empty();
}

// When the store is to bring it back: while it works, when the lease is over; at rest, at its next deadline.
uint64_t Session::DueOfCommit() {
  const record::Constants& constants = runtime_->options_.constants;
  const int64_t now = scheduler_.clock().NowUnixNs();
  if (ended_) return static_cast<uint64_t>(now) + kept_->head.retention_ns;
  if (!AtRest()) {
    if (kept_->shared != nullptr && kept_->shared->handing_over) {
      kept_->lease_until_ns = 1;  // over for anybody
      return kept_->head.paused ? 0 : static_cast<uint64_t>(now);
    }
    if (kept_->lease_ns == 0) kept_->lease_ns = constants.lease_ns;
    kept_->lease_until_ns = now + static_cast<int64_t>(kept_->lease_ns);
    if (kept_->head.paused) return 0;  // only resuming brings it back
    return RoundedUp(static_cast<uint64_t>(kept_->lease_until_ns), constants.due_round_ns);
  }
  kept_->lease_ns = 0;
  kept_->lease_until_ns = 0;
  kept_->quiet_since_ns = now;
  if (kept_->head.paused) return 0;
  int64_t due = NextDeadline();
  if (kept_->head.deadline_unix_ns > 0) due = std::min(due, static_cast<int64_t>(kept_->head.deadline_unix_ns));
  // It stays in this host's memory until then: others come only if this host does not.
  if (kept_->shared != nullptr && !kept_->shared->handing_over && due < now + kOwnWakeNs) due += kOwnWakeGraceNs;
  return due == INT64_MAX ? 0 : static_cast<uint64_t>(std::max<int64_t>(due, 1));
}

// The next time that means something to it; INT64_MAX: none.
int64_t Session::NextDeadline() const {
  int64_t next = INT64_MAX;
  for (const auto& record : threads_) {
    if (record->phase == Phase::kEnded) continue;
    if (record->wait == WaitKind::kTime || record->wait == WaitKind::kRetry) next = std::min(next, record->wake_ns);
    if (record->cancel_raised) next = std::min(next, record->seldom->grace_end_ns);
  }
  for (const auto& [future, cell] : cells_) {
    if (cell.armed && cell.state == CellState::kPending) next = std::min(next, cell.Made().deadline_unix_ns);
  }
  return next;
}

// Everything that changed, and the session's own record, on whose version all depends.
Status Session::BuildCommit(std::vector<std::vector<StoreWrite>>* commits) {
  commit_id_ = {runtime_->options_.incarnation, ++runtime_->commits_made_};
  Touch(*main_);
  if (!ended_) Collect();
  const uint64_t due = DueOfCommit();
  std::vector<vm::Segment> segments;
  std::vector<StoreWrite> writes;
  // First what moves out of the records that are encoded next.
  NoteParked();
  if (Status s = MoveLines(); !s.ok()) return s;
  if (Status s = MoveHistory(); !s.ok()) return s;
  record::Session session;
  if (Status s = EncodeSession(&segments, &session); !s.ok()) return s;
  if (kept_->shared != nullptr) NoteSent(&session);
  const auto put = [&writes](Key key, Result<std::string> bytes) -> Status {
    if (!bytes.ok()) return bytes.failure();
    StoreWrite& write = writes.emplace_back();
    write.key = std::move(key);
    write.bytes = std::move(*bytes);
    return Unit{};
  };
  const Key session_key = record::SessionKey(sid_);
  if (Status s = put(session_key, record::Encode(session_key, session)); !s.ok()) return s;
  writes[0].condition = TEAL_MUTANT("commit_without_condition") ? StoreCondition::kAny
                        : kept_->exists                         ? StoreCondition::kVersion
                                                                : StoreCondition::kAbsent;
  if (writes[0].condition == StoreCondition::kVersion) writes[0].expected = kept_->version;
  writes[0].due_unix_ns = TEAL_MUTANT("commit_without_due") ? 0 : due;
  for (ThreadRecord* record : kept_->changed) {
    if (record == main_ || ended_) continue;  // of one that has ended nobody looks at the others
    record::Thread thread;
    if (Status s = EncodeThread(*record, &segments, &thread); !s.ok()) return s;
    const Key key = record::ThreadKey(sid_, record->tid());
    if (Status s = put(key, record::Encode(key, thread)); !s.ok()) return s;
    record->stored = true;
  }
  writes.insert(writes.end(), kept_->pieces.begin(), kept_->pieces.end());
  for (const Key& key : kept_->gone) {
    StoreWrite& write = writes.emplace_back();
    write.kind = StoreWrite::Kind::kDelete;
    write.key = key;
  }
  if (!kept_->exists && !kept_->start.arguments.empty()) {
    const Key key = record::StartKey(sid_);
    if (Status s = put(key, record::Encode(key, kept_->start)); !s.ok()) return s;
  }
  if (!kept_->listed) {
    const Key key = record::ListKey(session.created_unix_ns, sid_);
    if (Status s = put(key, record::EncodeListed(key)); !s.ok()) return s;
  }
  if (ended_) kept_->last = std::make_shared<record::Session>(std::move(session));
  // Segments are immutable and named by their content: they may go before.
  std::vector<StoreWrite> values;
  for (vm::Segment& segment : segments) {
    const Key key = record::ValueKey(sid_, segment.hash);
    record::Value value;
    value.bytes = std::move(segment.bytes);
    Result<std::string> bytes = record::Encode(key, value);
    if (!bytes.ok()) return bytes.failure();
    StoreWrite& write = values.emplace_back();
    write.key = key;
    write.bytes = std::move(*bytes);
  }
  if (kept_->shared != nullptr) AddOwed(&values, &writes);
  return Divide(std::move(values), std::move(writes), commits);
}

// One commit if it fits; else the values go before, in as many as it takes.
Status Session::Divide(std::vector<StoreWrite> values, std::vector<StoreWrite> writes,
                       std::vector<std::vector<StoreWrite>>* commits) const {
  const StoreLimits& limits = runtime_->options_.store->limits();
  const uint64_t bytes_max = limits.commit_bytes_max - std::min(limits.commit_bytes_max / 2, kCommitSlackBytes);
  uint64_t bytes = 0;
  for (const StoreWrite& write : writes) {
    bytes += SizeOf(write);
    if (write.bytes.size() > limits.value_bytes_max) {
      return Fail(FailureCode::kTooLarge, "a record of " + std::to_string(write.bytes.size()) +
                                              " bytes; this memory takes " + std::to_string(limits.value_bytes_max));
    }
  }
  if (writes.size() > limits.commit_ops_max || bytes > bytes_max) {
    return Fail(FailureCode::kTooLarge, "a commit of " + std::to_string(writes.size()) + " records and " +
                                            std::to_string(bytes) + " bytes; this memory takes " +
                                            std::to_string(limits.commit_ops_max) + " and " +
                                            std::to_string(limits.commit_bytes_max));
  }
  std::vector<StoreWrite> before;
  uint64_t before_bytes = 0;
  for (StoreWrite& value : values) {
    const uint64_t size = SizeOf(value);
    if (writes.size() < limits.commit_ops_max && bytes + size <= bytes_max) {
      bytes += size;
      writes.push_back(std::move(value));
      continue;
    }
    if (!before.empty() && (before.size() >= limits.commit_ops_max || before_bytes + size > bytes_max)) {
      commits->push_back(std::move(before));
      before.clear();
      before_bytes = 0;
    }
    before_bytes += size;
    before.push_back(std::move(value));
  }
  if (!before.empty()) commits->push_back(std::move(before));
  commits->push_back(std::move(writes));
  return Unit{};
}

std::vector<std::vector<StoreWrite>> Session::MakeCommit() {
  assert(kept_ != nullptr && !kept_->in_air && !kept_->lost);
  kept_->wanted = true;  // what changes while the commit is made is in it
  std::vector<std::vector<StoreWrite>> commits;
  Status built = BuildCommit(&commits);
  if (!built.ok()) {
    // What cannot be written cannot go on; it says so, and that can be written.
    commits.clear();
    if (!ended_) {
      EndNow(SessionStatus::kFailed,
             vm::MakeError(built.failure().code == FailureCode::kTooLarge ? "limit" : "internal",
                           "the session cannot be written down: " + built.failure().message));
    } else {
      outcome_.status = SessionStatus::kFailed;
      outcome_.result = Value();
      outcome_.error = vm::MakeError("limit", "the result cannot be written down: " + built.failure().message);
    }
    kept_->changed.clear();
    kept_->pieces.clear();
    kept_->lines.lines.clear();
    kept_->lines.bytes = 0;
    if (kept_->shared != nullptr) kept_->shared->owed.clear();
    built = BuildCommit(&commits);
    assert(built.ok());
  }
  for (ThreadRecord* record : kept_->changed) record->changed = false;
  kept_->changed.clear();
  kept_->gone.clear();
  kept_->pieces.clear();
  kept_->start = record::Start();
  kept_->replied_in_air = std::move(kept_->replied);
  kept_->replied.clear();
  kept_->wanted = false;
  kept_->in_air = true;
  kept_->sent_ns = scheduler_.clock().NowUnixNs();
  kept_->final_in_air = ended_;
  kept_->gate_in_air = std::move(kept_->at_gate);
  kept_->at_gate.clear();
  kept_->told_in_air = std::move(kept_->told);
  kept_->told.clear();
  if (SharedSession* const shared = kept_->shared.get()) {
    shared->owed.clear();
    shared->sent.clear();
    for (const std::vector<StoreWrite>& commit : commits) {
      for (const StoreWrite& write : commit) {
        if (&write != commits.back().data()) shared->sent.push_back(write);
      }
    }
  }
  return commits;
}

void Session::Committed(const Result<StoreCommitted>& outcome) {
  assert(kept_->in_air);
  kept_->in_air = false;
  if (!outcome.ok()) return Lose(outcome.failure());
  const StoreCommitted& committed = outcome.value();
  if (!committed.applied) {
    if (kept_->shared != nullptr && Contested(committed)) return;
    // kNotFound: it is not this one that the store has, so what was asked of it must be asked again
    // (DurableSessions::MustAskAgain).
    return Lose(Fail(FailureCode::kNotFound, kept_->exists ? "another host has taken the session over"
                                                           : "there is a session with this id already"));
  }
  Applied(committed.versions[0]);
}

void Session::Applied(const StoreVersion& version) {
  kept_->version = version;
  if (SharedSession* const shared = kept_->shared.get()) {
    shared->stored_id = shared->sent_id;
    shared->stored_paused = shared->sent_paused;
    shared->stored_inbox = std::move(shared->sent_inbox);
    shared->sent.clear();
    shared->lease_sent_ns = kept_->sent_ns;
    shared->lease_ns = shared->sent_lease_ns;
  }
  kept_->exists = true;
  kept_->listed = true;
  const std::vector<ThreadRecord*> gate = std::move(kept_->gate_in_air);
  kept_->gate_in_air.clear();
  // P-9: a commit that took too long is no leave to begin; the next one renews the lease.
  const bool handing_over = kept_->shared != nullptr && kept_->shared->handing_over;
  const bool in_time = !handing_over && (TEAL_MUTANT("zombie_starts_effect") ||
                                         record::MayStartEffect(static_cast<uint64_t>(kept_->sent_ns),
                                                                static_cast<uint64_t>(scheduler_.clock().NowUnixNs()),
                                                                kept_->lease_ns, runtime_->options_.constants));
  if (!gate.empty() && !in_time) {
    kept_->at_gate.insert(kept_->at_gate.end(), gate.begin(), gate.end());
    if (!handing_over) {
      // It is put among those that want a commit below, once.
      if (!kept_->wanted) kept_->wanted_since_ns = scheduler_.clock().NowUnixNs();
      kept_->wanted = true;
    }
  }
  for (ThreadRecord* record : gate) {
    if (!in_time) break;
    if (record->phase != Phase::kForeign || record->wait != WaitKind::kGate) continue;
    record->call->committed = true;
    Unpark(*record);
    scheduler_.MakeReady(record);  // its request is still there: the thread itself makes the call
  }
  for (WhenKept& told : kept_->told_in_air) {
    runtime_->later_.push_back([told = std::move(told)] { told(Unit{}); });
  }
  kept_->told_in_air.clear();
  if (runtime_->events_ != nullptr && !kept_->replied_in_air.empty()) {
    runtime_->later_.push_back([events = runtime_->events_, sid = sid_, replied = std::move(kept_->replied_in_air)] {
      for (const std::string& id : replied) events->OnReplied(sid, id);
    });
    kept_->replied_in_air.clear();
  }
  if (kept_->final_in_air) {
    // Who asked since then changes nothing any more.
    for (WhenKept& told : kept_->told) {
      runtime_->later_.push_back([told = std::move(told)] { told(Unit{}); });
    }
    kept_->told.clear();
    kept_->lost = true;
    runtime_->Drop(*this);
    if (runtime_->events_ != nullptr) {
      runtime_->later_.push_back(
          [events = runtime_->events_, sid = sid_, last = kept_->last] { events->OnEnded(sid, *last); });
    }
    return;
  }
  if (runtime_->events_ != nullptr) {
    runtime_->later_.push_back([events = runtime_->events_, sid = sid_] { events->OnCommitted(sid); });
  }
  if (kept_->wanted) {
    runtime_->wanting_.push_back(shared_from_this());
  } else if (handing_over && kept_->shared->sent_hand_over) {
    kept_->lost = true;
    runtime_->Drop(*this);
  }
}

// What was not committed is forgotten; what the store has goes on from there, here or elsewhere (P-3).
void Session::Lose(const Failure& why) {
  if (kept_->lost) return;
  kept_->lost = true;
  for (std::vector<WhenKept>* all : {&kept_->told_in_air, &kept_->told}) {
    for (WhenKept& told : *all) {
      runtime_->later_.push_back([told = std::move(told), why] { told(why); });
    }
    all->clear();
  }
  if (kept_->exists && runtime_->events_ != nullptr) {
    runtime_->later_.push_back([events = runtime_->events_, sid = sid_, why] { events->OnLost(sid, why); });
  }
  runtime_->Drop(*this);
}

}  // namespace teal::runtime

// Going on with a session that was written down (session_move.cpp), in another process or this one.
#include <cassert>

#include "core/proto/session.pb.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using vm::Value;

namespace {

Failure Damaged(const std::string& what) {
  return teal::Fail(FailureCode::kCorrupt, "the written session is damaged: " + what);
}

}  // namespace

Status Session::TakeUpOutcome(const proto::SessionOutcome& from, FutureCell* cell) {
  if (from.state() > static_cast<uint32_t>(CellState::kFailed)) return Damaged("a future in an unknown state");
  cell->state = static_cast<CellState>(from.state());
  cell->awaited = from.awaited();
  cell->order = from.order();
  if (cell->state == CellState::kPending) return Unit{};
  Result<Value> value = vm::DecodeValue(from.value(), program_.get());
  if (!value.ok()) return value.failure();
  if (cell->state == CellState::kFailed && value->tag() != vm::Tag::kError)
    return Damaged("a failure that is no error");
  vm::Share(*value);
  cell->outcome = std::move(*value);
  return Unit{};
}

Status Session::TakeUpThread(const proto::SessionThread& from, const vm::SegmentSource& segments) {
  if (threads_.count(from.tid()) > 0) return Damaged("two threads " + from.tid());
  ThreadRecord* owner = nullptr;
  if (!from.owner().empty()) {
    const auto found = threads_.find(from.owner());
    if (found == threads_.end()) return Damaged("thread " + from.tid() + " without the one that spawned it");
    owner = found->get();
  }
  ThreadRecord& record = *AddThread(vm::MakeString(from.tid()), owner, from.depth());
  if (owner == nullptr) main_ = &record;
  record.started = from.started();
  record.cancel_requested = from.cancel_requested();
  record.cancel_raised = from.cancel_raised();
  if (record.cancel_raised) record.Seldom().grace_end_ns = from.grace_end_unix_ns();
  record.priority = from.priority();
  record.has_effect_step = from.has_effect_step();
  record.effect_step = from.effect_step();
  record.wake_ns = from.wake_unix_ns();
  if (from.attempt() > 0) {
    record.call = std::make_unique<PendingCall>();
    record.call->attempt = from.attempt();
    record.call->losses = from.losses();
  }
  if (owner != nullptr) {
    auto site = std::make_unique<SpawnSite>();
    site->outer = owner->site;
    site->tid = owner->tid();
    for (int i = 0; i + 1 < from.site_size(); i += 2) {
      if (from.site(i) >= program_->functions().size()) return Damaged("a function that is not there");
      site->places.push_back({from.site(i), from.site(i + 1)});
    }
    record.site = site.get();
    sites_.push_back(std::move(site));
  }
  if (from.answered() > static_cast<uint32_t>(AnswerKind::kError)) return Damaged("an unknown answer");
  record.answered = static_cast<AnswerKind>(from.answered());
  if (record.answered != AnswerKind::kNone) {
    Result<Value> answer = vm::DecodeValue(from.answer(), program_.get());
    if (!answer.ok()) return answer.failure();
    record.answer = std::move(*answer);
    if (record.answered == AnswerKind::kError && record.answer.tag() != vm::Tag::kError) {
      return Damaged("an error that is none");
    }
  }
  if (Status s = TakeUpOutcome(from.outcome(), &record.cell); !s.ok()) return s;
  if (from.state().empty()) {
    record.phase = Phase::kEnded;
    --living_;
    return Unit{};
  }
  Result<std::unique_ptr<vm::Thread>> thread = vm::ReadCheckpoint(from.state(), program_, segments);
  if (!thread.ok()) return thread.failure();
  record.thread = std::move(*thread);
  record.asked = record.thread->state() == vm::RunState::kRequest;
  if (!record.asked && record.answered == AnswerKind::kValue) return Damaged("an answer to no question");
  if (from.limited_function() > 0) {
    const auto policy = function_policies_.find(from.limited_function() - 1);
    if (policy == function_policies_.end() || policy->second.limiter == nullptr) return Damaged("an unknown limit");
    record.admission = std::make_unique<Admission>(policy->second.limiter, from.running_key(), from.begins_key());
    if (record.started) record.admission->TakePlace();
  }
  if (record.cancel_raised) {
    scheduler_.SetTimer({record.seldom->grace_end_ns, 0, this, TimerKind::kTerminate, 0, &record});
  }
  return Unit{};
}

Result<MadeCell*> Session::ReadCell(std::string_view written) {
  Result<Value> future = vm::DecodeValue(written, program_.get());
  if (!future.ok()) return future.failure();
  if (future->tag() != vm::Tag::kFuture) return Damaged("a future that is none");
  const vm::Future* f = future->As<vm::Future>();
  if (f->kind == vm::FutureKind::kThread || f->id.tag() != vm::Tag::kString) return Damaged("an unknown future");
  vm::Share(*future);
  const auto [place, added] = cells_.try_emplace(f);
  if (!added) return Damaged("a future that is there twice");
  MadeCell& cell = place->second;
  cell.kind = f->kind;
  cell.future = std::move(*future);
  return &cell;
}

// First all cells, then what ties them together: a timeout may be of any other.
Status Session::TakeUpCells(const proto::Session& from) {
  std::vector<MadeCell*> pending_timeouts;
  for (const proto::SessionCell& cell : from.cells()) {
    Result<MadeCell*> read = ReadCell(cell.future());
    if (!read.ok()) return read.failure();
    MadeCell& taken = **read;
    taken.made_ns = cell.made_unix_ns();
    if (Status s = TakeUpOutcome(cell.outcome(), &taken); !s.ok()) return s;
    if (taken.kind == vm::FutureKind::kTimeout) pending_timeouts.push_back(&taken);
  }
  for (MadeCell* cell : pending_timeouts) {
    const Value& inner = cell->Made().inner;
    cell->inner = inner.tag() == vm::Tag::kFuture ? CellOf(inner) : nullptr;
    if (cell->inner == nullptr) return Damaged("a timeout of nothing");
    if (cell->state != CellState::kPending) continue;
    Subscribe(*cell->inner, Waiter::Of(cell));
    cell->armed = true;
    scheduler_.SetTimer({cell->Made().deadline_unix_ns, 0, this, TimerKind::kFuture, 0, cell});
  }
  for (const proto::SessionEvents& events : from.events()) {
    EventQueue& queue = events_[events.name()];
    for (const std::string& bytes : events.waiting()) {
      Result<Value> future = vm::DecodeValue(bytes, program_.get());
      if (!future.ok()) return future.failure();
      FutureCell* cell = future->tag() == vm::Tag::kFuture ? CellOf(*future) : nullptr;
      if (cell == nullptr || cell->kind == vm::FutureKind::kThread) return Damaged("an event that nobody asked for");
      queue.waiting.push_back(static_cast<MadeCell*>(cell));
    }
    for (const std::string& bytes : events.kept()) {
      Result<Value> value = vm::DecodeValue(bytes, program_.get());
      if (!value.ok()) return value.failure();
      vm::Share(*value);
      queue.kept.push_back({std::move(*value), {}, {}});
    }
  }
  return Unit{};
}

Result<std::string> Session::SidOfWritten(std::string_view bytes) {
  proto::Session session;
  if (!session.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || session.sid().empty()) {
    return Damaged("it is no Protobuf message of a session");
  }
  return session.sid();
}

Status Session::TakeUp(std::string_view bytes) {
  proto::Session session;
  if (!session.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Damaged("it is no Protobuf message");
  if (session.version() != kSessionVersion) {
    return Damaged("its version is " + std::to_string(session.version()) + ", not " + std::to_string(kSessionVersion));
  }
  const std::string hash(program_->hash().begin(), program_->hash().end());
  if (session.program() != hash)
    return teal::Fail(FailureCode::kInvalid, "the session was written down by another program");
  for (const std::string& segment : session.segments()) segments_[Sha256Of(segment)] = segment;
  const vm::SegmentSource segments = [this](const Sha256& name) -> Result<std::string> {
    const auto found = segments_.find(name);
    if (found == segments_.end()) return teal::Fail(FailureCode::kNotFound, "no segment " + Hex(name));
    return found->second;
  };
  steps_ = session.steps();
  resolved_ = session.resolved();
  cancelled_ = session.cancelled();
  for (const proto::SessionThread& thread : session.threads()) {
    if (Status s = TakeUpThread(thread, segments); !s.ok()) return s;
  }
  if (main_ == nullptr) return Damaged("it has no main thread");
  if (Status s = TakeUpCells(session); !s.ok()) return s;
  for (const proto::SessionThread& thread : session.threads()) {
    if (thread.chained_to().empty()) continue;
    Result<Value> future = vm::DecodeValue(thread.chained_to(), program_.get());
    if (!future.ok()) return future.failure();
    if (future->tag() != vm::Tag::kFuture) return Damaged("a chain to no future");
    Chain((*threads_.find(thread.tid()))->cell, *future);
  }
  for (const proto::SessionPublished& published : session.published()) {
    Result<Value> value = vm::DecodeValue(published.value(), program_.get());
    if (!value.ok()) return value.failure();
    vm::Share(*value);
    published_[published.key()] = std::move(*value);
  }
  for (const std::string& tid : session.failures()) {
    const auto found = threads_.find(tid);
    if (found == threads_.end() || (*found)->cell.state != CellState::kFailed) return Damaged("an unknown failure");
    failures_.push_back(&(*found)->cell);
  }
  for (const std::string& tid : session.turns()) {
    const auto found = threads_.find(tid);
    if (found == threads_.end() || (*found)->phase == Phase::kEnded) return Damaged("a turn of no thread");
    scheduler_.MakeReady(found->get());
  }
  if (!session.output().empty()) runtime_->options_.output->Write(sid_, "", session.output());
  return Unit{};
}

}  // namespace teal::runtime

#include "core/runtime/session.h"

#include <cassert>

#include "core/base/mutant.h"
#include "core/base/sha256.h"
#include "core/runtime/carry.h"
#include "core/runtime/record_key.h"
#include "core/runtime/running_note.h"

namespace teal::runtime {

using vm::Value;

namespace {

// That a slice of the session runs.
class SliceNote {
 public:
  SliceNote(RunningNote* note, std::string_view sid) : note_(note) {
    if (note_ != nullptr) note_->SliceBegins(sid);
  }
  ~SliceNote() {
    if (note_ != nullptr) note_->SliceEnds();
  }
  SliceNote(const SliceNote&) = delete;
  SliceNote& operator=(const SliceNote&) = delete;

 private:
  RunningNote* const note_;
};

}  // namespace

Session::Session(Runtime* runtime, SessionStart start)
    : runtime_(runtime),
      scheduler_(*runtime->scheduler_),
      sid_(start.id),
      program_(start.program),
      limits_(start.limits),
      foreign_(start.foreign != nullptr ? start.foreign : runtime->options_.foreign),
      start_(std::move(start)) {
  assert(!sid_.empty());
  ReadPolicies();
}

Session::~Session() = default;

void Session::Begin() {
  main_ = AddThread(vm::MakeString("0"), nullptr, 0);
  Touch(*main_);
  if (start_.function.tag() == vm::Tag::kFunction) {
    Value error;  // what a session begins with can be carried, and so be a key
    main_->admission = AdmissionToFunction(start_.function.AsIndex(), start_.arguments, false, &error);
  }
  if (kept_ != nullptr) KeepStart();
  main_->thread = std::make_unique<vm::Thread>(program_, std::string(main_->tid()), std::move(start_.function),
                                               std::move(start_.arguments));
  start_.arguments.clear();
  if (kept_ != nullptr) Note(Happened::kStarted, *main_, kept_->head.function);
  scheduler_.MakeReady(main_);
}

// For who runs it again.
void Session::KeepStart() {
  uint32_t index = 0;
  const bool is_entry = start_.function.tag() == vm::Tag::kFunction &&
                        program_->FindEntry(kept_->head.function, &index) != nullptr &&
                        index == start_.function.AsIndex();
  if (is_entry && start_.arguments.empty()) return;
  Value list = vm::MakeList();
  for (const Value& argument : start_.arguments) list = vm::ListAppend(std::move(list), argument);
  Result<std::string> function = vm::EncodeValue(start_.function);
  Result<std::string> arguments = vm::EncodeValue(list);
  if (!function.ok() || !arguments.ok()) return;
  // Large ones lie in segments of the state, and are not kept besides.
  if (function->size() + arguments->size() > runtime_->options_.store->limits().value_bytes_max / 2) return;
  kept_->start.function = record::Content::Of(std::move(*function));
  kept_->start.arguments = record::Content::Of(std::move(*arguments));
}

ThreadRecord* Session::AddThread(Value tid, ThreadRecord* owner, uint32_t depth) {
  auto record = std::make_unique<ThreadRecord>();
  record->session = this;
  vm::Share(tid);
  record->name = std::move(tid);
  record->owner = owner;
  record->depth = depth;
  record->cell.thread = record.get();
  ThreadRecord* const raw = record.get();
  [[maybe_unused]] const bool added = threads_.insert(std::move(record)).second;
  assert(added);
  ++living_;
  return raw;
}

ThreadRecord* Session::Spawn(ThreadRecord& owner, uint64_t step, Value callee, std::vector<Value> arguments,
                             bool keywords) {
  if (owner.depth + 1 > limits_.spawn_depth) {
    EndAtLimit("threads that spawned one another", limits_.spawn_depth, "spawn_depth", owner);
    return nullptr;
  }
  if (living_ >= limits_.living_threads) {
    EndAtLimit("living threads", limits_.living_threads, "living_threads", owner);
    return nullptr;
  }
  vm::Share(callee);
  for (const Value& argument : arguments) vm::Share(argument);
  ThreadRecord* child = AddThread(vm::MakeString(ChildTid(owner.tid(), step)), &owner, owner.depth + 1);
  if (callee.tag() == vm::Tag::kFunction) {
    const auto policy = function_policies_.find(callee.AsIndex());
    if (policy != function_policies_.end()) child->priority = policy->second.priority;
  }
  if (kept_ != nullptr) {
    Note(Happened::kStarted, *child,
         callee.tag() == vm::Tag::kFunction ? std::string_view(program_->functions()[callee.AsIndex()].name)
                                            : std::string_view());
  }
  child->thread = std::make_unique<vm::Thread>(program_, std::string(child->tid()), std::move(callee),
                                               std::move(arguments), keywords);
  child->site = SiteOf(owner);
  child->spawn_step = step;
  ++owner.living_children;
  Touch(*child);
  scheduler_.MakeReady(child);
  return child;
}

const SpawnSite* Session::SiteOf(const ThreadRecord& owner) {
  std::unique_ptr<const SpawnSite> site = SpawnSiteOf(*owner.thread, owner.site);
  const SpawnSite* const last = sites_.empty() ? nullptr : sites_.back().get();
  const bool same =
      last != nullptr && last->outer == site->outer && last->tid == site->tid && last->places == site->places;
  if (!same) sites_.push_back(std::move(site));
  return sites_.back().get();
}

bool Session::TakeEffectStep(ThreadRecord& record, uint64_t* step) {
  if (!record.has_effect_step) {
    if (steps_ >= limits_.steps) {
      EndAtLimit("steps", limits_.steps, "steps", record);
      return false;
    }
    ++steps_;
    record.effect_step = record.thread->TakeStep();
    record.has_effect_step = true;
  }
  *step = record.effect_step;
  return true;
}

bool Session::TakeSlot(ThreadRecord& record) {
  if (ended_) return false;
  if (kept_ != nullptr && kept_->head.paused) {
    queued_.push_back(&record);
    return false;
  }
  if (record.has_slot) return true;
  if (slots_taken_ >= limits_.running_threads) {
    // Behind all that are as important.
    auto at = queued_.end();
    while (at != queued_.begin() && (*std::prev(at))->priority < record.priority) --at;
    queued_.insert(at, &record);
    return false;
  }
  ++slots_taken_;
  record.has_slot = true;
  return true;
}

void Session::GiveSlotBack(ThreadRecord& record) {
  if (!record.has_slot) return;
  record.has_slot = false;
  --slots_taken_;
  while (!queued_.empty()) {
    ThreadRecord* next = queued_.front();
    queued_.pop_front();
    if (next->phase != Phase::kReady) continue;  // ended while it queued
    scheduler_.MakeReady(next);
    break;
  }
}

void Session::Slice(ThreadRecord& record, std::unique_lock<std::mutex>& lock) {
  // Requests that are answered at once, within one slice: a thread that only prints must also make way for others.
  constexpr uint32_t kAnswersMax = 256;
  assert(lock.owns_lock());
  assert(record.phase == Phase::kReady && record.thread != nullptr);
  record.phase = Phase::kRunning;
  if (record.admission != nullptr && !record.started && !EnterOrPark(record, *record.admission)) return;
  record.started = true;
  const SuspensionTests& tests = runtime_->options_.suspension;
  const SliceNote note(kept_ == nullptr ? nullptr : runtime_->options_.note, sid_);
  lock.unlock();
  bool ran = record.answered != AnswerKind::kNone;  // it is no longer what the store has
  TakeAnswer(record);
  for (uint32_t answers = 0;; ++answers) {
    // A thread may come with its request: from another process, or for another attempt of a call.
    vm::RunState state = vm::RunState::kRequest;
    if (!record.asked) {
      uint64_t budget = kSliceBudget;
      if (tests.always) {
        uint64_t& seed = record.Seldom().budget_seed;
        seed = seed * 6364136223846793005u + 1442695040888963407u + tests.seed;
        budget = 1 + (seed >> 33) % 17;
      }
      // An error that nobody caught has failed it already.
      state = record.thread->state();
      if (state != vm::RunState::kFailed) state = record.thread->Run(budget);
      ran = true;
      record.asked = state == vm::RunState::kRequest;
    }
    const bool suspended = state == vm::RunState::kRequest || state == vm::RunState::kBudget;
    if (tests.always && suspended) Rehydrate(record);
    const bool makes_way = state == vm::RunState::kRequest && answers >= kAnswersMax;
    if (state == vm::RunState::kRequest && tests.move_at == 0 && !makes_way && !record.terminate &&
        AnswerAlone(record)) {
      continue;
    }

    lock.lock();
    if (ran && !ended_) {
      Touch(record);
      if (record.parked_noted) {
        record.parked_noted = false;
        Note(Happened::kWoken, record);
      }
    }
    ran = false;
    if (ended_ || record.terminate) {
      Drop(record);
      EndIfOver();
      return;
    }
    if (tests.move_at != 0 && suspended && runtime_->CountSuspension()) {
      runtime_->Move(*this, record);
      if (!runtime_->moved_.empty()) return;
    }
    if (makes_way) {
      scheduler_.MakeReady(&record, true);
      return;
    }
    switch (state) {
      case vm::RunState::kDone:
      case vm::RunState::kFailed: {
        const bool ok = state == vm::RunState::kDone;
        Finish(record, ok, record.thread->result());
        return;
      }
      case vm::RunState::kBudget:
        // A thread that only computes is cancelled here; not with tiny budgets, or it would be cancelled earlier.
        if (record.cancel_requested && !record.cancel_raised && !tests.always) {
          BeginGrace(record);
          record.answered = AnswerKind::kError;
          record.answer = vm::MakeError("cancelled", "the thread was cancelled");
        }
        scheduler_.MakeReady(&record, true);
        return;
      case vm::RunState::kRequest: {
        const Handled handled = Handle(record, lock);
        if (ended_ || record.terminate) {
          Drop(record);
          EndIfOver();
          return;
        }
        if (handled == Handled::kParked) return;
        break;
      }
    }
    lock.unlock();
  }
}

void Session::Rehydrate(ThreadRecord& record) {
  Result<vm::Checkpoint> written = vm::WriteCheckpoint(*record.thread);
  if (!written.ok()) {
    record.Seldom().terminate_error = std::make_unique<std::string>(written.failure().message);
    record.terminate = true;
    return;
  }
  const std::lock_guard<std::mutex> lock(segments_mutex_);
  for (vm::Segment& segment : written->segments) segments_[segment.hash] = std::move(segment.bytes);
  record.thread.reset();
  Result<std::unique_ptr<vm::Thread>> read =
      vm::ReadCheckpoint(written->state, program_, [&](const Sha256& hash) -> Result<std::string> {
        const auto found = segments_.find(hash);
        if (found == segments_.end()) return Fail(FailureCode::kNotFound, "no segment " + Hex(hash));
        return found->second;
      });
  if (!read.ok()) {
    record.Seldom().terminate_error = std::make_unique<std::string>(read.failure().message);
    record.terminate = true;
    return;
  }
  record.thread = std::move(*read);
  assert(record.thread->tid() == record.tid());
}

// Takes the thread out of the session, wherever it is. Precondition: no OS thread runs it (but the caller).
void Session::Drop(ThreadRecord& record) {
  if (record.phase == Phase::kEnded) return;
  Touch(record);
  if (record.call != nullptr && record.call->in_flight && record.call->number != 0) {
    foreign_->Cancel(record.call->number, 0);
  }
  Unpark(record);
  record.thread.reset();
  record.call.reset();
  record.admission.reset();
  record.phase = Phase::kEnded;
  --living_;
  GiveSlotBack(record);
  if (ended_ || record.cell.state != CellState::kPending) return;
  const bool out_of_grace = record.seldom == nullptr || record.seldom->terminate_error == nullptr;
  Value error =
      out_of_grace ? vm::MakeError("cancelled", "the thread was terminated: it did not end within the time to clean up")
                   : vm::MakeError("internal", *record.seldom->terminate_error);
  error = WithWholeTrace(std::move(error), record.tid(), record.site, *program_);
  NoteError(Happened::kThreadFailed, record, error);
  Resolve(record.cell, false, std::move(error));
}

void Session::Finish(ThreadRecord& record, bool ok, Value value) {
  assert(record.phase == Phase::kRunning);
  // The thread's own reference goes first, so that sharing marks no more than it must.
  record.thread.reset();
  record.phase = Phase::kEnded;
  --living_;
  GiveSlotBack(record);
  record.admission.reset();
  if (record.cancel_raised) scheduler_.TimerIsVoid();
  if (!ok) value = WithWholeTrace(std::move(value), record.tid(), record.site, *program_);
  if (!ok) {
    NoteError(Happened::kThreadFailed, record, value);
  } else if (&record != main_) {
    Note(Happened::kThreadDone, record);
  }
  vm::Share(value);
  if (ok && value.tag() == vm::Tag::kFuture) {
    Chain(record.cell, value);
  } else {
    Resolve(record.cell, ok, std::move(value));
  }
  EndIfOver();
}

void Session::EndIfOver() {
  if (ended_ || living_ > 0 || main_->cell.state == CellState::kPending) return;
  const bool main_ok = main_->cell.state == CellState::kOk;
  if (main_ok) {
    if (const auto why = WhyNotCarried(main_->cell.outcome, "result")) {
      main_->cell.state = CellState::kFailed;
      main_->cell.outcome = vm::MakeError("type", *why);
      failures_.push_back(&main_->cell);
    }
  }
  const auto was_cancelled = [](const FutureCell& cell) {
    return cell.thread->cancel_requested && cell.outcome.As<vm::Error>()->kind.Text() == "cancelled";
  };
  for (const FutureCell* failure : failures_) {
    if (failure->awaited || was_cancelled(*failure) || TEAL_MUTANT("errors_pass_in_silence")) continue;
    return End(SessionStatus::kFailed, failure->outcome);
  }
  if (main_->cell.state == CellState::kFailed) {
    return End(was_cancelled(main_->cell) ? SessionStatus::kCancelled : SessionStatus::kFailed, main_->cell.outcome);
  }
  End(SessionStatus::kDone, main_->cell.outcome);
}

void Session::End(SessionStatus status, Value value) {
  assert(!ended_);
  if (kept_ != nullptr) Note(Happened::kEnded, *main_, terminated_ ? "terminated" : NameOf(status));
  ended_ = true;
  outcome_.program = program_;
  outcome_.status = status;
  (status == SessionStatus::kDone ? outcome_.result : outcome_.error) = std::move(value);
  for (auto& record : threads_) {
    if (record->phase != Phase::kRunning) Drop(*record);
  }
  queued_.clear();
  if (kept_ == nullptr) cells_.clear();
  events_.clear();
  --runtime_->living_;
  WantCommit();
  scheduler_.Wake();
}

void Session::EndNow(SessionStatus status, Value error) {
  if (!ended_) End(status, std::move(error));
}

void Session::EndAtLimit(std::string_view what, uint64_t limit, std::string_view key, const ThreadRecord& at) {
  Value error = vm::MakeError("limit", "the session needs more than " + std::to_string(limit) + " " +
                                           std::string(what) + " (limits." + std::string(key) + " in teal.yaml)");
  error.As<vm::Error>()->trace = at.thread->TraceHere();
  EndNow(SessionStatus::kFailed, WithWholeTrace(std::move(error), at.tid(), at.site, *program_));
}

}  // namespace teal::runtime

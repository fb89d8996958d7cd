#include <algorithm>
#include <cassert>
#include <cstdio>

#include "core/runtime/worker_pool_impl.h"

namespace teal::runtime {

namespace {

constexpr auto kStuckAfter = std::chrono::milliseconds(20);    // a call that lasts longer gives back those behind it
constexpr auto kGrowAfter = std::chrono::milliseconds(5);      // of waiting for a process
constexpr auto kClosedGrace = std::chrono::milliseconds(100);  // from the end of the socket to that of the process
constexpr auto kGrowthPause = std::chrono::seconds(10);        // after a process that could not be started
constexpr int kBarrenDeathsMax = 3;

using TimePoint = std::chrono::steady_clock::time_point;

// Of CLOCK_MONOTONIC, which both sides read.
TimePoint FromSeconds(double seconds) {
  return TimePoint(std::chrono::duration_cast<TimePoint::duration>(std::chrono::duration<double>(seconds)));
}

std::string Seconds(std::chrono::nanoseconds time) {
  char text[32];
  std::snprintf(text, sizeof text, "%g s", std::chrono::duration<double>(time).count());
  return text;
}

}  // namespace

std::string WorkerPool::Impl::TimeoutText(const Task& task) const {
  return "`" + Name(task.function) + "` ran longer than its timeout of " + Seconds(task.timeout) +
         " and was ended; make it faster, or give it more time with #[timeout(…)]";
}

// ---- Time limits

void WorkerPool::Impl::Check(TimePoint now, Actions* actions) {
  next_check_ = TimePoint::max();
  for (const auto& slot : slots_) {
    if (slot->state == State::kDying) continue;
    if (slot->state == State::kStarting) {
      if (now >= slot->start_deadline) {
        Sentence sentence;
        sentence.note = "did not import its modules within " + Seconds(options_.start_timeout);
        Condemn(slot.get(), std::move(sentence));
        continue;
      }
      CheckBy(slot->start_deadline);
    }
    if (slot->closed_at != TimePoint::max()) {
      if (now >= slot->closed_at + kClosedGrace) {
        Sentence sentence;
        sentence.note = "closed the connection with its host";
        Condemn(slot.get(), std::move(sentence));
        continue;
      }
      CheckBy(slot->closed_at + kClosedGrace);
    }
    CheckDefs(slot.get(), now);
    if (slot->state != State::kDying) CheckCoroutines(slot.get(), now);
  }
  Grow(now, actions);
  if (stopping_) CheckBy(stop_deadline_);
}

void WorkerPool::Impl::CheckDefs(Slot* slot, TimePoint now) {
  if (slot->defs.empty()) return;
  const WorkerProgress progress = slot->process->Progress();
  for (const TaskPtr& task : slot->defs) {
    if (task->wire_id < progress.def_begun) continue;  // has ended; its result is under way
    const bool begun = task->wire_id == progress.def_begun;
    const TimePoint since = begun ? FromSeconds(progress.def_begun_at) : now;
    const TimePoint beat = begun ? std::max(since, task->last_beat) : now;
    Sentence sentence;
    sentence.victim = task->wire_id;
    if (task->timeout.count() > 0) {
      if (now >= since + task->timeout) {
        sentence.error_kind = "timeout";
        sentence.error_text = TimeoutText(*task);
        return Condemn(slot, std::move(sentence));
      }
      CheckBy(since + task->timeout);
    }
    if (task->heartbeat_timeout.count() > 0) {
      if (now >= beat + task->heartbeat_timeout) {
        sentence.error_kind = "timeout";
        sentence.error_text = "`" + Name(task->function) + "` gave no heartbeat for " +
                              Seconds(task->heartbeat_timeout) + " and was ended; call teal.heartbeat() more often";
        return Condemn(slot, std::move(sentence));
      }
      CheckBy(beat + task->heartbeat_timeout);
    }
    if (begun && now >= task->kill_at) {
      sentence.error_kind = "cancelled";
      sentence.error_text = "`" + Name(task->function) + "` was cancelled, did not end, and was ended";
      return Condemn(slot, std::move(sentence));
    }
    if (task->kill_at != TimePoint::max()) CheckBy(std::max(task->kill_at, now + std::chrono::milliseconds(1)));
    if (!begun) continue;
    if (slot->defs.size() < 2 || slot->stuck || processes_max_ < 2) continue;
    if (now >= since + kStuckAfter) {
      std::string message;
      AppendRecall(&message);
      slot->outbox.Add(message);
      slot->stuck = true;
    }
  }
  if (slot->defs.size() >= 2 && !slot->stuck && processes_max_ >= 2) CheckBy(now + kStuckAfter);
}

void WorkerPool::Impl::CheckCoroutines(Slot* slot, TimePoint now) {
  for (const auto& [wire_id, task] : slot->coroutines) {
    if (now >= task->kill_at) {
      Sentence sentence;
      sentence.victim = wire_id;
      sentence.error_kind = task->timed_out ? "timeout" : "cancelled";
      sentence.error_text = task->timed_out
                                ? TimeoutText(*task)
                                : "`" + Name(task->function) + "` was cancelled, did not end, and was ended";
      return Condemn(slot, std::move(sentence));
    }
    const bool late = task->timeout.count() > 0 && now >= task->sent_at + task->timeout;
    const bool silent = task->heartbeat_timeout.count() > 0 && now >= task->last_beat + task->heartbeat_timeout;
    if (!task->timed_out && (late || silent)) {
      task->timed_out = true;
      task->kill_at = std::min(task->kill_at, now + options_.coroutine_grace);
      std::string message;
      AppendCancel(&message, wire_id);
      slot->outbox.Add(message);
    }
    CheckBy(task->kill_at);
    if (task->timed_out) continue;
    if (task->timeout.count() > 0) CheckBy(task->sent_at + task->timeout);
    if (task->heartbeat_timeout.count() > 0) CheckBy(task->last_beat + task->heartbeat_timeout);
  }
}

void WorkerPool::Impl::Grow(TimePoint now, Actions* actions) {
  const bool waiting = !def_queue_.empty() || !coroutine_queue_.empty();
  if (!waiting || stopping_ || slots_.size() >= processes_max_) return;
  for (const auto& slot : slots_) {
    if (slot->state == State::kStarting) return;
  }
  TimePoint since = TimePoint::max();
  if (!def_queue_.empty()) since = std::min(since, def_queue_.front()->queued_at);
  if (!coroutine_queue_.empty()) since = std::min(since, coroutine_queue_.front()->queued_at);
  const TimePoint when = slots_.empty() ? now : std::max(since + kGrowAfter, growth_paused_until_);
  if (now < when) return CheckBy(when);
  if (Status spawned = Spawn(now); !spawned) {
    growth_paused_until_ = now + kGrowthPause;
    if (slots_.empty()) EndQueued(spawned.failure().message, actions);
  }
}

// ---- The end of a process

void WorkerPool::Impl::Condemn(Slot* slot, Sentence sentence) {
  if (slot->state == State::kDying) return;
  if (slot->state == State::kReady) slot->replies++;  // it ends on purpose, which says nothing against another one
  slot->starting_failed = slot->state == State::kStarting;
  slot->state = State::kDying;
  slot->sentence = std::move(sentence);
  slot->process->Kill();
}

CallOutcome WorkerPool::Impl::Lost(const Slot& slot, const Task& task, bool had_ended) const {
  CallOutcome outcome;
  outcome.kind = CallOutcome::Kind::kWorkerLost;
  outcome.began = true;
  const std::string name = "`" + Name(task.function) + "`";
  outcome.message = (had_ended ? name + " had ended, but its result is lost: its Python process "
                               : name + " was running in a Python process that ") +
                    slot.HowItEnded();
  return outcome;
}

std::string WorkerPool::Impl::Slot::HowItEnded() const {
  std::string text = process->HowItEnded();
  if (!sentence.note.empty()) {
    text = sentence.note + ", and was ended";
  } else if (closed_at != TimePoint::max() && process->exit_status() == kWorkerExitDisconnected) {
    text = "closed the connection with its host";
  }
  const std::string tail = process->OutputTail();
  return tail.empty() ? text : text + "; it wrote last:\n" + tail;
}

void WorkerPool::Impl::Bury(Slot* slot, Actions* actions) {
  const WorkerProgress progress = slot->process->Progress();
  const auto end = [&](TaskPtr task, bool had_ended) {
    Action& action = actions->emplace_back();
    action.tag = task->tag;
    if (task->wire_id == slot->sentence.victim && !slot->sentence.error_kind.empty()) {
      action.outcome.kind = CallOutcome::Kind::kError;
      action.outcome.error_kind = slot->sentence.error_kind;
      action.outcome.message = slot->sentence.error_text;
    } else {
      action.outcome = Lost(*slot, *task, had_ended);
    }
    action.task = std::move(task);
  };
  std::vector<TaskPtr> again;
  for (TaskPtr& task : slot->defs) {
    if (task->wire_id <= progress.def_begun) {
      const bool had_ended = task->wire_id < progress.def_begun;
      end(std::move(task), had_ended);
    } else {
      again.push_back(std::move(task));
    }
  }
  for (auto it = again.rbegin(); it != again.rend(); ++it) def_queue_.push_front(std::move(*it));
  for (auto& [wire_id, task] : slot->coroutines) {
    if (wire_id <= progress.coroutine_begun) {
      end(std::move(task), false);
    } else {
      coroutine_queue_.push_front(std::move(task));
    }
  }

  const bool starting = slot->state == State::kStarting || slot->starting_failed;
  if (slot->replies == 0 && !stopping_) barren_deaths_++;
  const std::string how = "the Python process " + slot->HowItEnded();
  const auto it = std::find_if(slots_.begin(), slots_.end(), [slot](const auto& s) { return s.get() == slot; });
  assert(it != slots_.end());
  const std::unique_ptr<Slot> dead = std::move(*it);
  slots_.erase(it);
  if (!load_result_) {
    load_result_ = Fail(FailureCode::kUnavailable, "cannot start `" + options_.interpreter + "`: " + how);
    load_done_.notify_all();
  }
  if (starting) growth_paused_until_ = Clock::now() + kGrowthPause;
  if (slots_.empty() && (starting || barren_deaths_ >= kBarrenDeathsMax)) EndQueued(how, actions);
  CheckBy(TimePoint::min());  // calls may wait for a process
}

void WorkerPool::Impl::EndQueued(const std::string& why, Actions* actions) {
  for (auto* queue : {&coroutine_queue_, &def_queue_}) {
    for (TaskPtr& task : *queue) {
      Action& action = actions->emplace_back();
      action.outcome.kind = CallOutcome::Kind::kWorkerLost;
      action.outcome.began = false;
      action.outcome.message = "`" + Name(task->function) + "` could not be run: " + why;
      action.task = std::move(task);
    }
    queue->clear();
  }
  barren_deaths_ = 0;
}

void WorkerPool::Impl::ContinueShutdown(TimePoint now, Actions* actions) {
  EndQueued("the Python workers are being shut down", actions);
  if (stop_deadline_ == TimePoint::max()) {
    stop_deadline_ = now + options_.shutdown_grace;
    CheckBy(stop_deadline_);
    for (const auto& slot : slots_) {
      if (slot->state != State::kReady) {
        slot->process->Kill();
        continue;
      }
      std::string message;
      AppendShutdown(&message);
      slot->outbox.Add(message);
    }
    return;
  }
  if (now < stop_deadline_) return;
  for (const auto& slot : slots_) slot->process->Kill();
}

}  // namespace teal::runtime

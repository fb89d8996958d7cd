#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>

#include "core/runtime/worker_pool_impl.h"

namespace teal::runtime {

// ---- Processes

Status WorkerPool::Impl::Spawn(TimePoint now) {
  Result<std::unique_ptr<WorkerProcess>> process = WorkerProcess::Spawn({options_.interpreter, options_.environment});
  if (!process) return process.failure();
  auto slot = std::make_unique<Slot>();
  slot->number = next_slot_++;
  slot->process = std::move(*process);
  slot->start_deadline = now + options_.start_timeout;
  CheckBy(slot->start_deadline);
  std::string message;
  AppendHello(&message, options_.project_folder);
  slot->outbox.Add(message);
  message.clear();
  AppendLoad(&message, options_.modules);
  slot->outbox.Add(message);
  Watch(slot.get(), slot->process->socket(), EPOLLIN, kSocket);
  Watch(slot.get(), slot->process->raw_stdout(), EPOLLIN, kStdout);
  Watch(slot.get(), slot->process->raw_stderr(), EPOLLIN, kStderr);
  Watch(slot.get(), slot->process->pid_fd(), EPOLLIN, kProcessEnd);
  slots_.push_back(std::move(slot));
  return Unit{};
}

// ---- What arrives

void WorkerPool::Impl::HandleEvents(const epoll_event* events, int count, Actions* actions) {
  // What a process wrote to its pipes belongs before the result that follows on the socket, and its end after all.
  for (const Source source : {kStdout, kStderr, kSocket, kProcessEnd}) {
    for (int i = 0; i < count; i++) {
      const uint64_t what = events[i].data.u64;
      if (what != 0) {
        if (what % 4 == source) HandleEvent(what, events[i].events, actions);
      } else if (source == kSocket) {
        uint64_t value;
        [[maybe_unused]] const ssize_t n = read(wake_.get(), &value, sizeof value);
      }
    }
  }
}

void WorkerPool::Impl::HandleEvent(uint64_t what, uint32_t events, Actions* actions) {
  const auto it = std::find_if(slots_.begin(), slots_.end(), [what](const auto& s) { return s->number == what / 4; });
  if (it == slots_.end()) return;  // ended earlier in this turn
  Slot* const slot = it->get();
  switch (what % 4) {
    case kSocket:
      if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) ReadSocket(slot, actions);
      return;
    case kStdout:
      return ReadRawOutput(slot, slot->process->raw_stdout(), 1, actions);
    case kStderr:
      return ReadRawOutput(slot, slot->process->raw_stderr(), 2, actions);
    case kProcessEnd: {
      if (!slot->process->Reap()) return;
      ReadSocket(slot, actions);
      ReadRawOutput(slot, slot->process->raw_stdout(), 1, actions);
      ReadRawOutput(slot, slot->process->raw_stderr(), 2, actions);
      std::lock_guard lock(mu_);
      Bury(slot, actions);
      return;
    }
  }
}

void WorkerPool::Impl::ReadSocket(Slot* slot, Actions* actions) {
  // A few turns at most: the other processes must get theirs. One that has ended is read to its end.
  for (int turn = 0; turn < 8 || slot->process->ended(); turn++) {
    const FrameInbox::Got got = slot->inbox.Read(slot->process->socket());
    if (got == FrameInbox::Got::kNothing) return;
    const bool last = got == FrameInbox::Got::kAll && !slot->process->ended();
    if (got == FrameInbox::Got::kEnd) {
      std::lock_guard lock(mu_);
      if (slot->process->ended() || slot->closed_at != TimePoint::max()) return;
      // As a rule the process is ending; if it is not, Check ends it.
      slot->closed_at = Clock::now();
      CheckBy(slot->closed_at + std::chrono::milliseconds(100));
      epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, slot->process->socket(), nullptr);
      return;
    }
    const std::string first(slot->inbox.Rest().substr(0, 32));
    bool wrong = false;
    std::string_view body;
    while (!wrong && slot->inbox.Next(&body)) {
      Result<std::vector<WorkerMessage>> messages = ParseWorkerFrame(body);
      wrong = !messages.ok();
      if (!wrong) Accept(slot, std::move(*messages), actions);
    }
    if (wrong || slot->inbox.Wrong()) {
      std::string bytes;
      for (const char c : first) {
        constexpr char kDigits[] = "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(c);
        bytes += {' ', kDigits[byte >> 4], kDigits[byte & 15]};
      }
      std::lock_guard lock(mu_);
      Sentence sentence;
      sentence.note =
          "wrote to the connection with its host what is not the worker protocol (its first bytes:" + bytes +
          "); code that runs in it must leave that file descriptor alone";
      Condemn(slot, std::move(sentence));
      epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, slot->process->socket(), nullptr);
      return;
    }
    if (last) return;
  }
}

void WorkerPool::Impl::ReadRawOutput(Slot* slot, int fd, int stream, Actions* actions) {
  std::string bytes;
  if (!slot->process->ReadRaw(fd, &bytes)) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  if (bytes.empty()) return;
  std::lock_guard lock(mu_);
  Action& action = actions->emplace_back();
  action.message.kind = WorkerMessage::Kind::kOutput;
  action.message.output.push_back({stream, ToUtf8(bytes)});
  // It is known whose it is if exactly one call is executing.
  const WorkerProgress progress = slot->process->Progress();
  const Task* only = nullptr;
  int executing = 0;
  for (const TaskPtr& task : slot->defs) {
    if (task->wire_id != progress.def_begun) continue;
    only = task.get();
    executing++;
  }
  for (const auto& [wire_id, task] : slot->coroutines) {
    if (wire_id > progress.coroutine_begun) continue;
    only = task.get();
    executing++;
  }
  action.stray = executing != 1;
  if (executing == 1) action.tag = only->tag;
}

void WorkerPool::Impl::Accept(Slot* slot, std::vector<WorkerMessage> messages, Actions* actions) {
  std::lock_guard lock(mu_);
  std::vector<uint32_t> ended;
  for (WorkerMessage& message : messages) AcceptOne(slot, std::move(message), actions, &ended);
  if (!ended.empty()) Learn(slot, ended, Clock::now());
}

WorkerPool::Impl::TaskPtr WorkerPool::Impl::TakeInFlight(Slot* slot, uint64_t wire_id) {
  if (const auto it = slot->coroutines.find(wire_id); it != slot->coroutines.end()) {
    TaskPtr task = std::move(it->second);
    slot->coroutines.erase(it);
    return task;
  }
  // Nearly always the first.
  for (auto it = slot->defs.begin(); it != slot->defs.end(); ++it) {
    if ((*it)->wire_id != wire_id) continue;
    TaskPtr task = std::move(*it);
    slot->defs.erase(it);
    slot->backlog_us = slot->defs.empty() ? 0 : std::max(0.0, slot->backlog_us - task->cost_us);
    return task;
  }
  return nullptr;
}

void WorkerPool::Impl::AcceptOne(Slot* slot, WorkerMessage message, Actions* actions, std::vector<uint32_t>* ended) {
  using Kind = WorkerMessage::Kind;
  switch (message.kind) {
    case Kind::kWelcome:
      return Welcome(slot, message);
    case Kind::kLoaded:
      return Loaded(slot, std::move(message));
    case Kind::kRecalled:
      for (auto it = message.recalled.rbegin(); it != message.recalled.rend(); ++it) {
        if (TaskPtr task = TakeInFlight(slot, *it)) def_queue_.push_front(std::move(task));
      }
      return;
    case Kind::kResult:
    case Kind::kError: {
      TaskPtr task = TakeInFlight(slot, message.id);
      if (task == nullptr) return;
      if (!IsAsync(task->function)) {
        ended->push_back(task->function);
        slot->stuck = false;
      }
      slot->replies++;
      barren_deaths_ = 0;
      Action& action = actions->emplace_back();
      action.tag = task->tag;
      CallOutcome& outcome = action.outcome;
      outcome.payload = std::move(message.payload);
      if (task->timed_out) {
        outcome = CallOutcome{};
        outcome.kind = CallOutcome::Kind::kError;
        outcome.error_kind = "timeout";
        outcome.message = TimeoutText(*task);
      } else if (message.kind == Kind::kError) {
        outcome.kind = CallOutcome::Kind::kError;
        outcome.error_kind = std::move(message.error_kind);
        outcome.message = std::move(message.text);
        outcome.trace = std::move(message.trace);
        outcome.traceback = std::move(message.traceback);
      }
      action.task = std::move(task);
      action.message.kind = message.kind;
      action.message.output = std::move(message.output);
      return;
    }
    case Kind::kOutput:
    case Kind::kHeartbeat:
    case Kind::kLog: {
      Task* of = nullptr;
      for (const TaskPtr& task : slot->defs) {
        if (task->wire_id == message.id) of = task.get();
      }
      if (const auto it = slot->coroutines.find(message.id); it != slot->coroutines.end()) of = it->second.get();
      Action& action = actions->emplace_back();
      action.stray = of == nullptr;
      if (of != nullptr) {
        action.tag = of->tag;
        if (message.kind == Kind::kHeartbeat) of->last_beat = Clock::now();
      }
      action.message = std::move(message);
      return;
    }
  }
}

// Updates what the functions that ended are expected to take. Only the time of the whole batch is known, and a batch is
// about a millisecond: near enough to tell what is short from what is long.
void WorkerPool::Impl::Learn(Slot* slot, const std::vector<uint32_t>& ended, TimePoint now) {
  const double took_us = std::chrono::duration<double, std::micro>(now - slot->busy_since).count();
  slot->busy_since = now;
  const double each_us = std::max(1.0, took_us / static_cast<double>(ended.size()));
  for (const uint32_t function : ended) {
    Cost& cost = costs_[function];
    cost.us = cost.known ? (cost.us + each_us) / 2 : each_us;
    cost.known = true;
  }
}

void WorkerPool::Impl::Welcome(Slot* slot, const WorkerMessage& message) {
  slot->python = message.python;
  if (message.protocol != 0) return;
  Sentence sentence;
  sentence.note = "speaks another version of the worker protocol than this program (" +
                  std::to_string(kWorkerProtocolMin) + " to " + std::to_string(kWorkerProtocolMax) + ")";
  Condemn(slot, std::move(sentence));
}

void WorkerPool::Impl::Loaded(Slot* slot, WorkerMessage message) {
  if (slot->state != State::kStarting) return;
  if (message.failures.empty() && message.functions.size() != names_.size()) {
    Sentence sentence;
    sentence.note = "reported another number of functions than it was asked for";
    return Condemn(slot, std::move(sentence));
  }
  if (!message.failures.empty() && load_result_) {
    // It was fine in the first process, so the files have changed since.
    Sentence sentence;
    const WorkerLoadFailure& first = message.failures.front();
    sentence.note = "could not import module `" + first.module + "`: " + first.message;
    return Condemn(slot, std::move(sentence));
  }
  slot->state = State::kReady;
  if (load_result_) return;
  infos_ = message.functions;
  WorkerLoadReport report;
  report.functions = std::move(message.functions);
  report.failures = std::move(message.failures);
  report.python_version = slot->python;
  load_result_ = std::move(report);
  load_done_.notify_all();
}

}  // namespace teal::runtime

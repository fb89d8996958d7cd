#include "core/runtime/worker_pool.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>

#include "core/runtime/worker_pool_impl.h"

namespace teal::runtime {

namespace {

// Work given to a process in advance, in expected time. More would keep calls from a process that becomes free, less
// would let the process wait.
constexpr double kBacklogUsMax = 1000;
constexpr double kCostUnknownUs = kBacklogUsMax;
constexpr size_t kLargeMessageBytes = size_t{1} << 20;
constexpr size_t kKeptBusy = 4;      // a process with fewer calls to do is given more at once
constexpr size_t kGatheredMax = 16;  // messages that are sent together

}  // namespace

WorkerPool::WorkerPool(WorkerPoolOptions options, WorkerEvents* events)
    : impl_(std::make_unique<Impl>(std::move(options), events)) {}
WorkerPool::~WorkerPool() {
  Shutdown();
}
Result<WorkerLoadReport> WorkerPool::Load() {
  return impl_->Load();
}
uint64_t WorkerPool::Call(CallRequest request) {
  return impl_->Call(std::move(request));
}
void WorkerPool::Flush() {
  impl_->SendGathered();
}
void WorkerPool::Cancel(uint64_t id, std::chrono::nanoseconds grace) {
  impl_->Cancel(id, grace);
}
void WorkerPool::Shutdown() {
  impl_->Shutdown();
}
void WorkerPool::Drive(std::chrono::nanoseconds longest) {
  impl_->Drive(longest);
}
void WorkerPool::Interrupt() {
  impl_->Interrupt();
}
int WorkerPool::ProcessCount() const {
  return impl_->ProcessCount();
}

WorkerPool::Impl::Impl(WorkerPoolOptions options, WorkerEvents* events)
    : options_(std::move(options)), events_(events) {
  for (const WorkerModule& module : options_.modules) {
    for (const std::string& function : module.functions) names_.push_back(module.module + "." + function);
  }
  costs_.assign(names_.size(), Cost{kCostUnknownUs, false});
  processes_max_ = options_.processes_max > 0 ? static_cast<size_t>(options_.processes_max)
                                              : std::max(1u, std::thread::hardware_concurrency());
}

WorkerPool::Impl::~Impl() {
  Shutdown();
}

Result<WorkerLoadReport> WorkerPool::Impl::Load() {
  epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  wake_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll_.valid() || !wake_.valid()) {
    return Fail(FailureCode::kUnavailable, "cannot watch Python workers: too many open files");
  }
  epoll_event event{};
  event.events = EPOLLIN;
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event);
  std::unique_lock lock(mu_);
  assert(!thread_.joinable() && "Load is called once");
  if (Status spawned = Spawn(Clock::now()); !spawned) return spawned.failure();
  // No signal is for this thread; a thread inherits what its maker blocks.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  load_done_.wait(lock, [this] { return load_result_.has_value(); });
  return *load_result_;
}

uint64_t WorkerPool::Impl::Call(CallRequest request) {
  assert(request.function < names_.size() && request.done);
  auto task = std::make_unique<Task>();
  task->function = request.function;
  task->tag = request.tag;
  task->priority = request.priority;
  task->timeout = request.timeout;
  task->heartbeat_timeout = request.heartbeat_timeout;
  task->done = std::move(request.done);
  const bool too_large = request.arguments.size() + request.keywords.size() > kWorkerValueBytesMax;
  if (!too_large) {
    task->id_at = AppendCall(&task->message, request.function, request.arguments, request.keywords, request.context);
  }
  const TimePoint now = Clock::now();
  task->queued_at = now;

  std::unique_lock lock(mu_);
  const uint64_t id = task->id = next_id_++;
  if (too_large || stopped_ || stopping_) {
    CallOutcome outcome;
    outcome.began = false;
    outcome.kind = too_large ? CallOutcome::Kind::kError : CallOutcome::Kind::kWorkerLost;
    outcome.error_kind = too_large ? "limit" : "";
    outcome.message = "`" + Name(task->function) + "`: " +
                      (too_large ? "the arguments take more than the 64 MiB of one value; pass the name of a file"
                                 : "the Python workers have been shut down");
    if (stopped_) {
      // Nobody is left to run callbacks; the caller's own thread must do.
      lock.unlock();
      task->done(std::move(outcome));
      return id;
    }
    Action& action = ready_actions_.emplace_back();
    action.task = std::move(task);
    action.outcome = std::move(outcome);
    Wake();
    return id;
  }
  Enqueue(std::move(task));
  Dispatch(now);
  if (InTurn()) return id;  // flushed when its callbacks have run, with what else they add
  for (const auto& slot : slots_) {
    if (slot->outbox.empty() || slot->state != State::kReady || slot->waits_to_write) continue;
    // What a process waits for is sent here and now, which saves a thread switch. To a busy one messages are sent
    // together, by whoever has or gets the turn.
    const size_t gathered = slot->outbox.count();
    if (request.gather && gathered < kGatheredMax) continue;
    if (io_sleeps_ || slot->Outstanding() < gathered + kKeptBusy || gathered >= kGatheredMax) Flush(slot.get());
  }
  if (next_check_ < sleeps_until_) Wake();
  return id;
}

void WorkerPool::Impl::SendGathered() {
  const std::lock_guard lock(mu_);
  if (!InTurn()) FlushAll();
}

void WorkerPool::Impl::Cancel(uint64_t id, std::chrono::nanoseconds grace) {
  std::lock_guard lock(mu_);
  Slot* slot = nullptr;
  if (TaskPtr task = TakeQueued(id)) {
    Action& action = ready_actions_.emplace_back();
    action.outcome.kind = CallOutcome::Kind::kError;
    action.outcome.began = false;
    action.outcome.error_kind = "cancelled";
    action.outcome.message = "`" + Name(task->function) + "` was cancelled before it began";
    action.task = std::move(task);
  } else if (Task* running = FindInFlight(id, &slot); running != nullptr && !running->cancelled) {
    running->cancelled = true;
    const TimePoint now = Clock::now();
    // A grace past the end of time is none.
    running->kill_at = grace > std::chrono::hours(24 * 365) ? TimePoint::max() : now + grace;
    CheckBy(running->kill_at);
    std::string message;
    AppendCancel(&message, running->wire_id);
    if (slot->state == State::kReady) slot->outbox.Add(message);
  } else {
    return;
  }
  if (!InTurn()) Wake();
}

void WorkerPool::Impl::Shutdown() {
  std::lock_guard one(shutdown_mu_);
  {
    std::lock_guard lock(mu_);
    stopping_ = true;
    Wake();
    standby_wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  std::lock_guard lock(mu_);
  stopped_ = true;
  slots_.clear();
}

int WorkerPool::Impl::ProcessCount() const {
  std::lock_guard lock(mu_);
  return static_cast<int>(slots_.size());
}

void WorkerPool::Impl::Wake() {
  if (!io_sleeps_) return;
  io_sleeps_ = false;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(wake_.get(), &one, sizeof one);
}

// ---- Which process gets which call

// Behind all that are as important.
void WorkerPool::Impl::Enqueue(TaskPtr task) {
  std::deque<TaskPtr>& queue = IsAsync(task->function) ? coroutine_queue_ : def_queue_;
  auto at = queue.end();
  while (at != queue.begin() && (*std::prev(at))->priority < task->priority) --at;
  queue.insert(at, std::move(task));
}

void WorkerPool::Impl::Dispatch(TimePoint now) {
  while (!coroutine_queue_.empty()) {
    Slot* const slot = PickForCoroutine();
    if (slot == nullptr) break;
    TaskPtr task = std::move(coroutine_queue_.front());
    coroutine_queue_.pop_front();
    Send(slot, std::move(task), now);
  }
  while (!def_queue_.empty()) {
    Slot* const slot = PickForDef(costs_[def_queue_.front()->function].us);
    if (slot == nullptr) break;
    TaskPtr task = std::move(def_queue_.front());
    def_queue_.pop_front();
    Send(slot, std::move(task), now);
  }
  const bool waiting = !def_queue_.empty() || !coroutine_queue_.empty();
  if (waiting && slots_.size() < processes_max_) CheckBy(now + std::chrono::milliseconds(5));
}

WorkerPool::Impl::Slot* WorkerPool::Impl::PickForDef(double cost_us) const {
  Slot* best = nullptr;
  for (const auto& slot : slots_) {
    if (slot->state != State::kReady) continue;
    if (slot->defs.empty()) return slot.get();
    if (slot->stuck) continue;
    if (slot->defs.size() >= static_cast<size_t>(options_.pipelined_max)) continue;
    if (slot->backlog_us + cost_us > kBacklogUsMax) continue;
    if (slot->waits_to_write) continue;  // large arguments are under way
    if (best == nullptr || slot->backlog_us < best->backlog_us) best = slot.get();
  }
  return best;
}

WorkerPool::Impl::Slot* WorkerPool::Impl::PickForCoroutine() const {
  Slot* best = nullptr;
  for (const auto& slot : slots_) {
    if (slot->state != State::kReady) continue;
    if (slot->coroutines.size() >= static_cast<size_t>(options_.coroutines_max)) continue;
    if (best == nullptr || slot->coroutines.size() < best->coroutines.size()) best = slot.get();
  }
  return best;
}

void WorkerPool::Impl::Send(Slot* slot, TaskPtr task, TimePoint now) {
  assert(slot->state == State::kReady);
  task->wire_id = slot->next_wire_id++;
  task->sent_at = task->last_beat = now;
  MarshalWriter::PatchId(&task->message, task->id_at, task->wire_id);
  slot->outbox.Add(task->message);
  if (task->timeout.count() > 0) CheckBy(now + task->timeout);
  if (task->heartbeat_timeout.count() > 0) CheckBy(now + task->heartbeat_timeout);
  if (IsAsync(task->function)) {
    slot->coroutines.emplace(task->wire_id, std::move(task));
    return;
  }
  task->cost_us = costs_[task->function].us;
  if (task->message.size() > kLargeMessageBytes) task->cost_us = kBacklogUsMax;
  slot->backlog_us += task->cost_us;
  if (slot->defs.empty()) {
    slot->busy_since = now;
  } else {
    CheckBy(now + std::chrono::milliseconds(20));  // one that is stuck is found, and those behind it recalled
  }
  slot->defs.push_back(std::move(task));
}

WorkerPool::Impl::Task* WorkerPool::Impl::FindInFlight(uint64_t id, Slot** slot) const {
  for (const auto& each : slots_) {
    *slot = each.get();
    for (const TaskPtr& task : each->defs) {
      if (task->id == id) return task.get();
    }
    for (const auto& [wire_id, task] : each->coroutines) {
      if (task->id == id) return task.get();
    }
  }
  return nullptr;
}

WorkerPool::Impl::TaskPtr WorkerPool::Impl::TakeQueued(uint64_t id) {
  for (auto* queue : {&def_queue_, &coroutine_queue_}) {
    const auto it = std::find_if(queue->begin(), queue->end(), [id](const TaskPtr& task) { return task->id == id; });
    if (it == queue->end()) continue;
    TaskPtr task = std::move(*it);
    queue->erase(it);
    return task;
  }
  return nullptr;
}

}  // namespace teal::runtime

// Who does the pool's work, and one turn of it.
//
// The turn belongs to one OS thread at a time. As a rule it is the pool's own thread; but an OS thread that has nothing
// else to do takes it over (Drive), so that what a call gives is read where it is waited for, without a thread switch.
// Such a guest comes and goes with every call, so the pool's own thread does not take the turn back at once: it looks
// every kStandByInterval whether the guest has been there.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>

#include "core/runtime/worker_pool_impl.h"

namespace teal::runtime {

namespace {

// How long nobody may look at the sockets while a guest is busy with something else.
constexpr auto kStandByInterval = std::chrono::milliseconds(1);

// The pool whose turn this thread has, and the one whose guest it is.
thread_local const void* t_turn_of = nullptr;
thread_local const void* t_guest_of = nullptr;

// epoll_wait to the nanosecond where the system can, else to the millisecond.
int WaitForEvents(int epoll, epoll_event* events, int count, std::chrono::nanoseconds longest) {
  using std::chrono::milliseconds;
  const auto ns = std::max<int64_t>(longest.count(), 0);
  const timespec time{ns / 1'000'000'000, ns % 1'000'000'000};
  const int got = epoll_pwait2(epoll, events, count, &time, nullptr);
  if (got >= 0 || errno != ENOSYS) return got;
  return epoll_wait(epoll, events, count, static_cast<int>(std::chrono::ceil<milliseconds>(longest).count()));
}

}  // namespace

bool WorkerPool::Impl::InTurn() const {
  return t_turn_of == this;
}

void WorkerPool::Impl::TakeTurn() {
  assert(!turn_taken_);
  turn_taken_ = true;
  t_turn_of = this;
}

void WorkerPool::Impl::EndTurn() {
  turn_taken_ = false;
  t_turn_of = nullptr;
}

// The life of the pool's own thread.
void WorkerPool::Impl::Run() {
  Actions actions;
  std::unique_lock lock(mu_);
  while (!stopped_) {
    StandBy(lock);
    TakeTurn();
    while (!guest_waits_ && !stopped_) Turn(lock, &actions, TimePoint::max());
    EndTurn();
    turn_free_.notify_all();
  }
}

// Returns when the turn is free and no guest uses it.
void WorkerPool::Impl::StandBy(std::unique_lock<std::mutex>& lock) {
  uint64_t seen = guest_turns_;
  bool looked_twice = guest_turns_ == 0;
  while (true) {
    const bool free = !turn_taken_ && !guest_waits_;
    const bool same = seen == guest_turns_ && looked_twice;
    if (free && (same || stopping_)) return;
    looked_twice = true;
    seen = guest_turns_;
    if (same && turn_taken_) {
      // The guest itself waits for long: until it leaves there is nothing to look after.
      standby_sleeps_ = true;
      standby_wake_.wait(lock);
      standby_sleeps_ = false;
      looked_twice = false;
    } else {
      standby_wake_.wait_for(lock, kStandByInterval);
    }
  }
}

void WorkerPool::Impl::Drive(std::chrono::nanoseconds longest) {
  const TimePoint now = Clock::now();
  const TimePoint until = longest < TimePoint::max() - now ? now + longest : TimePoint::max();
  std::unique_lock lock(mu_);
  if (turn_taken_) {
    assert(!guest_waits_ && "one guest at a time");
    guest_waits_ = true;
    Wake();
    turn_free_.wait(lock, [this] { return !turn_taken_; });
    guest_waits_ = false;
  }
  TakeTurn();
  t_guest_of = this;
  guest_turns_++;
  while (!interrupted_ && !stopping_) {
    if (Turn(lock, &guest_actions_, until) || Clock::now() >= until) break;
  }
  interrupted_ = false;
  FlushAll();
  t_guest_of = nullptr;
  EndTurn();
  if (standby_sleeps_ || stopping_) standby_wake_.notify_one();
}

void WorkerPool::Impl::Interrupt() {
  if (t_guest_of == this) return;  // a callback: Drive returns anyway
  const std::lock_guard lock(mu_);
  interrupted_ = true;
  Wake();
}

// Does what is due; if no callback is to be run, waits for what comes, and does that. True: callbacks have run.
bool WorkerPool::Impl::Turn(std::unique_lock<std::mutex>& lock, Actions* actions, TimePoint until) {
  const TimePoint now = Clock::now();
  if (stopping_) ContinueShutdown(now, actions);
  if (now >= next_check_) Check(now, actions);
  std::move(ready_actions_.begin(), ready_actions_.end(), std::back_inserter(*actions));
  ready_actions_.clear();
  Dispatch(now);
  FlushAll();
  if (stopping_ && slots_.empty() && actions->empty()) {
    stopped_ = true;
    return false;
  }
  if (actions->empty()) {
    io_sleeps_ = true;
    sleeps_until_ = std::min(next_check_, until);
    const auto longest = sleeps_until_ <= now ? Clock::duration(0)
                                              : std::min<Clock::duration>(std::chrono::minutes(1), sleeps_until_ - now);
    lock.unlock();
    std::array<epoll_event, 64> events;
    const int count = WaitForEvents(epoll_.get(), events.data(), static_cast<int>(events.size()), longest);
    lock.lock();
    io_sleeps_ = false;
    sleeps_until_ = TimePoint::max();
    lock.unlock();
    HandleEvents(events.data(), count, actions);
  } else {
    lock.unlock();
  }
  const bool any = !actions->empty();
  RunActions(actions);
  lock.lock();
  return any;
}

void WorkerPool::Impl::RunActions(Actions* actions) {
  for (Action& action : *actions) {
    const WorkerMessage& m = action.message;
    for (const WorkerText& piece : m.output) {
      if (piece.text.empty()) continue;
      if (action.stray) {
        events_->OnStrayOutput(piece.stream, piece.text);
      } else {
        events_->OnOutput(action.tag, piece.stream, piece.text);
      }
    }
    if (action.task != nullptr) {
      action.task->done(std::move(action.outcome));
    } else if (m.kind == WorkerMessage::Kind::kHeartbeat) {
      events_->OnHeartbeat(action.tag, m.payload);
    } else if (m.kind == WorkerMessage::Kind::kLog && !action.stray) {
      events_->OnLog(action.tag, m.level, m.text, m.payload);
    }
  }
  actions->clear();
}

void WorkerPool::Impl::FlushAll() {
  for (const auto& slot : slots_) Flush(slot.get());
}

void WorkerPool::Impl::Flush(Slot* slot) {
  if (slot->state == State::kDying || slot->outbox.empty()) return;
  const FrameOutbox::Sent sent = slot->outbox.Flush(slot->process->socket());
  const bool waits = sent == FrameOutbox::Sent::kBlocked;
  if (waits != slot->waits_to_write) {
    slot->waits_to_write = waits;
    Watch(slot, slot->process->socket(), EPOLLIN | (waits ? EPOLLOUT : 0u), kSocket);
  }
  // A broken socket shows as its end when it is read.
}

void WorkerPool::Impl::Watch(Slot* slot, int fd, uint32_t events, Source source) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = slot->number * 4 + static_cast<uint64_t>(source);
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

}  // namespace teal::runtime

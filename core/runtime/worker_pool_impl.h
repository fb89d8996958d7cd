// The inside of WorkerPool. worker_pool.cpp: what callers ask, and which process gets which call. worker_pool_turn.cpp:
// who does the work, and one turn of it. worker_pool_io.cpp: what processes say. worker_pool_watch.cpp: time limits,
// and processes that end.
//
// Rules:
//   1. Only the thread that has the turn adds and removes slots, and runs callbacks; never with mu_ held.
//   2. A call is in exactly one place: a queue, a slot, or the list of actions about to be run.
//   3. While io_sleeps_ is true the thread that has the turn has seen everything that was done under mu_; who adds work
//      then sends it, or wakes that thread.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/runtime/worker_link.h"
#include "core/runtime/worker_pool.h"
#include "core/runtime/worker_process.h"

namespace teal::runtime {

class WorkerPool::Impl {
 public:
  using Clock = std::chrono::steady_clock;
  using TimePoint = Clock::time_point;

  Impl(WorkerPoolOptions options, WorkerEvents* events);
  ~Impl();

  Result<WorkerLoadReport> Load();
  uint64_t Call(CallRequest request);
  void SendGathered();
  void Cancel(uint64_t id, std::chrono::nanoseconds grace);
  void Shutdown();
  void Drive(std::chrono::nanoseconds longest);
  void Interrupt();
  int ProcessCount() const;

 private:
  struct Task {
    uint64_t id = 0;       // the pool's
    uint64_t wire_id = 0;  // in the slot's process; rises in the order of sending
    uint32_t function = 0;
    uint64_t tag = 0;
    float priority = 0;
    std::string message;  // encoded CALL
    size_t id_at = 0;     // where its id is
    std::chrono::nanoseconds timeout{0}, heartbeat_timeout{0};
    std::function<void(CallOutcome&&)> done;
    TimePoint queued_at, sent_at, last_beat;
    double cost_us = 0;                    // expected, counted in the slot's backlog
    bool cancelled = false;                // the caller asked for its end
    bool timed_out = false;                // of a coroutine: it was told to end
    TimePoint kill_at = TimePoint::max();  // when its process is killed, if it has begun and not ended
  };
  using TaskPtr = std::unique_ptr<Task>;

  // What ended a process, when the host did it on purpose.
  struct Sentence {
    std::string note;        // said in messages: "wrote garbage …"; empty: the exit status says all
    uint64_t victim = 0;     // wire id of the call that is the cause, 0: none
    std::string error_kind;  // of the victim's error
    std::string error_text;
  };

  // What a call of a `def` function is expected to take, learned from those before.
  struct Cost {
    double us = 0;
    bool known = false;
  };

  // What an epoll event is about: the slot's number times 4, and one of these. 0: the wake-up counter.
  enum Source : uint64_t { kSocket = 0, kStdout = 1, kStderr = 2, kProcessEnd = 3 };

  enum class State { kStarting, kReady, kDying };

  struct Slot {
    uint64_t number = 0;
    std::unique_ptr<WorkerProcess> process;
    FrameInbox inbox;  // of who has the turn
    // Guarded by mu_:
    State state = State::kStarting;
    FrameOutbox outbox;
    bool waits_to_write = false;  // epoll tells when the socket takes more
    uint64_t next_wire_id = 1;
    std::deque<TaskPtr> defs;  // in the order of sending
    std::unordered_map<uint64_t, TaskPtr> coroutines;
    double backlog_us = 0;  // expected time of all defs
    TimePoint busy_since;   // of the defs: since the first was sent or the last reply came
    bool stuck = false;     // a call lasts so long that those behind it were recalled; until it ends
    uint64_t replies = 0;
    TimePoint start_deadline;
    TimePoint closed_at = TimePoint::max();  // when its socket ended while it went on
    Sentence sentence;
    std::string python;
    bool starting_failed = false;  // it was condemned before it was ready
    // "was killed by …; it wrote last: …". Precondition: the process has ended.
    std::string HowItEnded() const;
    size_t Outstanding() const { return defs.size() + coroutines.size(); }
  };

  // A callback to run once mu_ is free, in order.
  struct Action {
    WorkerMessage message;  // kOutput, kHeartbeat, kLog of the call; output also of kResult and kError
    uint64_t tag = 0;
    bool stray = false;  // of no call
    TaskPtr task;        // the call that ended, if one did
    CallOutcome outcome;
  };
  using Actions = std::vector<Action>;

  // ---- worker_pool.cpp; all with mu_ held
  void Enqueue(TaskPtr task);
  void Dispatch(TimePoint now);
  Slot* PickForDef(double cost_us) const;
  Slot* PickForCoroutine() const;
  void Send(Slot* slot, TaskPtr task, TimePoint now);
  void Wake();
  void CheckBy(TimePoint when) { next_check_ = std::min(next_check_, when); }
  bool IsAsync(uint32_t function) const { return function < infos_.size() && infos_[function].is_async; }
  Task* FindInFlight(uint64_t id, Slot** slot) const;
  TaskPtr TakeQueued(uint64_t id);
  Status Spawn(TimePoint now);

  // ---- worker_pool_turn.cpp
  void Run();
  bool InTurn() const;  // whether this thread has the turn; without mu_
  void StandBy(std::unique_lock<std::mutex>& lock);
  bool Turn(std::unique_lock<std::mutex>& lock, Actions* actions, TimePoint until);
  void RunActions(Actions* actions);  // without mu_
  // With mu_ held
  void TakeTurn();
  void EndTurn();
  void FlushAll();
  void Flush(Slot* slot);
  void Watch(Slot* slot, int fd, uint32_t events, Source source);

  // ---- worker_pool_io.cpp; with the turn, without mu_
  void HandleEvents(const epoll_event* events, int count, Actions* actions);
  void HandleEvent(uint64_t what, uint32_t events, Actions* actions);
  void ReadSocket(Slot* slot, Actions* actions);
  void ReadRawOutput(Slot* slot, int fd, int stream, Actions* actions);
  void Accept(Slot* slot, std::vector<WorkerMessage> messages, Actions* actions);
  void AcceptOne(Slot* slot, WorkerMessage message, Actions* actions, std::vector<uint32_t>* ended);
  void Welcome(Slot* slot, const WorkerMessage& message);
  void Loaded(Slot* slot, WorkerMessage message);
  void Learn(Slot* slot, const std::vector<uint32_t>& ended, TimePoint now);
  TaskPtr TakeInFlight(Slot* slot, uint64_t wire_id);

  // ---- worker_pool_watch.cpp; with the turn, with mu_ held
  void Check(TimePoint now, Actions* actions);
  void CheckDefs(Slot* slot, TimePoint now);
  void CheckCoroutines(Slot* slot, TimePoint now);
  void Grow(TimePoint now, Actions* actions);
  void Condemn(Slot* slot, Sentence sentence);
  void Bury(Slot* slot, Actions* actions);  // the process has ended: settles its calls, removes the slot
  void EndQueued(const std::string& why, Actions* actions);
  void ContinueShutdown(TimePoint now, Actions* actions);
  CallOutcome Lost(const Slot& slot, const Task& task, bool had_ended) const;
  std::string TimeoutText(const Task& task) const;
  const std::string& Name(uint32_t function) const { return names_[function]; }

  // Constant after construction
  const WorkerPoolOptions options_;
  WorkerEvents* const events_;
  std::vector<std::string> names_;  // of all functions
  size_t processes_max_ = 1;
  Fd epoll_, wake_;

  mutable std::mutex mu_;
  // Guarded by mu_
  std::vector<std::unique_ptr<Slot>> slots_;
  std::deque<TaskPtr> def_queue_, coroutine_queue_;
  Actions ready_actions_;  // made by callers, run by who has the turn
  std::vector<WorkerFunctionInfo> infos_;
  std::vector<Cost> costs_;  // of each function
  uint64_t next_id_ = 1;
  uint64_t next_slot_ = 1;
  bool turn_taken_ = false;
  bool guest_waits_ = false;     // for the turn
  uint64_t guest_turns_ = 0;     // how often a guest took it
  bool interrupted_ = false;     // the guest is to leave
  bool standby_sleeps_ = false;  // the pool's own thread waits for the guest to leave
  std::condition_variable turn_free_, standby_wake_;
  bool io_sleeps_ = false;  // who has the turn waits for events
  TimePoint next_check_ = TimePoint::max();
  TimePoint sleeps_until_ = TimePoint::max();
  TimePoint growth_paused_until_ = TimePoint::min();
  int barren_deaths_ = 0;  // processes that ended before they answered any call, since the last answer
  bool stopping_ = false;
  bool stopped_ = false;  // nobody takes the turn any more
  TimePoint stop_deadline_ = TimePoint::max();
  std::optional<Result<WorkerLoadReport>> load_result_;
  std::condition_variable load_done_;

  Actions guest_actions_;  // of the guest that has the turn

  std::mutex shutdown_mu_;  // one caller of Shutdown at a time
  std::thread thread_;
};

}  // namespace teal::runtime

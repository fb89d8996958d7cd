// The sessions of one process: the door to core/runtime.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/base/sha256.h"
#include "core/runtime/clock.h"
#include "core/runtime/foreign.h"
#include "core/runtime/limits.h"
#include "core/runtime/output.h"
#include "core/runtime/record.h"
#include "core/runtime/record_rules.h"
#include "core/runtime/store.h"
#include "core/vm/program.h"
#include "core/vm/value.h"

namespace teal::runtime {

class Limiter;
class OutputSink;
class RunningNote;
struct KeptSession;
class Scheduler;
class Session;
struct LimitPolicy;
struct ThreadRecord;

enum class SessionStatus : uint8_t { kRunning, kDone, kFailed, kCancelled };
std::string_view NameOf(SessionStatus status);  // as cli.md names them

struct SessionOutcome {
  std::shared_ptr<const vm::Program> program;  // its constants may be parts of the values below, so it goes after them
  SessionStatus status = SessionStatus::kRunning;
  vm::Value result;  // of the main thread, when kDone
  vm::Value error;   // an error value with the whole trace, when kFailed or kCancelled

  SessionOutcome() = default;
  SessionOutcome(const SessionOutcome&) = default;
  SessionOutcome(SessionOutcome&&) = default;
  // What was there before is given up in the order that destruction has, too.
  SessionOutcome& operator=(SessionOutcome other) {
    std::swap(program, other.program);
    std::swap(status, other.status);
    std::swap(result, other.result);
    std::swap(error, other.error);
    return *this;
  }
};

// What a session begins with.
struct SessionStart {
  std::shared_ptr<const vm::Program> program;
  vm::Value function;                // any callable of the program
  std::vector<vm::Value> arguments;  // shared; no futures of other sessions
  std::string id;                    // empty: a random session id
  Limits limits;
  // Of each import, the index of the program's function that answers its calls instead; -1: none does. Empty: none.
  std::vector<int32_t> fakes;
  ForeignCalls* foreign = nullptr;  // its foreign calls; outlives the session; null: those of the runtime
};

// For proving that a thread can stop anywhere. Read from the environment by the command: TEAL_SUSPEND, TEAL_MOVE_AT.
struct SuspensionTests {
  bool always = false;  // every thread is written down and read back at every suspension, with tiny budgets
  uint64_t seed = 0;    // of those budgets
  uint64_t move_at =
      0;  // the whole session is written down at this suspension, counted from 1, and Run returns; 0: never
};

struct RuntimeOptions {
  Clock* clock = nullptr;           // outlives the runtime
  OutputSink* output = nullptr;     // outlives the runtime
  ForeignCalls* foreign = nullptr;  // outlives the runtime; null: programs without foreign imports only
  unsigned cores = 1;               // OS threads at most
  SuspensionTests suspension;
  // Sessions are kept here, and nothing leaves one before the state that led to it is there. Then `cores` is 1.
  // Outlives the runtime; null: nothing is kept.
  Store* store = nullptr;
  RunningNote* note = nullptr;  // with a store: what runs, for the life after; outlives the runtime; may be null
  std::array<uint8_t, 16> incarnation{};  // of this runner, with a store: drawn at random, so that no two are alike
  record::Constants constants;
};

// What a runtime with a store tells of its sessions. Called without the mutex; must not block.
class KeepEvents {
 public:
  virtual ~KeepEvents() = default;
  // Its record, as given, says that it ended; it is no longer in memory.
  virtual void OnEnded(const std::string& sid, const record::Session& session) = 0;
  // Something of it was committed that people may look at.
  virtual void OnCommitted(const std::string& sid) = 0;
  // It answered a request (record::ReplyId), and the store has that.
  virtual void OnReplied(const std::string& sid, const std::string& id) = 0;
  // It is no longer in memory, because another host has it or the store failed; what the store has is still there.
  virtual void OnLost(const std::string& sid, const Failure& why) = 0;
  // A session asks another; `key` is the same at every repetition, which changes nothing (P-22, P-23). done: an error
  // value, or null and the answer: of StartFor the new session's id. On the thread that serves.
  using PeerDone = std::function<void(vm::Value error, vm::Value answer)>;
  virtual void SendFor(const std::string& key, const std::string& sid, const std::string& event, vm::Value value,
                       PeerDone done) = 0;
  // start.id: empty: named by the key. function: its name, for people.
  virtual void StartFor(const std::string& key, SessionStart start, const std::string& function, bool reject,
                        PeerDone done) = 0;
  // The time of SetAlarm has come.
  virtual void OnAlarm() = 0;
};

class Runtime {
 public:
  explicit Runtime(RuntimeOptions options);
  // Precondition: nobody is in Run. Shuts `foreign` down.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Starts a session, gives its id. With an id that is taken: kInvalid. Thread-safe.
  Result<std::string> Start(SessionStart start);
  // Goes on with a session that another process wrote down (moved()). start: program and limits are needed; its id
  // stays what it was. kCorrupt for bytes that are no session, kInvalid for a session of another program.
  Result<std::string> TakeUp(SessionStart start, std::string_view bytes);

  // ---- with a store (runtime_keep.cpp) ----
  // Runs sessions as they come, until StopServing; events: outlives the runtime, may be null. For one OS thread.
  void Serve(KeepEvents* events);
  // Thread-safe. What is carried stays as the store has it.
  void StopServing();
  // One turn of Serve, for who has time in his own hands: all there is to do now. Gives when the next timer is due.
  int64_t ServeReady(KeepEvents* events);
  // Calls OnAlarm at that time; a time set before is forgotten.
  void SetAlarm(int64_t unix_ns);
  // What follows needs the mutex.
  std::mutex& mutex();
  Session* Find(std::string_view sid);
  const Scheduler& scheduler() const { return *scheduler_; }
  // A new session that is kept; its first commit makes its record. Precondition: the id is not in memory.
  Session* Carry(SessionStart start, std::unique_ptr<KeptSession> kept);
  // Goes on with a session that the store has.
  Result<Session*> CarryOn(SessionStart start, std::unique_ptr<KeptSession> kept, record::Session session,
                           std::vector<std::pair<std::string, record::Thread>> threads,
                           const std::function<Result<std::string>(const Sha256&)>& segment_of);
  // It leaves memory; calls of it that have not ended are cancelled, and what comes of them is dropped.
  void Drop(Session& session);
  const std::vector<std::shared_ptr<Session>>& sessions() const { return sessions_; }
  // Called without the mutex by the OS thread that serves, in order.
  void Later(std::function<void()> call);

  // From any OS thread, without the mutex: the OS thread that serves takes in all that has come at once, so that who
  // brings something does not wait for the mutex, and a batch wakes that thread once.
  void Post(std::function<void()> call);  // as Later
  struct LandedCall {
    std::shared_ptr<Session> session;
    ThreadRecord* record;
    uint32_t generation;
    ForeignOutcome outcome;
  };
  void Land(LandedCall call);

  // Runs until all sessions have ended, or one has been written down (SuspensionTests::move_at). For one OS thread.
  void Run();
  // What was written down, if so.
  const std::string& moved() const { return moved_; }

  // Thread-safe; kRunning while it runs, kNotFound for an unknown id.
  Result<SessionOutcome> OutcomeOf(std::string_view sid);
  // Thread-safe. The first cancels every thread of every session, the second ends them at once.
  void CancelAll();
  void EndAll();

  const RuntimeOptions& options() const { return options_; }

 private:
  friend class Session;
  // With the scheduler's mutex.
  Result<Session*> Add(SessionStart start);
  Session* Keep(std::shared_ptr<Session> session);
  int64_t ServeReady(std::unique_lock<std::mutex>& lock);
  bool Between(std::unique_lock<std::mutex>& lock);
  using Commits = std::shared_ptr<std::vector<std::vector<StoreWrite>>>;
  struct LandedCommit {
    std::shared_ptr<Session> session;
    Commits commits;
    size_t at;
    Result<StoreCommitted> outcome;
  };
  template <typename T>
  void Land(std::vector<T>* among, T one);
  bool TakeIn();
  bool MayCommit() const;
  void Gathers(ForeignCalls* foreign);
  bool SendCommits(std::unique_lock<std::mutex>& lock);
  void SendCommit(std::shared_ptr<Session> session, Commits commits, size_t at);
  // What limits an import or function of a program, in all sessions of this process.
  Limiter* LimiterOf(const vm::Program& program, bool is_import, uint32_t index, const std::string& name,
                     const LimitPolicy& policy);
  bool AllEnded() const { return living_ == 0; }
  // Whether this suspension is the one to move at.
  bool CountSuspension();
  void Move(Session& session, const ThreadRecord& running);

  // Constant after construction.
  const RuntimeOptions options_;
  const std::unique_ptr<Scheduler> scheduler_;
  // Guarded by the scheduler's mutex.
  std::map<std::tuple<Sha256, bool, uint32_t>, std::unique_ptr<Limiter>> limiters_;  // outlive the sessions
  std::vector<std::shared_ptr<Session>> sessions_;
  std::unordered_map<std::string_view, Session*> by_sid_;
  size_t living_ = 0;
  uint64_t suspensions_ = 0;
  std::string moved_;
  // With a store.
  KeepEvents* events_ = nullptr;
  uint64_t commits_made_ = 0;
  std::vector<std::shared_ptr<Session>> wanting_;  // a commit
  std::vector<std::shared_ptr<Session>> left_;     // dropped; until nothing refers to them
  std::vector<std::function<void()>> later_;
  std::vector<ForeignCalls*> gathering_;  // have calls that Flush is to send
  size_t gathered_ = 0;                   // calls, of all of them
  bool stopping_ = false;
  int64_t alarm_ns_ = INT64_MAX;
  size_t commits_in_air_ = 0;

  std::mutex landed_mutex_;  // taken after the scheduler's, if both are
  std::atomic<bool> any_landed_{false};
  // Guarded by landed_mutex_.
  std::vector<LandedCall> landed_calls_;
  std::vector<LandedCommit> landed_commits_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace teal::runtime

// One session: a run of a program's function with all the threads it starts.
//
// What happens to a thread, in order: it is ready, gets one of the session's running slots, runs a slice (Slice), asks
// for something (Handle), and is either answered at once and goes on, or parked until Answer or AnswerError wakes it.
//
// Parts: session.cpp life of session and threads; session_request.cpp what threads ask for; session_host.cpp host
// builtins; session_future.cpp futures and who waits for them; session_wait.cpp waits for several; session_event.cpp
// events; session_cancel.cpp cancelling; session_stuck.cpp waits that can never end; session_foreign.cpp foreign calls;
// session_limit.cpp attributes that limit and rank calls and threads; session_lines.cpp output, log lines and history;
// session_move.cpp writing down and going on; session_beside.cpp what other hosts write while this one carries it.
//
// Every method needs the scheduler's mutex, unless it says otherwise.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/base/result.h"
#include "core/runtime/foreign.h"
#include "core/runtime/history.h"
#include "core/runtime/kept.h"
#include "core/runtime/limits.h"
#include "core/runtime/output.h"
#include "core/runtime/records.h"
#include "core/runtime/runtime.h"
#include "core/runtime/scheduler.h"
#include "core/runtime/service.h"
#include "core/vm/builtins.h"
#include "core/vm/checkpoint.h"

namespace teal::proto {
class Session;
class SessionOutcome;
class SessionThread;
}  // namespace teal::proto

namespace teal::runtime {

inline constexpr uint32_t kSessionVersion = 1;  // of teal.proto.Session
inline constexpr size_t kCollectMin = 8;        // threads or futures from which on those that are over are forgotten
inline constexpr uint64_t kLineBytes = 16;      // of a line in a record, besides its text

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Runtime* runtime, SessionStart start);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Makes the main thread ready.
  void Begin();

  const std::string& sid() const { return sid_; }
  bool ended() const { return ended_; }
  const SessionOutcome& outcome() const { return outcome_; }
  // The main thread's result is known.
  bool main_ended() const { return main_ != nullptr && main_->cell.state != CellState::kPending; }

  // ---- for limiters ----
  // A thread that waited for a place has it.
  void Admitted(ThreadRecord& record);

  // ---- for the scheduler ----
  // Runs a slice of the thread. The mutex is held on entry and on return, and not in between.
  void Slice(ThreadRecord& record, std::unique_lock<std::mutex>& lock);
  // False: all slots are taken (the record queues here until one is free) or the session has ended.
  bool TakeSlot(ThreadRecord& record);
  bool TimerMatters(const Timer& timer) const;
  void TimerFired(const Timer& timer);

  // Entries of its threads in the scheduler's queues.
  void Queued() { ++queued_entries_; }
  void Unqueued() { --queued_entries_; }

  // ---- from outside ----
  enum class Delivery : uint8_t { kTaken, kRepeated, kFull, kEnded };
  // Delivers a value to event(name): to the first that waits, else it is kept. id: of the sender; one that was there
  // before changes nothing. Empty: it is not looked at.
  // wants_reply: whoever sent it waits for what a `request` that takes it is answered.
  Delivery Deliver(std::string_view name, vm::Value value, std::string_view id = {}, bool wants_reply = false);
  // Raises `cancelled` in every thread.
  void CancelAll();
  // Ends the session at once, as failed with this error. Threads are dropped where they are.
  void EndNow(SessionStatus status, vm::Value error);
  // Nothing of what its threads wait for can ever come: ends with the error `stuck`.
  void EndStuck();

  // ---- kept in a store (core/runtime/kept.h; session_commit.cpp, session_encode.cpp, session_resume.cpp) ----
  // Null: it is not kept.
  KeptSession* kept() { return kept_.get(); }
  const KeptSession* kept() const { return kept_.get(); }
  // Before Begin or Resume.
  void KeepIn(std::unique_ptr<KeptSession> kept);
  // Goes on with its records, in any order. Precondition: no Begin. segment_of: as for vm::ReadCheckpoint. kCorrupt for
  // records that do not fit together, kInvalid for another program's.
  Status Resume(record::Session session, std::vector<std::pair<std::string, record::Thread>> threads,
                const vm::SegmentSource& segment_of);
  void WantCommit();
  void TellWhenKept(WhenKept told);
  void AddLine(std::string_view tid, record::Line line);
  // A commit is wanted, and now is the time. Precondition: kept.
  bool CommitIsDue() const;
  // What is to be committed, one after the other; the last is the one that counts. Precondition: CommitIsDue.
  std::vector<std::vector<StoreWrite>> MakeCommit();
  // What came of a foreign call of one of its threads.
  void CallLanded(ThreadRecord& record, uint32_t generation, ForeignOutcome outcome);
  void Committed(const Result<StoreCommitted>& outcome);
  void Lose(const Failure& why);
  bool AtRest() const;
  int64_t NextDeadline() const;
  // Takes every thread out, without a word to anybody. Afterwards only calls that have not ended refer to it.
  void Abandon();
  std::vector<ThreadView> ViewThreads() const;
  // Takes over what others wrote beside (P-2): cancel, pause, events. Precondition: the record is the session's own
  // last one but for side fields, and no commit is on its way.
  void Adopt(const record::Session& found, const StoreVersion& version);
  // Whether every event in the record, as it was found in the store, is known here. Precondition: the store is shared.
  bool KnowsEventsOf(const record::Session& found) const;
  // The host stops: no effect begins any more, and the session is left to others when its calls have ended; at_once:
  // now. Precondition: the store is shared.
  void HandOver(bool at_once);
  void SetPaused(std::optional<record::Paused> paused);
  bool IsDead() const;  // set aside, because it ended its host again and again
  // It was carried on without the foreign calls of its program, and so must stay paused.
  bool LacksForeign() const { return foreign_ == nullptr && !program_->imports().empty(); }
  void MarkTerminated() { terminated_ = true; }
  const std::map<std::string, vm::Value, std::less<>>& published() const { return published_; }

  // ---- moving (session_move.cpp) ----
  // The whole session as a teal.proto.Session. running: the thread that stopped for it. Only when threads run on one OS
  // thread. The session must not go on afterwards.
  Result<std::string> WriteDown(const ThreadRecord& running);
  // Goes on with what WriteDown gave. Precondition: no Begin. kCorrupt for other bytes, kInvalid for another program.
  Status TakeUp(std::string_view bytes);
  static Result<std::string> SidOfWritten(std::string_view bytes);

 private:
  friend class HostCall;
  enum class Handled { kAnswered, kParked };

  // session.cpp
  void KeepStart();
  ThreadRecord* AddThread(vm::Value tid, ThreadRecord* owner, uint32_t depth);
  std::string TidOfChild(const ThreadRecord& owner, uint64_t step) const;
  // Null: over a limit (the session has ended).
  ThreadRecord* Spawn(ThreadRecord& owner, uint64_t step, vm::Value callee, std::vector<vm::Value> arguments,
                      bool keywords);
  // Where `owner` spawns. Threads that were spawned at one place share one.
  const SpawnSite* SiteOf(const ThreadRecord& owner);
  void Finish(ThreadRecord& record, bool ok, vm::Value value);
  void GiveSlotBack(ThreadRecord& record);
  void EndIfOver();
  void End(SessionStatus status, vm::Value value);
  void EndAtLimit(std::string_view what, uint64_t limit, std::string_view key, const ThreadRecord& at);
  // Takes the number of the pending effect, once for each effect however often it is handled. False: over the limit
  // (the session has ended).
  bool TakeEffectStep(ThreadRecord& record, uint64_t* step);
  void Rehydrate(ThreadRecord& record);
  void Drop(ThreadRecord& record);

  // session_request.cpp
  // Without the mutex: what needs nothing of the session. False: it must go through Handle.
  bool AnswerAlone(ThreadRecord& record);
  Handled Handle(ThreadRecord& record, std::unique_lock<std::mutex>& lock);
  Handled HandleSpawn(ThreadRecord& record);
  Handled HandleHost(ThreadRecord& record);
  // Answer a parked thread and make it ready. AnswerError puts the thread's own trace before the foreign frames.
  void Answer(ThreadRecord& record, vm::Value value);
  void AnswerError(ThreadRecord& record, vm::Value error);
  // The same for an error of another thread, whose trace is whole.
  void AnswerWholeError(ThreadRecord& record, vm::Value error);
  // Hands the answer that waits in the record to the thread.
  void TakeAnswer(ThreadRecord& record);
  void Park(ThreadRecord& record, Phase phase, WaitKind wait);
  // Ends whatever the thread waits for; it stays parked.
  void Unpark(ThreadRecord& record);

  // session_host.cpp
  Handled RaiseHere(ThreadRecord& record, vm::Value error);
  Handled AnswerHere(ThreadRecord& record, vm::Value value);
  Handled HostSleep(ThreadRecord& record);
  Handled HostTimer(ThreadRecord& record, bool at);
  Handled HostTimeout(ThreadRecord& record);
  Handled HostEvent(ThreadRecord& record, bool is_request);
  Handled HostReply(ThreadRecord& record);
  Handled HostPublish(ThreadRecord& record);
  Handled HostSend(ThreadRecord& record);
  Handled HostStart(ThreadRecord& record);
  Handled HostCancel(ThreadRecord& record);

  // session_peer.cpp
  using AskPeer = std::function<void(KeepEvents&, const std::string& key, KeepEvents::PeerDone)>;
  // Asks another session once the store knows of it. `ask` is called later, without the mutex.
  Handled HandlePeer(ThreadRecord& record, AskPeer ask);
  void PeerEnded(ThreadRecord& record, uint32_t generation, vm::Value error, vm::Value answer);

  // session_future.cpp
  // The cell of a future of this session; null if there is none (a future of another session).
  static vm::Value FutureOf(const ThreadRecord& record);  // of its result
  FutureCell* CellOf(const vm::Value& future);
  const FutureCell* FindCell(const vm::Value& future) const;  // null: it has none (yet)
  MadeCell* AddCell(const vm::Value& future);
  void MarkAwaited(FutureCell& cell);
  void Subscribe(FutureCell& cell, Waiter waiter);
  void Resolve(FutureCell& cell, bool ok, vm::Value outcome);
  void Notify(const Waiter& waiter, FutureCell& cell);
  void Chain(FutureCell& outer, const vm::Value& future);
  Handled AwaitFuture(ThreadRecord& record, const vm::Value& future);

  // session_wait.cpp
  Handled HostWait(ThreadRecord& record);
  Handled HostAbandon(ThreadRecord& record);
  Handled HostOutcome(ThreadRecord& record);
  void Count(MultiWait& wait, uint32_t index, bool ok);
  // Whether the wait is over; then *answer is what it gives.
  bool Decided(const MultiWait& wait, vm::Value* answer) const;
  void MemberResolved(ThreadRecord& record, uint32_t index, bool ok);

  // session_move.cpp, session_take_up.cpp
  Status TakeUpThread(const proto::SessionThread& from, const vm::SegmentSource& segments);
  Status TakeUpCells(const proto::Session& from);
  // A cell for a written future, which no thread's is; kCorrupt if it is there already.
  Result<MadeCell*> ReadCell(std::string_view written);
  Status TakeUpOutcome(const proto::SessionOutcome& from, FutureCell* cell);

  // session_commit.cpp
  void Touch(ThreadRecord& record);   // it changed
  void TouchMaker(FutureCell& cell);  // its future did
  Handled WaitAtGate(ThreadRecord& record);
  uint64_t DueOfCommit();
  Status BuildCommit(std::vector<std::vector<StoreWrite>>* commits);
  Status Divide(std::vector<StoreWrite> values, std::vector<StoreWrite> writes,
                std::vector<std::vector<StoreWrite>>* commits) const;

  // session_lines.cpp
  void Note(Happened what, const ThreadRecord& record, std::string_view text = {});      // of the thread
  void NoteStep(Happened what, const ThreadRecord& record, std::string_view text = {});  // of its pending effect
  void NoteError(Happened what, const ThreadRecord& record, const vm::Value& error);
  void NoteParked();  // those that the next commit writes down as waiting
  Status MoveLines();
  Status MoveHistory();

  void Applied(const StoreVersion& version);

  // session_beside.cpp
  // P-3, P-4: a commit found the record changed. True: by a side write, and the session goes on.
  bool Contested(const StoreCommitted& outcome);
  void RememberStored(const record::Session& session);
  void NoteSent(record::Session* session);
  void AddOwed(std::vector<StoreWrite>* values, std::vector<StoreWrite>* writes) const;
  void AdoptPaused(const std::optional<record::Paused>& paused);
  // P-9: whether an effect may begin under the lease that the store has.
  bool LeaseHolds() const;

  // session_encode.cpp
  std::optional<record::Wait> WaitOf(const ThreadRecord& record) const;
  Status EncodeMade(const ThreadRecord& record, record::Thread* to) const;
  void EncodeCourse(const ThreadRecord& record, record::Course* to) const;
  Status EncodeThread(ThreadRecord& record, std::vector<vm::Segment>* segments, record::Thread* to);
  void EncodeEvents(record::Session* to) const;
  Status EncodeSession(std::vector<vm::Segment>* segments, record::Session* to);

  // session_resume.cpp
  Status ResumeThread(const std::string& tid, record::Thread& from, const vm::SegmentSource& segment_of);
  Status ResumeMade(ThreadRecord& record, const record::Thread& from);
  Status ResumeEvents(const record::Session& from);

  // session_event.cpp
  void WaitForReply(std::string_view name, std::string_view id);
  void GivePlaceBack(MadeCell& cell);
  Status KeepReply(const std::string& id, const vm::Value& value);

  // session_stuck.cpp
  std::string WhatItAwaits(const ThreadRecord& record) const;    // alone
  std::string WhatItWaitsFor(const ThreadRecord& record) const;  // with its name and place

  // session_cancel.cpp
  void Cancel(ThreadRecord& record);
  void CancelFuture(FutureCell& cell);
  void RaiseCancelled(ThreadRecord& record);
  void BeginGrace(ThreadRecord& record);
  void ReleaseWaited(ThreadRecord& record);

  // session_limit.cpp
  void ReadPolicies();
  // What `limiter` asks before such a call or thread; in *error why a key cannot be one. positions: of its two keys
  // among the arguments, -1: only by name.
  std::unique_ptr<Admission> AdmissionTo(Limiter* limiter, std::pair<int, int> positions,
                                         std::span<const vm::Value> arguments, bool keywords, vm::Value* error) const;
  std::unique_ptr<Admission> AdmissionToFunction(uint32_t function, std::span<const vm::Value> arguments, bool keywords,
                                                 vm::Value* error) const;
  std::unique_ptr<Admission> AdmissionToImport(const vm::Request& request, vm::Value* error) const;
  // The place that a thread waits for. Precondition: WaitKind::kPlace.
  static const Admission& PlaceOf(const ThreadRecord& record);
  // False: the thread is parked until it has a place.
  bool EnterOrPark(ThreadRecord& record, Admission& admission);

  // session_foreign.cpp
  enum class AfterCall { kValue, kError, kInterrupted, kCancelled, kAgain, kAgainLater };
  Handled HandleForeign(ThreadRecord& record, std::unique_lock<std::mutex>& lock);
  void StartCall(ThreadRecord& record, uint64_t step, std::unique_lock<std::mutex>& lock);
  void CallEnded(ThreadRecord& record, uint32_t generation, ForeignOutcome outcome);
  AfterCall Judge(ThreadRecord& record, const ForeignOutcome& outcome);
  Handled WaitForAttempt(ThreadRecord& record);
  vm::Value Interrupted(const ForeignOutcome& outcome) const;
  Handled StartFake(ThreadRecord& record, uint32_t function);

  struct KeptEvent {
    vm::Value value;
    std::string id;     // of the sender
    std::string bytes;  // encoded; where the session is kept
    bool wants_reply = false;
  };
  struct EventQueue {
    std::deque<MadeCell*> waiting;  // those that take the next values, in order
    std::deque<KeptEvent> kept;     // values that nobody has taken; empty while somebody waits
    std::deque<std::string> seen;   // SeenId of the last senders whose values were taken, the oldest first
  };
  void NoteSeen(EventQueue& queue, std::string_view id);
  // Futures are the same if what names them is.
  struct ByName {
    bool operator()(const vm::Future* a, const vm::Future* b) const;
  };
  struct ByTid {
    using is_transparent = void;
    static std::string_view Tid(std::string_view tid) { return tid; }
    static std::string_view Tid(const std::unique_ptr<ThreadRecord>& record) { return record->tid(); }
    size_t operator()(const auto& key) const { return std::hash<std::string_view>()(Tid(key)); }
    bool operator()(const auto& a, const auto& b) const { return Tid(a) == Tid(b); }
  };

  // session_collect.cpp
  using Threads = std::unordered_set<std::unique_ptr<ThreadRecord>, ByTid, ByTid>;
  bool CanForget(const ThreadRecord& record) const;
  Threads::iterator Forget(Threads::iterator at);
  void Collect();
  void CollectResumed();

  // Constant after construction.
  Runtime* const runtime_;
  Scheduler& scheduler_;
  const std::string sid_;
  const std::shared_ptr<const vm::Program> program_;
  const Limits limits_;
  ForeignCalls* const foreign_;            // null: the program has no imports
  std::vector<CallPolicy> policies_;       // of each import
  std::vector<Limiter*> import_limiters_;  // of each import; null: nothing limits it
  struct FunctionPolicy {
    float priority = 0;
    Limiter* limiter = nullptr;  // null: nothing limits it
  };
  std::unordered_map<uint32_t, FunctionPolicy> function_policies_;  // of those functions that have one

  // Guarded by the scheduler's mutex.
  SessionStart start_;
  ThreadRecord* main_ = nullptr;
  std::vector<std::unique_ptr<const SpawnSite>> sites_;
  Threads threads_;                                      // by their tid
  std::map<const vm::Future*, MadeCell, ByName> cells_;  // of all but threads; each holds the future that is its key
  // Forgotten, until no timer refers to them.
  std::vector<decltype(threads_)::node_type> graveyard_;
  std::vector<decltype(cells_)::node_type> graveyard_cells_;
  std::map<std::string, EventQueue, std::less<>> events_;
  std::map<std::string, vm::Value, std::less<>> published_;
  std::vector<FutureCell*> failures_;  // of threads, in order
  std::deque<ThreadRecord*> queued_;   // ready, but without a slot
  uint32_t slots_taken_ = 0;
  uint32_t living_ = 0;
  uint64_t steps_ = 0;
  uint64_t resolved_ = 0;
  uint64_t parks_ = 0;
  bool cancelled_ = false;
  bool ended_ = false;
  bool terminated_ = false;
  SessionOutcome outcome_;
  size_t queued_entries_ = 0;  // in the scheduler
  size_t calls_ = 0;           // foreign calls that have not ended

  // Of a session that is kept.
  std::unique_ptr<KeptSession> kept_;  // null: it is not
  record::CommitId commit_id_;         // of the commit that is being made
  uint64_t kept_event_bytes_ = 0;
  size_t kept_events_ = 0;
  size_t collect_at_ = kCollectMin;

  // Segments of checkpoints, when threads are written down at every suspension. Has its own lock.
  std::mutex segments_mutex_;
  std::map<Sha256, std::string> segments_;
};

}  // namespace teal::runtime

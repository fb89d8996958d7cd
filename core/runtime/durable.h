// Durable sessions of one host, over a store: starts them, carries them while they have something to do, puts them down
// when they wait, and brings them back when the time or the world wakes them.
//
// A session is carried whole (docs/decisions/0008). All of this runs on the one OS thread that is in Run; what comes
// from outside is handed to it. Other hosts over the same store are kept off by the condition of every commit.
//
// Parts: durable.cpp life of the host; durable_start.cpp starting; durable_carry.cpp taking up, putting down, sweeping;
// durable_ask.cpp what is asked from outside; durable_reply.cpp events and their replies; durable_lines.cpp output, log
// lines and history; durable_view.cpp records as people see them; durable_erase.cpp their end; durable_dead.cpp
// those that end their host; durable_rerun.cpp running one again; durable_list.cpp the list; durable_program.cpp
// reading programs; durable_versions.cpp adding, activating and removing them; durable_usage.cpp which of them sessions
// use. Where several hosts share the store (docs/decisions/0013): durable_beside.cpp what is asked of a session that
// another host carries; durable_threads.cpp its threads; durable_shared.cpp who carries what; durable_parts.cpp who
// looks for which of those that are due.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/runtime/clock.h"
#include "core/runtime/foreign.h"
#include "core/runtime/python_calls.h"
#include "core/runtime/record.h"
#include "core/runtime/record_rules.h"
#include "core/runtime/runtime.h"
#include "core/runtime/service.h"
#include "core/runtime/store.h"

namespace teal::runtime {

class LargeRecords;
class RunningNote;
struct KeptSession;
class Session;

// A program whose foreign calls are to be made ready.
struct ForeignNeed {
  Sha256 id{};  // of the program: executable and package
  std::shared_ptr<const vm::Program> program;
  std::shared_ptr<const std::string> package;  // as core/runtime/package.h writes them; null: the program has none
};

struct DurableOptions {
  Store* store = nullptr;  // outlives the host
  Clock* clock = nullptr;  // outlives the host
  Limits limits;
  record::Constants constants;
  std::array<uint8_t, 16> incarnation{};  // drawn at random
  // Gives the foreign calls of a program with imports, which outlive the host, or why there are none: its sessions are
  // then paused, `package_missing`. Called on the host's thread, must not block. `done` is called once, on any thread,
  // perhaps before it returns. Null: no program has imports.
  std::function<void(ForeignNeed need, std::function<void(Result<ForeignCalls*>)> done)> foreign_of;
  // The program was removed: no session has it, none will call. package: its package, if no other program has the same.
  // On the host's thread, must not block. May be null.
  std::function<void(const Sha256& id, std::optional<Sha256> package)> foreign_gone;
  // A session at rest stays in memory for so long, and longer if it is to wake within that time.
  uint64_t keep_ns = 5'000'000'000;
  uint64_t sweep_every_ns = 1'000'000'000;
  // Whether it looks for sessions that are due. Without, it goes on with those only that somebody asks for, and keeps
  // them in memory.
  bool sweeps = true;
  RunningNote* note = nullptr;                  // outlives the host; null: no session is ever held to have ended it
  std::function<void(const std::string&)> log;  // what people who run the host should know; may be empty
  size_t carried_max = 100'000;                 // more, and starts are refused as overloaded
  // Where several hosts share the store: how often it looks for what others wrote beside it, and how long Stop waits
  // for calls that run before their sessions are left to others.
  uint64_t mail_every_ns = 200'000'000;
  uint64_t hand_over_ns = 5'000'000'000;
};

class DurableSessions : public SessionService, public OutputSink, public ForeignNotes, private KeepEvents {
 public:
  explicit DurableSessions(DurableOptions options);
  ~DurableSessions() override;
  DurableSessions(const DurableSessions&) = delete;
  DurableSessions& operator=(const DurableSessions&) = delete;

  // Adds the program and makes it the one that new sessions take; `done` is called on the host's thread. A program with
  // imports may come without a package, where foreign_of takes it so.
  void ActivateSoon(NewProgram program, std::function<void(const Status&)> done);
  // New sessions take the program that was activated last, in whatever life of this host. kNotFound: none ever was.
  void ActivateNewest(std::function<void(const Status&)> done);
  // Runs the host until Stop. For one OS thread.
  void Run();
  // Thread-safe. Nothing more is begun; Run returns when what is on its way to the store is there. Calls that wait get
  // kUnavailable. Over a shared store the sessions are left to other hosts before, each when its calls have ended.
  void Stop();
  // One turn of Run, for the simulator: all there is to do now; gives when there is more (INT64_MAX: never by itself).
  int64_t RunReady();

  // The id of a session that is started so, the first time; random without an id.
  static std::string SidOf(const StartRequest& request);

  // SessionService
  void Start(StartRequest request, Done<StartAnswer> done) override;
  void Get(std::string sid, Done<SessionView> done) override;
  void Wait(std::string sid, uint64_t timeout_ns, Done<SessionView> done) override;
  void List(ListRequest request, Done<ListAnswer> done) override;
  void Send(std::string sid, std::string event, std::string value_json, std::string key, uint64_t reply_ns,
            Done<std::optional<std::string>> done) override;
  void Cancel(std::string sid, Done<SessionView> done) override;
  void Terminate(std::string sid, Done<SessionView> done) override;
  void Pause(std::string sid, Done<SessionView> done) override;
  void Resume(std::string sid, Done<SessionView> done) override;
  void RetryDead(std::string sid, Done<SessionView> done) override;
  void DropDead(std::string sid, Done<SessionView> done) override;
  void Rerun(std::string sid, std::string from, Done<SessionView> done) override;
  void Lines(std::string sid, LineSort sort, std::string cursor, uint64_t limit, uint64_t wait_ns,
             Done<LinesAnswer> done) override;
  void Threads(std::string sid, Done<std::vector<ThreadView>> done) override;
  void Published(std::string sid, Done<std::vector<std::pair<std::string, std::string>>> done) override;
  void Programs(Done<std::vector<ProgramView>> done) override;
  void AddProgram(NewProgram program, Done<ProgramAnswer> done) override;
  void ActivateProgram(std::string hash, Done<ProgramView> done) override;
  void RemoveProgram(std::string hash, Done<ProgramView> done) override;
  ServiceCounters Counters() const override;

  // OutputSink, ForeignNotes: what threads write rides in the commit after it.
  void Write(std::string_view sid, std::string_view tid, std::string_view text) override;
  void Flush() override {}
  void OnErrorText(std::string_view text) override;
  void OnLog(std::string_view sid, std::string_view tid, std::string_view level, std::string_view message,
             const vm::Value& fields) override;

 private:
  struct Loaded {
    std::shared_ptr<const vm::Program> program;
    ForeignCalls* foreign = nullptr;
    std::string name;
    uint64_t created_unix_ns = 0;
    std::string missing;  // why `foreign` is null though there are imports; such a one is not kept
    std::shared_ptr<const record::Program> stored;  // where several hosts share the store: as it was read or written
  };
  // A program as the store has it.
  struct StoredProgram {
    Sha256 id{};
    record::Program program;
    StoreVersion version{};
  };
  // Called with the scheduler's mutex, on the host's thread. Null, with why: it cannot be carried here.
  using WithSession = std::function<void(Session*, const ServiceError*)>;
  struct Waiting {
    int64_t until_ns;
    Done<SessionView> done;
  };
  // Who waits for a reply.
  struct Asking {
    std::string id;  // record::ReplyId
    int64_t until_ns = 0;
    int64_t look_ns = 0;  // when it looks again
    bool answered = false;
    Done<std::optional<std::string>> done;
  };
  // An event from outside. Its value can be encoded.
  struct Sending {
    std::string event;
    vm::Value value;
    std::string key;  // of the sender
    bool wants_reply = false;
    std::shared_ptr<Asking> asking;
  };
  // A session that others carry, as far as somebody here waits for it.
  struct Watched {
    int64_t next_ns = 0;
    int64_t every_ns = 0;
    StoreVersion version{};
    bool wanted = false;
  };
  struct SweptPart {
    StoreVersion version{};
    bool exists = false;
    int64_t until_ns = 0;  // as far as this host holds it; 0: another does, or nobody
  };
  struct Following {
    int64_t until_ns;
    std::function<void()> look;  // again
  };

  void Log(const std::string& line) const {
    if (options_.log) options_.log(line);
  }
  // Hands the call to the host's thread.
  void Post(std::function<void()> call);
  int64_t Now() const { return options_.clock->NowUnixNs(); }

  // KeepEvents
  void OnEnded(const std::string& sid, const record::Session& session) override;
  void OnCommitted(const std::string& sid) override;
  void OnReplied(const std::string& sid, const std::string& id) override;
  void OnLost(const std::string& sid, const Failure& why) override;
  void OnAlarm() override;
  void SendFor(const std::string& key, const std::string& sid, const std::string& event, vm::Value value,
               PeerDone done) override;
  void StartFor(const std::string& key, SessionStart start, const std::string& function, bool reject,
                PeerDone done) override;
  void SetAlarm();

  // durable_start.cpp
  void StartHere(StartRequest request, uint64_t run, Done<StartAnswer> done);
  std::optional<ServiceError> Prepare(const StartRequest& request, SessionStart* start);
  void Begin(StartRequest request, const Sha256& program, std::string sid, SessionStart start, Done<StartAnswer> done);
  void AnswerKnown(const StartRequest& request, const std::string& sid, uint64_t run, Done<StartAnswer> done);

  // durable_carry.cpp
  void With(std::string sid, WithSession call);
  void TakeUp(const std::string& sid);
  enum TakeUpPart : uint8_t { kThreads, kValues, kAll };
  bool IsOver(const StoreItem& own) const;  // it is to be erased
  void TakeUpPage(std::shared_ptr<std::vector<StoreItem>> items, const std::string& sid, TakeUpPart part,
                  std::string cursor);
  void TakeUpSame(std::shared_ptr<std::vector<StoreItem>> items, const std::string& sid, bool all);
  void TakeUpRecords(const std::string& sid, std::vector<StoreItem> items, bool all);
  void TakenUp(const std::string& sid, const ServiceError* why);
  void Sweep(std::string cursor);
  void PutDown();

  // durable_shared.cpp
  static const ServiceError kElsewhere;  // given by its address: another host carries the session
  bool IsElsewhere(const record::Session& session) const;
  void LookAtDue(std::vector<std::string> sids);
  void NoteDue(const std::string& sid, int64_t unix_ns);
  void Observe(int64_t now);
  void Observed(const std::string& sid, const std::optional<StoreItem>& item);
  void BeginHandOver();
  void HandOver(int64_t now);

  // durable_beside.cpp
  // What is to be written beside; false: it is there already.
  using SideEdit = std::function<Served<bool>(record::Session&)>;
  // A side write on a session that another host carries. here: nobody else does any more, so it is to be done as usual.
  void Beside(const std::string& sid, SideEdit edit, std::function<void()> here,
              std::function<void(std::optional<ServiceError>)> done);
  void SendBeside(const record::Session& session, StoreItem own, std::function<void()> again,
                  std::function<void(std::optional<ServiceError>)> done);
  static SideEdit EventBeside(const std::string& sid, const Sending& sending);
  // The session has left this host before what was asked was in the store: it is asked again.
  static bool MustAskAgain(const Status& status) {
    return !status.ok() && status.failure().code == FailureCode::kNotFound;
  }
  // durable_threads.cpp
  void ThreadsHere(const std::string& sid, Done<std::vector<ThreadView>> done);
  void ThreadsElsewhere(std::shared_ptr<std::vector<StoreItem>> items, const std::string& sid, std::string cursor,
                        Done<std::vector<ThreadView>> done);
  void ViewRecords(const std::string& sid, const std::vector<StoreItem>& items, Done<std::vector<ThreadView>> done);

  // The same for an event: what others wrote beside before it came is taken over before it (P-23). Without the mutex.
  void WithEventsOf(std::string sid, WithSession call);
  void ReadMail();
  void OpenMail(std::vector<StoreItem> mail);
  void AdoptMail(const std::string& sid, const std::optional<StoreItem>& item, const StoreVersion& before);

  // durable_parts.cpp
  void LookAtParts(int64_t now);
  void DivideParts(const std::vector<std::optional<StoreItem>>& items);
  void WritePart(uint32_t part, const SweptPart& now_held);
  bool Sweeps(const std::string& sid, int64_t late_ns) const;
  void LeaveParts();

  // durable_erase.cpp
  void Erase(const std::string& sid, const StoreItem& own, const record::Session& session,
             std::vector<record::Key> others);

  // durable_view.cpp
  // erased_too: the tombstone of one is an answer, and not kNotFound.
  void GetRecord(const std::string& sid, std::function<void(Served<record::Session>)> done, bool erased_too = false);
  SessionView ViewOf(const std::string& sid, const record::Session& session) const;
  bool IsCarried(const std::string& sid) const;

  // durable_ask.cpp
  void Change(std::string sid, std::function<std::optional<ServiceError>(Session&)> change, SideEdit beside,
              Done<SessionView> done, bool dead_too = false);
  void WaitUntil(int64_t unix_ns);  // somebody does
  void Expire(int64_t now);

  // durable_lines.cpp
  struct LinesRequest;
  void LookForLines(std::shared_ptr<LinesRequest> request);
  void ReadPieces(std::shared_ptr<LinesRequest> request);
  void AnswerLines(std::shared_ptr<LinesRequest> request);

  // durable_reply.cpp
  void Deliver(const std::string& sid, std::shared_ptr<const Sending> sending);
  static ServiceError IsFullError(const std::string& sid);
  void LookForReply(const std::string& sid, std::shared_ptr<Asking> asking);
  void LookAgain(const std::string& sid, const std::function<bool(const Asking&)>& wants);
  int64_t ExpireReplies(int64_t now);

  // durable_dead.cpp
  void Blame(const std::string& sid, StoreItem own);
  static bool IsDead(const record::Session& session);
  static ServiceError IsDeadError(const std::string& sid);

  // durable_rerun.cpp
  void RerunWith(const std::string& sid, const record::Session& session, const record::Start& start,
                 const Loaded& loaded, const Done<SessionView>& done);

  // durable_list.cpp
  class Listing;

  // durable_peer.cpp
  void Again(std::function<void()> call);  // in a second
  void Soon(std::function<void()> call);   // in 10 to 100 ms, at random
  void After(int64_t delay_ns, std::function<void()> call);

  // durable_program.cpp
  void WithProgram(const Sha256& id, std::function<void(const Result<Loaded>&)> call);
  void ReadProgram(const Sha256& id, std::function<void(Result<Loaded>)> done);
  // The whole of a part; kCorrupt: a piece is missing, or the bytes are not those of the hash.
  void ReadPart(const record::Part& part, std::function<void(Result<std::string>)> done);
  // package: null: none. The result may be `missing`.
  void Load(const Sha256& id, const record::Program& stored, const std::string& executable,
            std::shared_ptr<const std::string> package, std::function<void(Result<Loaded>)> done);
  void ProvideAgain(const std::string& sid, std::function<void(std::optional<ServiceError>)> then);
  void LeaveUntilProvided(const std::string& sid, std::function<void(std::optional<ServiceError>)> then);

  // durable_versions.cpp: one of these at a time, each begun by Turn.
  struct Adding;
  struct Removing;
  using StoredPrograms = std::vector<StoredProgram>;
  void Turn(std::function<void()> work);
  void EndTurn();
  void ListPrograms(std::function<void(Result<StoredPrograms>)> done);
  void ListPage(std::shared_ptr<StoredPrograms> all, std::string cursor,
                std::function<void(Result<StoredPrograms>)> done);
  void AddHere(NewProgram program, std::function<void(Result<ProgramAnswer>)> done);
  void WriteParts(std::shared_ptr<Adding> adding, size_t at);
  void PutAdded(std::shared_ptr<Adding> adding);
  void ActivateHere(const Sha256& id, std::function<void(Result<ProgramView>)> done);
  void RemoveHere(const Sha256& id, std::function<void(Result<ProgramView>)> done);
  void RemoveUnused(std::shared_ptr<Removing> removing);
  void RemovePieces(std::shared_ptr<Removing> removing);
  // Reads the record, lets `change` alter it and writes it, again where another was faster. False of `change`: it is to
  // stay as it is. Gives the record as it is then; kNotFound.
  void ChangeProgram(const Sha256& id, std::function<bool(record::Program&)> change,
                     std::function<void(Result<StoredProgram>)> done);
  // After the first commit of a session that has it: it is there, whoever was about to remove it. Then calls.
  void HoldProgram(const Sha256& id, std::function<void()> then);
  void PutBack(const Sha256& id, std::function<void()> then);
  ProgramView ViewOf(const StoredProgram& stored) const;
  // Sessions in memory that have it and have not ended.
  uint64_t CarriedWith(const Sha256& id);

  // durable_usage.cpp
  class Usage;
  struct Used {
    std::map<Sha256, uint64_t> sessions;  // of each program, not ended
    bool whole = true;                    // false: there were more sessions than were looked at
  };
  // Of sessions made since then, at most look_max of them, the newest first. only: looks for this program alone, and
  // stops at the first session that has it.
  void CountUsage(uint64_t since_unix_ns, uint64_t look_max, std::optional<Sha256> only,
                  std::function<void(Result<Used>)> done);

  const std::unique_ptr<LargeRecords> large_;  // over the store of the options
  const DurableOptions options_;               // its store is large_
  std::unique_ptr<Runtime> runtime_;

  // Owned by the host's thread.
  std::set<std::string> suspects_;  // not yet blamed
  std::map<Sha256, Loaded> programs_;
  Sha256 active_{};
  std::map<Sha256, std::vector<std::function<void(const Result<Loaded>&)>>> arriving_;  // programs being read
  std::deque<std::function<void()>> turns_;                            // changes of programs; the first is under way
  std::unordered_map<std::string, std::vector<WithSession>> coming_;   // sessions on their way into memory
  std::unordered_map<std::string, std::vector<Waiting>> waiting_;      // for their end
  std::unordered_map<std::string, std::vector<Following>> following_;  // for their next commit
  std::unordered_map<std::string, std::vector<std::shared_ptr<Asking>>> asking_;  // for replies of a session
  std::multimap<int64_t, std::string> upcoming_;                                  // due soon, and not in memory
  std::unordered_map<std::string, int64_t> upcoming_of_;
  int64_t next_expiry_ns_ = INT64_MAX;  // of those who wait or follow, or a little later
  int64_t next_sweep_ns_ = 0;
  int64_t next_put_down_ns_ = 0;
  uint64_t agains_ = 0;
  bool sweeping_ = false;
  bool first_sweep_ = true;
  // Where several hosts share the store.
  const bool shared_;
  std::unordered_map<std::string, Watched> watched_;
  std::vector<SweptPart> parts_;
  int64_t next_observe_ns_ = INT64_MAX;
  int64_t next_mail_ns_ = 0;
  int64_t next_parts_ns_ = 0;
  int64_t hand_over_until_ns_ = 0;
  bool reading_mail_ = false;
  std::atomic<bool> stopped_{false};

  // Of Counters; any thread.
  std::atomic<uint64_t> started_{0}, ended_done_{0}, ended_failed_{0}, ended_cancelled_{0};
  std::atomic<uint64_t> carried_{0}, sweep_lag_ns_{0};
};

// A view of an error value: {"kind","message","data","trace"}.
std::string ErrorJsonOf(const vm::Value& error);
// A value as JSON; one that JSON has no word for as a string in source form.
std::string ValueJsonOf(const vm::Value& value);
ServiceError ErrorOf(const Failure& failure);

}  // namespace teal::runtime

// What a host of durable sessions offers: the door for the control API, triggers and commands. cli.md has the shapes
// that are promised to users; this is what they are made of.
//
// Thread-safe. Calls are asynchronous: `done` is called exactly once, on whatever thread, perhaps before the call
// returns; it must not block. Values are JSON texts as the language writes them (core/vm/json.h). Times are nanoseconds
// since 1970 UTC, 0 for none; durations nanoseconds.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace teal::runtime {

// Why a request was refused. `kind` is that of the control API's errors.
struct ServiceError {
  // invalid (400), not_found (404), conflict (409), too_large (413), unfit (422), overloaded (429), unavailable (503),
  // internal (500)
  enum class Code : uint8_t { kInvalid, kNotFound, kConflict, kTooLarge, kUnfit, kOverloaded, kUnavailable, kInternal };
  Code code = Code::kInternal;
  std::string message;          // what and where
  std::string hint;             // what to do; may be empty
  uint64_t retry_after_ns = 0;  // kOverloaded, kUnavailable
};

template <typename T>
struct Served {
  std::optional<ServiceError> error;
  T value{};
};
template <typename T>
using Done = std::function<void(Served<T>)>;

// As cli.md names them: running paused done failed cancelled terminated dead.
enum class ViewStatus : uint8_t { kRunning, kPaused, kDone, kFailed, kCancelled, kTerminated, kDead };
std::string_view NameOf(ViewStatus status);
constexpr bool HasEnded(ViewStatus s) {
  return s != ViewStatus::kRunning && s != ViewStatus::kPaused;
}

struct SessionView {
  std::string sid;
  std::string id;  // as the starter gave it; empty: none
  std::string function;
  ViewStatus status = ViewStatus::kRunning;
  std::string result_json;  // kDone; else empty
  std::string error_json;   // {"kind","message","data","trace"}; empty: none
  std::vector<std::pair<std::string, std::string>> labels;
  std::string program;       // its id, hexadecimal
  std::string pause_reason;  // kPaused
  uint64_t created_unix_ns = 0;
  uint64_t started_unix_ns = 0;
  uint64_t ended_unix_ns = 0;
};

enum class OnConflict : uint8_t { kSame, kReject, kRestart };

struct StartRequest {
  std::string function;
  std::string arguments_json = "[]";  // a list
  bool drop_arguments = false;        // a function that takes fewer gets the first ones; else they must be as many
  std::string source = "api";         // who starts: with `id` it makes the session's id
  std::string id;                     // empty: a random session id
  OnConflict on_conflict = OnConflict::kSame;
  std::vector<std::pair<std::string, std::string>> labels;
  uint64_t timeout_ns = 0;
  std::string event_name;  // delivered with the start; empty: none
  std::string event_json;
  std::string traceparent;
};
struct StartAnswer {
  SessionView session;
  bool created = false;  // false: it was there
};

struct ListRequest {
  std::optional<ViewStatus> status;
  std::vector<std::pair<std::string, std::string>> labels;  // all of them
  uint64_t since_unix_ns = 0;                               // created then or later
  uint64_t limit = 100;                                     // 1 to 1000
  std::string cursor;
};
struct ListAnswer {
  std::vector<SessionView> sessions;  // the newest first; may lag
  std::string cursor;                 // empty: no more
};

// Output, log lines and history are kept in one order of writing for each thread.
enum class LineSort : uint8_t { kOutput, kLog, kHistory };
struct LineView {
  std::string tid;
  uint64_t unix_ns = 0;
  std::string level;  // kLog: debug info warning error
  std::string text;   // output: as written, with its newline; log and history: one line or a JSON object
};
struct LinesAnswer {
  std::vector<LineView> lines;
  std::string next;    // the cursor after them; of no lines: as it was given
  bool ended = false;  // the session has ended and there are no more
};

struct VariableView {
  std::string name;
  std::string value;  // source form, cut at 1,000 bytes
};
struct FrameViewed {
  std::string function;
  std::string file;
  uint32_t line = 0;
  std::vector<VariableView> variables;
};
struct ThreadView {
  std::string tid;
  std::string owner;      // empty: main
  std::string status;     // ready running waiting done failed cancelled
  std::string waits_for;  // words: "thread 0.3", "event(\"go\")", "a timer until …"; empty: nothing
  std::string function;
  std::string file;
  uint32_t line = 0;                // where it is parked
  std::vector<FrameViewed> frames;  // the innermost first
  uint64_t state_bytes = 0;
};

struct ProgramView {
  std::string hash;  // its id, hexadecimal
  std::string name;
  uint64_t created_unix_ns = 0;
  bool active = false;    // new sessions take it
  uint64_t sessions = 0;  // not ended, that keep it; counted by a scan, may lag
  bool counted = true;    // false: there may be more than `sessions`, not all were looked at
};

struct NewProgram {
  std::string name;  // for people
  std::string executable;
  std::optional<std::string> package;  // core/runtime/package.h; none: of a program without foreign code
  bool activate = false;               // new sessions take it
};
struct ProgramAnswer {
  ProgramView program;   // without `sessions`
  bool created = false;  // false: it was there
};

struct ServiceCounters {
  uint64_t sessions_started = 0, sessions_done = 0, sessions_failed = 0, sessions_cancelled = 0;
  uint64_t steps = 0;  // foreign calls ended
  uint64_t commits = 0, commit_conflicts = 0, commit_bytes = 0;
  uint64_t sessions_in_memory = 0;  // carried now
  uint64_t queued = 0;              // threads that could run now
  uint64_t timer_lag_ns = 0;        // of the last timer that fired
  uint64_t sweep_lag_ns = 0;        // of the oldest due record that the last sweep found
};

class SessionService {
 public:
  virtual ~SessionService() = default;

  // The session is durable when this is done.
  virtual void Start(StartRequest request, Done<StartAnswer> done) = 0;
  virtual void Get(std::string sid, Done<SessionView> done) = 0;
  // Done when the session has ended, or `timeout_ns` is over: then with its present state.
  virtual void Wait(std::string sid, uint64_t timeout_ns, Done<SessionView> done) = 0;
  virtual void List(ListRequest request, Done<ListAnswer> done) = 0;

  // The value is durable when this is done. key: of the sender, for repeats; empty: a random one. reply_ns > 0: waits
  // that long for the reply; the answer is its JSON, or nullopt if none came.
  virtual void Send(std::string sid, std::string event, std::string value_json, std::string key, uint64_t reply_ns,
                    Done<std::optional<std::string>> done) = 0;
  // What was asked for is durable when this is done; a session that has ended is kConflict.
  virtual void Cancel(std::string sid, Done<SessionView> done) = 0;
  virtual void Terminate(std::string sid, Done<SessionView> done) = 0;
  virtual void Pause(std::string sid, Done<SessionView> done) = 0;
  virtual void Resume(std::string sid, Done<SessionView> done) = 0;
  // Of one that is kDead: lets it go on; ends it. kConflict for any other.
  virtual void RetryDead(std::string sid, Done<SessionView> done) = 0;
  virtual void DropDead(std::string sid, Done<SessionView> done) = 0;
  // A new session that begins as this one did, with its program and arguments; gives that. from: "start", or the number
  // of a step whose state was kept.
  virtual void Rerun(std::string sid, std::string from, Done<SessionView> done) = 0;

  // Lines after the cursor (empty: from the start), at most `limit`. wait_ns: if there are none, waits that long for
  // some.
  virtual void Lines(std::string sid, LineSort sort, std::string cursor, uint64_t limit, uint64_t wait_ns,
                     Done<LinesAnswer> done) = 0;
  virtual void Threads(std::string sid, Done<std::vector<ThreadView>> done) = 0;
  // What it published: key and JSON, sorted by key.
  virtual void Published(std::string sid, Done<std::vector<std::pair<std::string, std::string>>> done) = 0;
  virtual void Programs(Done<std::vector<ProgramView>> done) = 0;
  // The program is durable when this is done, and its foreign code has been loaded once. kInvalid: what came is no
  // executable or no package; kUnfit: they do not fit together, or the foreign code cannot be loaded here.
  virtual void AddProgram(NewProgram program, Done<ProgramAnswer> done) = 0;
  // Durable; sessions that were started before keep theirs. Answers without `sessions`. kUnfit: its foreign code cannot
  // be loaded here.
  virtual void ActivateProgram(std::string hash, Done<ProgramView> done) = 0;
  // kConflict: it is active, or a session that has not ended uses it.
  virtual void RemoveProgram(std::string hash, Done<ProgramView> done) = 0;

  virtual ServiceCounters Counters() const = 0;
};

}  // namespace teal::runtime

// What a session that is kept in a store has besides: what of it the store has, what is on its way there, and what
// waits for that.
//
// A session is carried whole: one host has all its threads in memory, and every commit takes everything that changed
// since the last one, in one atomic commit whose condition is the version of the session's own record (docs/decisions/
// 0008). So the store always holds a state that the session was in, and nothing leaves before that state is there:
// foreign calls, what goes to other sessions, output, answers to callers.
//
// Guarded by the scheduler's mutex.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/runtime/record.h"
#include "core/runtime/record_rules.h"
#include "core/runtime/store.h"

namespace teal::runtime {

struct ThreadRecord;

// So begins the reason of the pause of a session that was set aside (P-25).
inline constexpr std::string_view kDeadReason = "dead";

// A commit that would be due waits for what else runs in its session, so that one commit takes it all; at most so long.
inline constexpr int64_t kCommitWaitNs = 2'000'000;
// Commits of several sessions go to the store together, and so do calls to their workers: when nothing else can run
// now, or there are so many of them, or the first has waited so long.
inline constexpr size_t kTogetherMax = 64;
inline constexpr int64_t kTogetherNs = 200'000;
// With so many threads that changed, the commit is made at once. It takes a record for each, and what a single slice
// changes besides: a session for which the store's commit_ops_max is too little fails with `limit`.
inline constexpr size_t kChangedThreadsMax = 400;
// Of a commit of the store; values (segments of states) that find no room in it go before it.
inline constexpr uint64_t kCommitSlackBytes = 64 << 10;

// Told when a commit is applied, or that it will never be. Called without the mutex; must not block.
using WhenKept = std::function<void(const Status&)>;

// What the threads of a session write, output and log lines, in the order in which they do.
struct KeptLines {
  std::vector<record::Line> lines;  // since the last piece
  uint64_t bytes = 0;
  uint64_t pieces = 0;
};

// What happened to them (history.h).
struct KeptHistory {
  std::string entries;            // since the last piece
  uint64_t last_us = 0;           // the time of the last entry
  std::vector<std::string> full;  // pieces of the next commit
  uint64_t pieces = 0;
};

// What a session needs besides where several hosts share the store (session_beside.cpp): others may write side fields
// of its record beside the host that carries it, and then a commit of that host finds the record changed (P-3).
struct SharedSession {
  // As the record in the store is, as far as this host knows: what others write since then is new.
  record::CommitId stored_id;
  std::optional<record::Paused> stored_paused;
  std::map<std::string, size_t, std::less<>> stored_inbox;  // values by name

  // Of the commit on its way.
  record::CommitId sent_id;
  std::optional<record::Paused> sent_paused;
  std::map<std::string, size_t, std::less<>> sent_inbox;
  std::vector<StoreWrite> sent;  // but for the session's own record
  uint64_t sent_lease_ns = 0;
  bool sent_hand_over = false;

  // Of commits that found the record changed: the next one takes it along, unless it writes the same key anew.
  std::vector<StoreWrite> owed;

  // Of the last commit that was applied: effects begin under its lease only (P-9).
  int64_t lease_sent_ns = 0;
  uint64_t lease_ns = 0;

  bool adopting = false;  // events that come now have been acknowledged: they are taken whatever the limits

  // The host stops: no effect begins any more, and the next commit leaves the session to whoever comes. It is made when
  // no call runs any more, or at once.
  bool handing_over = false;
  bool at_once = false;
};

struct KeptSession {
  std::unique_ptr<SharedSession> shared;  // null: nobody else has the store open

  // As the store has it.
  StoreVersion version{};
  bool exists = false;
  // Fields of the record that the engine does not know: who started it, labels, times.
  record::Session head;
  bool listed = false;  // its entry in the list of sessions is written
  uint64_t epoch = 0;

  // What changed since the last commit was made.
  std::vector<ThreadRecord*> changed;
  std::vector<record::Key> gone;  // records of threads that nothing can ask for any more
  std::vector<ThreadRecord*> at_gate;
  std::vector<StoreWrite> pieces;    // of lines and history, and replies: of the next commit
  std::vector<std::string> replied;  // in it
  KeptLines lines;
  KeptHistory history;
  std::vector<WhenKept> told;  // of the next commit
  bool wanted = false;         // stands among those that want a commit
  int64_t wanted_since_ns = 0;

  // What is on its way.
  bool in_air = false;
  bool final_in_air = false;
  int64_t sent_ns = 0;                          // before it was sent
  std::shared_ptr<const record::Session> last;  // the record of its end
  std::vector<ThreadRecord*> gate_in_air;
  std::vector<WhenKept> told_in_air;
  std::vector<std::string> replied_in_air;

  int64_t lease_until_ns = 0;  // 0: none is held
  uint64_t lease_ns = 0;
  int64_t quiet_since_ns = 0;
  // Lives of a host that ended while it ran, since it last got further (P-25), and how many steps it had then.
  uint32_t crashes = 0;
  uint64_t steps_then = 0;
  record::Start start;      // until its first commit: what it begins with; empty: its function, without arguments
  bool taken_over = false;  // who carried it before did not put it down
  // Fenced, or the store failed: nothing more is written, and it goes as soon as nothing refers to it.
  bool lost = false;
};

}  // namespace teal::runtime

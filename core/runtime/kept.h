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
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/runtime/record.h"
#include "core/runtime/record_rules.h"
#include "core/runtime/store.h"

namespace teal::runtime {

struct ThreadRecord;

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

// Of a thread, beside what the engine knows.
struct KeptThread {
  std::vector<record::Line> lines;  // since the last piece
  uint64_t line_bytes = 0;
  uint64_t pieces = 0;
};

struct KeptSession {
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

  int64_t lease_until_ns = 0;  // 0: none is held
  uint64_t lease_ns = 0;
  int64_t quiet_since_ns = 0;
  // Fenced, or the store failed: nothing more is written, and it goes as soon as nothing refers to it.
  bool lost = false;
};

}  // namespace teal::runtime

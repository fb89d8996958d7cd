// Commits of whole sessions over a store that commits single records, or few at once (docs/decisions/0009).
//
// The engine's commits change several records of a session under the condition of its record `s`. Here the others are
// written first, each under a name that was never used; then one compare-and-swap on `s`, which says which names count,
// makes all of them true at once; then what was replaced is deleted. Where all of it fits into one commit of the store
// below, it is one.
//
// What the caller sees is a Store with these bounds:
//  - A commit of several records has one partition of a session (record::IsSid), and a write of that session's `s`. Its
//    condition is the only one that there may be: the commit's other writes have none (kAny).
//  - Its writes to other partitions are done after it is applied: a put where nothing is yet, a delete. A crash before
//    that does not lose them: whoever reads `s` next does them. They have no version.
//  - Values (v/…), which are named by their content and so never change, may be written and deleted without `s`, too.
//    Their deletes are done after the commit, and not repeated after a crash; `s` is deleted only with all there is.
//  - Commits elsewhere go through as they are, with the limits of the store below.
//  - Due times stand on `s` only.
// All hosts over one store use the same kind of store: this one or the plain one.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/runtime/store.h"

namespace teal::runtime {

namespace floor {
class Core;
}  // namespace floor

// A store with fewer cannot take the commits of a session that is carried whole as they are.
inline constexpr uint64_t kWholeCommitOps = 1'000;
inline bool NeedsFloor(const StoreLimits& limits) {
  return limits.commit_ops_max < kWholeCommitOps;
}

struct FloorOptions {
  std::function<uint64_t()> now_unix_ns;  // empty: the machine's
  uint64_t seed = 0;                      // of the names; 0: from the machine. No two stores may have the same
  // Runs `run` soon, once, and not before it returns; from a callback of the store below, too. Empty: a thread.
  std::function<void(std::function<void()> run)> post;
};

// Of this process; writes that were applied. Each is one write of the store below, unless they went together.
struct FloorCounters {
  std::atomic<uint64_t> heads{0};         // `s`
  std::atomic<uint64_t> parts{0};         // other records, before their head
  std::atomic<uint64_t> placeholders{0};  // before the first parts of a session
  std::atomic<uint64_t> chunks{0};        // of directories
  std::atomic<uint64_t> replaced{0};      // deletes of what a commit replaced; off its path
  std::atomic<uint64_t> orphans{0};       // deletes of what dead writers left
  std::atomic<uint64_t> elsewhere{0};     // in other partitions; off its path
};

class FloorStore : public Store {
 public:
  // `below` outlives the store. Its values must have 64 KiB or more.
  explicit FloorStore(Store& below, FloorOptions options = {});
  // Nothing more is begun; what has not ended ends with kUnavailable when the store below answers, which it may do
  // later than this. So this goes before the store below does, and both before those who called.
  ~FloorStore() override;
  FloorStore(const FloorStore&) = delete;
  FloorStore& operator=(const FloorStore&) = delete;

  const FloorCounters& floor_counters() const;

  const StoreLimits& limits() const override;
  const StoreCounters& counters() const override;  // of the store below
  void Get(std::vector<record::Key> keys,
           std::function<void(Result<std::vector<std::optional<StoreItem>>>)> done) override;
  void Commit(std::vector<StoreWrite> writes, std::function<void(Result<StoreCommitted>)> done) override;
  void Scan(std::string partition, std::string prefix, uint64_t limit, std::string cursor,
            std::function<void(Result<StorePage>)> done) override;
  void ScanDue(uint32_t shard, uint32_t shards, uint64_t until_unix_ns, uint64_t limit, std::string cursor,
               std::function<void(Result<StorePage>)> done) override;

 private:
  std::shared_ptr<floor::Core> core_;
};

}  // namespace teal::runtime

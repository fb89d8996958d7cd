// Inside of the floor store: what its operations share.
//
// An operation is an object that lives as long as a callback holds it. The callbacks of the store below are sinks, so
// what calls the store again is posted.
#pragma once

#include <condition_variable>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/runtime/floor_head.h"
#include "core/runtime/floor_store.h"

namespace teal::runtime::floor {

// Of a value, for the head's own: directory, chunks, work.
inline constexpr uint64_t kHeadRoomBytes = 8 << 10;
// Of a head, for what differs from the chunks; more, and new chunks are written.
inline constexpr size_t kRecentBytes = 4 << 10;
inline constexpr size_t kChunkBytes = 24 << 10;
inline constexpr uint64_t kOpsMax = 1'000'000;
inline constexpr uint64_t kBytesMax = 256 << 20;
// Of one operation, on their way at once.
inline constexpr size_t kParallelMax = 64;
// Times that an operation begins anew because others were at the same session meanwhile.
inline constexpr int kTriesMax = 20;
// A creation that takes longer is given up: what is there of it is deleted.
inline constexpr uint64_t kCreationNs = 900'000'000'000;
inline constexpr size_t kCachedMax = 65'536;  // heads

using Items = std::vector<std::optional<StoreItem>>;

// Work of a commit, from its head on: carried by every head until it is known to be done.
struct WorkState {
  std::vector<Work> all;
  enum Stage : int { kOpen, kGoing, kDone };
  std::atomic<int> stage{kOpen};
};

// A head as it was read or written, without the caller's record.
struct State {
  StoreVersion version{};
  uint64_t number = 0;
  uint64_t due_unix_ns = 0;
  bool placeholder = false;
  Directory recent;
  std::vector<Attempt> chunks;
  std::shared_ptr<const Directory> base;  // what the chunks hold; null: there are none
  std::shared_ptr<WorkState> work;        // null: none

  const Attempt* Find(std::string_view sort) const;
  bool InBase(std::string_view sort) const { return base != nullptr && base->find(sort) != base->end(); }
  // All that the caller has: sort key and attempt.
  std::vector<std::pair<std::string_view, Attempt>> Live() const;
  // Whether the record of that name may go: no head refers to it, and none ever will. The head's own next attempts may
  // be on their way, so that those stay.
  bool IsOrphan(const Name& name) const;
};
using StatePtr = std::shared_ptr<const State>;

struct Loaded {
  StatePtr state;                   // null: there is no `s`
  std::optional<StoreItem> record;  // the caller's; none: absent, or a placeholder
};

// Which of a session's records are written under names of attempts.
enum class Sort : uint8_t { kHead, kValue, kPart };
Sort SortOf(std::string_view sort);

class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Store& below, FloorOptions options);

  Store& below() { return below_; }
  const StoreLimits& limits() const { return limits_; }
  FloorCounters& counters() { return counters_; }
  uint64_t NowUnixNs() const { return options_.now_unix_ns(); }
  uint64_t Random();

  // Soon, on another thread's turn; from anywhere. Once Close has begun, at once.
  void Post(std::function<void()> run);
  void Close();

  // The store below, or kUnavailable once Close has begun. `done` is a sink. Not from a sink.
  void Get(std::vector<record::Key> keys, std::function<void(Result<Items>)> done);
  void Commit(std::vector<StoreWrite> writes, std::function<void(Result<StoreCommitted>)> done);
  void Scan(std::string partition, std::string prefix, uint64_t limit, std::string cursor,
            std::function<void(Result<StorePage>)> done);

  // Each by itself, at most kParallelMax at once; `done`, a sink, gets what came of each, in their order. The first
  // failure ends it. Not from a sink.
  void Each(std::vector<StoreWrite> writes, std::function<void(Result<std::vector<StoreCommitted>>)> done);

  // The session's head as it is now. `done` is a sink. Load: not from a sink. Take: of `s` just read; from anywhere.
  void Load(const std::string& sid, std::function<void(Result<Loaded>)> done);
  void Take(const std::string& sid, std::optional<StoreItem> found, std::function<void(Result<Loaded>)> done,
            int tries = 0);
  // Null: not known.
  StatePtr Cached(const std::string& sid, const StoreVersion& version);
  void Remember(const std::string& sid, StatePtr state);

  // Does what is open of it, unless it is on its way. From anywhere.
  void DoWork(const std::shared_ptr<WorkState>& work);
  // Deletes records that nothing can refer to any more, some time. From anywhere.
  void Delete(std::vector<record::Key> keys, std::atomic<uint64_t>* count);
  // Ends a placeholder, with all that is in its partition: the one of the version `own`, or (null) one that is overdue.
  // From anywhere.
  void Collect(const std::string& sid, const StoreVersion* own);
  void CollectEnded(const std::string& sid);

 private:
  void RunOne();
  void RunThread();
  bool closing();

  Store& below_;
  FloorOptions options_;
  StoreLimits limits_;
  FloorCounters counters_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  bool closing_ = false;
  std::deque<std::function<void()>> posted_;
  uint64_t random_;
  std::list<std::pair<std::string, StatePtr>> cached_;  // the newest used first
  std::unordered_map<std::string, decltype(cached_)::iterator> cached_at_;
  std::set<std::string> collecting_;
  std::thread thread_;  // begun with the first post, unless there is options_.post
};

void StartGet(const std::shared_ptr<Core>& core, std::vector<record::Key> keys,
              std::function<void(Result<Items>)> done);
void StartScan(const std::shared_ptr<Core>& core, std::string partition, std::string prefix, uint64_t limit,
               std::string cursor, std::function<void(Result<StorePage>)> done);
void StartCommit(const std::shared_ptr<Core>& core, std::vector<StoreWrite> writes,
                 std::function<void(Result<StoreCommitted>)> done);
void StartCollect(const std::shared_ptr<Core>& core, std::string sid, const StoreVersion* own);

}  // namespace teal::runtime::floor

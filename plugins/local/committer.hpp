// Commits of all callers, one group at a time, by one thread: takes what is queued, checks the conditions against the
// store and what the same group did before, writes one entry of the log, syncs once, puts it into the store, answers
// all. So commits are linearizable in the order of the queue, and nothing is seen or acknowledged before it is durable.
// Once the log has failed every commit fails, until the store is opened again; reads go on.
// The same thread removes what has expired. Thread-safe but for Start and Stop, which are control calls.
#pragma once

#include <rocksdb/write_batch.h>
#include <teal/abi.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "plugins/common/watchers.hpp"
#include "plugins/local/log.hpp"
#include "plugins/local/recent.hpp"
#include "plugins/local/store.hpp"
#include "teal/plugin.hpp"

namespace teal::local {

// Keys and values of one commit, and of commits taken together. An operation's key stands in its record and in the
// indexes, old and new: five times at most. What RocksDB adds to each is under 24 bytes. So a group always fits into a
// segment of the log.
inline constexpr uint64_t kCommitBytesMax = 640 << 10;
inline constexpr uint64_t kGroupOpsMax = 4096;
static_assert(5 * (kCommitBytesMax + kGroupOpsMax * 24) + 4096 <= kLogPayloadBytesMax);

class Committer {
 public:
  struct Settings {
    bool sync = true;
    uint64_t group_bytes_max = kCommitBytesMax;  // keys and values of the commits taken together
    uint64_t opening = 0;                        // the part of every version made by this instance
  };
  using Clock = std::function<uint64_t()>;

  using Say = std::function<void(uint32_t level, const std::string& message)>;  // to the host's log

  Committer(Files& files, Log& log, Store& store, plugin::Watchers& watchers, Clock now, Say say, Settings settings);
  void Start();
  // Ends all commits queued, by their true result, then the threads; writes all to RocksDB's files, so that the next
  // opening has no log to read.
  void Stop();

  // `ops` are well formed, within the limits, and alive until done.
  void Add(const teal_call* call, const teal_op* ops, uint64_t count, plugin::Done done);
  // Ends the commit as cancelled if it waits in the queue.
  void Cancel(uint64_t op_id);
  // Waits until all that was acknowledged is in RocksDB's files. For backups; any thread.
  rocksdb::Status FlushAll();

 private:
  struct Pending {
    const teal_call* call;
    const teal_op* ops;
    uint64_t count;
    plugin::Done done;
  };
  // A record as the group sees it: the store's, or what an operation of the group made of it.
  struct State {
    bool exists = false;
    bool from_group = false;
    bool has_value = true;         // false: the record is one of recent_, and its value was not read
    StoredRecord record;           // its value points into `bytes`, or into an operation's value
    rocksdb::PinnableSlice bytes;  // of the store
  };
  // What one commit of a group came to.
  struct Outcome {
    std::optional<plugin::Error> error;
    uint32_t failed_op = 0;
    std::optional<teal_record> found;
    bool rests_on_group = false;  // true only if the group becomes durable
    bool writes = false;
    std::vector<teal_version> versions;
  };
  struct Group {
    std::vector<Pending> commits;
    std::vector<Outcome> outcomes;
    std::unordered_map<std::string, std::unique_ptr<State>> states;  // by record key
    rocksdb::WriteBatch batch;
    uint64_t least_due = ~uint64_t{0};
    uint64_t writes = 0;
  };

  void Run();
  void Flush();
  std::vector<Pending> TakeGroup(bool& stopping);
  void Commit(std::vector<Pending> commits);
  void Decide(Group& group, std::size_t index);
  State* Find(Group& group, const std::string& record_key, std::optional<plugin::Error>& error);
  bool Read(const std::string& record_key, State& state, std::optional<plugin::Error>& error);
  void Remove(Group& group, std::string_view record_key, State& state);
  void Put(Group& group, const teal_op& op, std::string_view record_key, State& state, VersionParts version);
  bool MakeDurable(Group& group, plugin::Error& error);
  plugin::Error LogBroken() const;
  // Opens RocksDB again if it failed, and puts in from the log what it had not written to files.
  bool Recover(plugin::Error& error);
  bool WaitForRoom(uint64_t bytes, plugin::Error& error);
  void Answer(Group& group, const plugin::Error* failure);
  void Expire();

  Files& files_;
  Log& log_;
  Store& store_;
  plugin::Watchers& watchers_;
  const Clock now_;
  const Say say_;
  const Settings settings_;

  // The committer's thread alone.
  uint64_t written_ = 0;  // writes by this opening
  uint64_t looked_for_expired_ns_ = 0;
  Recent recent_;  // as the store has them
  // Commits answered as unknown whose entry was durable, by idempotency key: a repeat gets the first's result. (ERR-3)
  std::unordered_map<std::string, std::vector<teal_version>> told_unknown_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable queued_;
  std::condition_variable flush_asked_;
  std::condition_variable flushed_;
  std::deque<Pending> queue_;
  bool stop_ = false;
  bool stopped_ = false;   // nobody takes from the queue any more
  uint64_t put_in_ = 0;    // number of the last entry in the store's memory
  uint64_t reopened_ = 0;  // times
  bool flush_wanted_ = false;
  bool stop_flushing_ = false;
  uint64_t flushes_ = 0;          // ended, well or not
  rocksdb::Status flush_status_;  // of the last
  std::thread committer_;
  std::thread flusher_;
};

}  // namespace teal::local

// The records in RocksDB, without its log: reads, and the putting in of what the commit log has made durable. Every
// write comes by the committer's thread; reads come from any thread and never see what is not durable, since only
// durable groups are put in. Errors of RocksDB are turned into words here.
#pragma once

#include <rocksdb/db.h>
#include <teal/abi.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/local/codec.hpp"
#include "plugins/local/files.hpp"
#include "teal/plugin.hpp"

namespace teal::local {

// A page with its own copies of what it shows.
struct Page {
  std::vector<teal_record> records;
  std::deque<std::string> texts;  // does not move what it holds
  std::string next;               // the cursor, when `more`
  bool more = false;
};

plugin::Error ToError(const rocksdb::Status& status, const std::string& doing);

class Store {
 public:
  using LogFunction = std::function<void(uint32_t level, const std::string& message)>;
  struct Settings {
    std::string path;  // RocksDB's folder
    uint64_t cache_bytes = 0;
    bool make = false;  // a new one; otherwise a missing one is an error
  };

  // `files` and what `log` refers to outlive the store.
  Store(Files& files, LogFunction log);
  ~Store();
  std::optional<plugin::Error> Open(const Settings& settings);

  // Number of the last log entry put in before the last time all was written to files.
  std::optional<plugin::Error> Applied(uint64_t& number);

  // The record under `record_key`: NotFound, or its bytes in `out`.
  rocksdb::Status Read(std::string_view record_key, rocksdb::PinnableSlice* out);

  std::optional<plugin::Error> Scan(std::string_view partition, std::string_view prefix, uint64_t limit,
                                    std::string_view after, Page& page);
  std::optional<plugin::Error> ScanDue(uint32_t shard, uint32_t shards, uint64_t until, uint64_t limit,
                                       std::string_view cursor, Page& page);
  // Record keys and times of at most `limit` records whose expiry is at or before `now`.
  std::optional<plugin::Error> Expired(uint64_t now, uint64_t limit, std::vector<std::string>& record_keys);

  // Committer's thread. `least_due` is the least due time the batch brings, or the largest number.
  rocksdb::Status Write(rocksdb::WriteBatch& batch, uint64_t least_due);
  // Writes all that was put in to files. Any thread; blocks.
  rocksdb::Status Flush();
  // Whether RocksDB refuses writes because something failed behind the scenes, a full disk for instance.
  bool Failing() const { return failing_.load(std::memory_order_acquire); }
  // All that was lost by Reopen is put in again.
  void SetWhole() { failing_.store(false, std::memory_order_release); }
  // Closes RocksDB and opens it again: what it had not written to files is gone from it, and is to be put in anew from
  // the log. (Its own Resume waits for ever when the disk is full again.) Where there is no room yet it stays as it is,
  // and reads go on. Committer's thread; readers wait.
  std::optional<plugin::Error> Reopen();

  // Names a consistent state of all that is in files, by hard links in `folder`, which does not exist yet.
  rocksdb::Status Link(const std::string& folder);

 private:
  class Listener;
  class HostLogger;

  std::optional<plugin::Error> OpenRocks(bool make);
  // NULL only after a Reopen that failed half way; then reads fail until the next one succeeds.
  rocksdb::DB* Rocks() { return db_.get(); }

  Files& files_;
  const LogFunction log_;
  std::shared_ptr<rocksdb::FileSystem> rocks_files_;
  std::unique_ptr<rocksdb::Env> env_;
  Settings settings_;
  std::shared_ptr<rocksdb::Cache> cache_;  // of blocks
  std::shared_ptr<rocksdb::Cache> rows_;
  std::shared_mutex db_mutex_;  // shared by whoever uses db_, alone by Reopen
  std::unique_ptr<rocksdb::DB> db_;
  std::atomic<bool> failing_{false};

  // Nothing is due before `due_floor_`: scans begin there, not among the remains of what was due and is done. Guarded
  // by the mutex. `due_epoch_` counts writes, so that a scan that a write overtook does not raise the floor over it.
  std::mutex due_mutex_;
  uint64_t due_floor_ = 0;
  uint64_t due_epoch_ = 0;
};

}  // namespace teal::local

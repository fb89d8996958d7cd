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
  // Tries again what failed. Blocks while it does. Committer's thread.
  rocksdb::Status Resume();

  rocksdb::DB* db() { return db_.get(); }

 private:
  class Listener;
  class HostLogger;

  Files& files_;
  const LogFunction log_;
  std::shared_ptr<rocksdb::FileSystem> rocks_files_;
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<rocksdb::DB> db_;
  std::atomic<bool> failing_{false};

  // Nothing is due before `due_floor_`: scans begin there, not among the remains of what was due and is done. Guarded
  // by the mutex. `due_epoch_` counts writes, so that a scan that a write overtook does not raise the floor over it.
  std::mutex due_mutex_;
  uint64_t due_floor_ = 0;
  uint64_t due_epoch_ = 0;
};

}  // namespace teal::local

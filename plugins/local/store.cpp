#include "plugins/local/store.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/utilities/table_properties_collectors.h>

#include <sys/statvfs.h>
#include <algorithm>

#include <array>
#include <cstdio>

#include "plugins/common/memory_input.hpp"
#include "plugins/local/rocks_files.hpp"

namespace teal::local {
namespace {

using plugin::Error;
using rocksdb::Slice;
using rocksdb::Status;

Slice ToSlice(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view View(const Slice& slice) {
  return {slice.data(), slice.size()};
}

// What memory tables at their largest may need, and what opening writes.
constexpr uint64_t kRoomBytesMin = 24 << 20;

const Status kNotOpen = Status::IOError("the store is being opened again after a failure");
const Error kDamagedRecord{TEAL_CORRUPT,
                           "a record in the store cannot be read, its bytes are of no known form; restore a backup"};
const Error kForeignCursor{TEAL_INVALID, "the cursor is not of this scan; begin without one"};

}  // namespace

Error ToError(const Status& status, const std::string& doing) {
  const std::string said = status.ToString();
  if (status.IsNoSpace()) {
    Error error{
        TEAL_UNAVAILABLE,
        doing + ": the disk is full; free some room: what was acknowledged is safe, and writing goes on by itself"};
    error.retry_after_ns = 200'000'000;
    return error;
  }
  // What to do comes first: a message is cut at 223 bytes.
  if (status.IsCorruption()) return {TEAL_CORRUPT, doing + "; restore a backup. " + said};
  if (status.IsMemoryLimit()) return {TEAL_NO_MEMORY, doing + ": " + said};
  return {TEAL_UNAVAILABLE, doing + ": " + said};
}

// What RocksDB does behind the scenes and fails at stops its writes; the committer resumes them.
class Store::Listener : public rocksdb::EventListener {
 public:
  explicit Listener(Store& store) : store_(store) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason, Status* status) override {
    store_.failing_.store(true, std::memory_order_release);
    store_.log_(TEAL_LOG_ERROR, "the store stopped writing: " + status->ToString());
  }
  // RocksDB would look for room every few seconds; the committer tries with the next commit.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  Store& store_;
};

// RocksDB's own warnings and errors go to the host's log.
class Store::HostLogger : public rocksdb::Logger {
 public:
  explicit HostLogger(Store& store) : Logger(rocksdb::WARN_LEVEL), store_(store) {}
  using rocksdb::Logger::Logv;
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::WARN_LEVEL || level > rocksdb::FATAL_LEVEL) return;
    std::array<char, 1024> text;
    std::vsnprintf(text.data(), text.size(), format, arguments);
    store_.log_(level == rocksdb::WARN_LEVEL ? TEAL_LOG_WARNING : TEAL_LOG_ERROR,
                std::string("rocksdb: ") + text.data());
  }
  void Logv(const char*, va_list) override {}

 private:
  Store& store_;
};

Store::Store(Files& files, LogFunction log) : files_(files), log_(std::move(log)) {}

Store::~Store() {
  if (db_ != nullptr) db_->Close().PermitUncheckedError();
}

std::optional<Error> Store::Open(const Settings& settings) {
  settings_ = settings;
  rocks_files_ = MakeRocksFiles(files_);
  env_ = rocksdb::NewCompositeEnv(rocks_files_);
  cache_ = rocksdb::NewLRUCache(settings.cache_bytes / 2, 2);
  rows_ = rocksdb::NewLRUCache(settings.cache_bytes / 2, 4);
  return OpenRocks(settings.make);
}

std::optional<Error> Store::OpenRocks(bool make) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache_;
  table.cache_index_and_filter_blocks = true;  // so that memory does not grow with the store
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kBinarySearch;
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;

  rocksdb::Options options;
  options.env = env_.get();
  options.create_if_missing = make;
  options.avoid_flush_during_shutdown = true;  // the committer writes all out before, where it can
  options.paranoid_checks = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.info_log = std::make_shared<HostLogger>(*this);
  options.listeners = {std::make_shared<Listener>(*this)};
  // Records that are read again and again, as those of running sessions are, without the block each stands in.
  options.row_cache = rows_;
  options.max_open_files = 256;
  options.max_file_opening_threads = 1;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.skip_stats_update_on_db_open = true;
  options.max_background_jobs = 2;
  options.allow_concurrent_memtable_write = false;  // one thread writes
  options.enable_write_thread_adaptive_yield = false;
  // Memory tables are written out once a segment of the commit log; the size is only the bound behind it.
  options.write_buffer_size = 12 << 20;
  options.max_write_buffer_number = 3;
  options.arena_block_size = 256 << 10;
  // A commit that makes a record first looks whether it is there: so a memory table says quickly that it is not.
  options.memtable_whole_key_filtering = true;
  options.memtable_prefix_bloom_size_ratio = 0.02;
  options.level_compaction_dynamic_level_bytes = true;
  options.max_bytes_for_level_base = 32 << 20;
  options.target_file_size_base = 8 << 20;
  options.compression = rocksdb::kLZ4Compression;
  options.bottommost_compression = rocksdb::kZSTD;
  options.bytes_per_sync = 1 << 20;
  // The remains of due times that are over stand at the front of their index, where every scan begins.
  options.table_properties_collector_factories = {rocksdb::NewCompactOnDeletionCollectorFactory(4096, 2048)};

  rocksdb::DB* db = nullptr;
  const Status status = rocksdb::DB::Open(options, settings_.path, &db);
  if (status.ok()) {
    db_.reset(db);
    return std::nullopt;
  }
  const bool something_missing =
      status.IsInvalidArgument() || status.ToString().find("No such file") != std::string::npos;
  if (something_missing && !make) {
    return Error{TEAL_CORRUPT, "cannot open the records in " + settings_.path +
                                   "; put the folder back as it was, or restore a backup. " + status.ToString()};
  }
  return ToError(status, "cannot open the records in " + settings_.path);
}

std::optional<Error> Store::Applied(uint64_t& number) {
  const std::shared_lock lock(db_mutex_);
  if (db_ == nullptr) return ToError(kNotOpen, "cannot read the store");
  std::string value;
  const Status status = db_->Get(rocksdb::ReadOptions(), ToSlice(kAppliedKey), &value);
  number = 0;
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return ToError(status, "cannot read the store");
  number = BigEndian(value);
  return std::nullopt;
}

Status Store::Read(std::string_view record_key, rocksdb::PinnableSlice* out) {
  const std::shared_lock lock(db_mutex_);
  if (db_ == nullptr) return kNotOpen;
  return db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), ToSlice(record_key), out);
}

std::optional<Error> Store::Scan(std::string_view partition, std::string_view prefix, uint64_t limit,
                                 std::string_view after, Page& page) {
  const std::shared_lock lock(db_mutex_);
  if (db_ == nullptr) return ToError(kNotOpen, "cannot scan the store");
  const std::string base = RecordKey(partition, {});
  std::string begin = base;
  begin.append(after.empty() ? prefix : after);
  if (!after.empty()) begin.push_back('\0');  // the first key behind it
  rocksdb::ReadOptions options;
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(options));
  const std::string all = base + std::string(prefix);
  uint64_t bytes = 0;
  for (at->Seek(begin); at->Valid() && at->key().starts_with(all); at->Next()) {
    if (page.records.size() == limit || bytes > plugin::kPageBytes) {
      page.more = true;
      page.next = Copy(page.records.back().key.sort);
      break;
    }
    const std::string& key = page.texts.emplace_back(at->key().ToString());
    const std::string& value = page.texts.emplace_back(at->value().ToString());
    const auto parts = SplitKey(std::string_view(key).substr(1));
    const auto record = ReadRecord(value);
    if (!parts || !record) return kDamagedRecord;
    page.records.push_back({{Bytes(parts->partition), Bytes(parts->sort)},
                            Bytes(record->value),
                            record->version,
                            record->due,
                            record->expires});
    bytes += key.size() + value.size();
  }
  if (!at->status().ok()) return ToError(at->status(), "cannot scan the store");
  return std::nullopt;
}

std::optional<Error> Store::ScanDue(uint32_t shard, uint32_t shards, uint64_t until, uint64_t limit,
                                    std::string_view cursor, Page& page) {
  const std::shared_lock lock(db_mutex_);
  if (db_ == nullptr) return ToError(kNotOpen, "cannot scan the store");
  // A page looks at so many entries of other shards at most, so that a call's time is bounded.
  constexpr uint64_t kLookedAtMax = 20'000;
  uint64_t floor = 0;
  uint64_t epoch = 0;
  {
    const std::lock_guard due_lock(due_mutex_);
    floor = due_floor_;
    epoch = due_epoch_;
  }
  std::string begin(1, kDueSpace);
  AppendBigEndian(begin, floor, 8);
  if (!cursor.empty()) {  // the last key looked at, without its first byte
    begin.resize(1);
    begin.append(cursor);
    if (!SplitTimeKey(begin)) return kForeignCursor;
    begin.push_back('\0');
  }
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(rocksdb::ReadOptions()));
  uint64_t looked_at = 0;
  std::string last;
  at->Seek(begin);
  const bool first_is_due = at->Valid() && at->key()[0] == kDueSpace;
  uint64_t first = first_is_due ? BigEndian(View(at->key()).substr(1, 8)) : 0;
  for (; at->Valid() && at->key()[0] == kDueSpace; at->Next()) {
    const std::string_view key = View(at->key());
    const auto seen = SplitTimeKey(key);
    if (!seen) return kDamagedRecord;
    if (seen->time_unix_ns > until) break;
    if (page.records.size() == limit || ++looked_at > kLookedAtMax) {
      page.more = true;
      page.next = last;
      break;
    }
    last.assign(key.substr(1));
    if (shards > 1 && plugin::ShardOf(seen->key.partition, seen->key.sort, shards) != shard) continue;
    const std::string& copy = page.texts.emplace_back(key);
    const auto parts = SplitTimeKey(copy);
    page.records.push_back({{Bytes(parts->key.partition), Bytes(parts->key.sort)}, {}, {}, parts->time_unix_ns, 0});
  }
  if (!at->status().ok()) return ToError(at->status(), "cannot scan the store");
  if (cursor.empty() && first_is_due && first > floor) {
    const std::lock_guard due_lock(due_mutex_);
    if (due_epoch_ == epoch) due_floor_ = first;
  }
  return std::nullopt;
}

std::optional<Error> Store::Expired(uint64_t now, uint64_t limit, std::vector<std::string>& record_keys) {
  const std::shared_lock lock(db_mutex_);
  if (db_ == nullptr) return ToError(kNotOpen, "cannot scan the store");
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(rocksdb::ReadOptions()));
  for (at->Seek(Slice(&kExpirySpace, 1)); at->Valid() && at->key()[0] == kExpirySpace; at->Next()) {
    const auto seen = SplitTimeKey(View(at->key()));
    if (!seen) return kDamagedRecord;
    if (seen->time_unix_ns > now || record_keys.size() == limit) break;
    record_keys.push_back(RecordKey(seen->key.partition, seen->key.sort));
  }
  if (!at->status().ok()) return ToError(at->status(), "cannot scan the store");
  return std::nullopt;
}

Status Store::Write(rocksdb::WriteBatch& batch, uint64_t least_due) {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  const std::shared_lock lock(db_mutex_);
  if (db_ == nullptr) return kNotOpen;
  const Status status = db_->Write(options, &batch);
  if (!status.ok()) failing_.store(true, std::memory_order_release);
  // Behind the write, before anything is acknowledged: a scan that saw the store without it began before this.
  const std::lock_guard due_lock(due_mutex_);
  due_floor_ = std::min(due_floor_, least_due);
  ++due_epoch_;
  return status;
}

Status Store::Flush() {
  rocksdb::FlushOptions options;
  options.wait = true;
  options.allow_write_stall = true;
  const std::shared_lock lock(db_mutex_);
  if (db_ == nullptr) return kNotOpen;
  const Status status = db_->Flush(options);
  if (!status.ok()) failing_.store(true, std::memory_order_release);
  return status;
}

Status Store::Link(const std::string& folder) {
  const std::shared_lock lock(db_mutex_);
  if (db_ == nullptr || Failing()) return kNotOpen;
  rocksdb::Checkpoint* made = nullptr;
  Status status = rocksdb::Checkpoint::Create(db_.get(), &made);
  if (!status.ok()) return status;
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  return checkpoint->CreateCheckpoint(folder);
}

std::optional<Error> Store::Reopen() {
  struct statvfs room{};
  if (::statvfs(settings_.path.c_str(), &room) == 0 && room.f_bavail * room.f_frsize < kRoomBytesMin) {
    return ToError(Status::NoSpace(), "cannot write the records");
  }
  const std::unique_lock lock(db_mutex_);
  if (db_ != nullptr) db_->Close().PermitUncheckedError();
  db_.reset();
  return OpenRocks(false);
}

}  // namespace teal::local

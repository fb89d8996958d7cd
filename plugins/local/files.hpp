// The one way `local` changes files: counted, and taped where a test asks for it. The commit log, blobs and backups use
// it directly, RocksDB through rocks_files.hpp. Errors are errno values as std::error_code; paths are absolute.
// Thread-safe but for File, which belongs to one thread at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "plugins/local/tape.hpp"

namespace teal::local {

// Since the instance was opened. Printed by the benchmarks and given to the host's metrics.
struct FileCounters {
  std::atomic<uint64_t> syncs{0};       // fdatasync, fsync, of folders too
  std::atomic<uint64_t> bytes{0};       // written, by whomever
  std::atomic<uint64_t> log_bytes{0};   // of these, by the commit log
  std::atomic<uint64_t> commits{0};     // acknowledged
  std::atomic<uint64_t> log_writes{0};  // groups of commits: syncs of the log
};

class Files;

// An open file. Closes itself. Movable.
class File {
 public:
  File() = default;
  File(Files* files, int descriptor, std::string path);
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  bool IsOpen() const { return descriptor_ >= 0; }
  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }
  // All of it or an error.
  std::error_code Write(std::string_view data, uint64_t offset);
  // At most `size` bytes from `offset`, fewer only at the end.
  std::error_code Read(uint64_t offset, uint64_t size, std::string& out) const;
  std::error_code Size(uint64_t& size) const;
  // fdatasync: data, and the size where it changed.
  std::error_code Sync();

 private:
  Files* files_ = nullptr;
  int descriptor_ = -1;
  std::string path_;
};

class Files {
 public:
  // `tape` may be NULL.
  explicit Files(std::unique_ptr<Tape> tape) : tape_(std::move(tape)) {}

  FileCounters& counters() { return counters_; }

  std::error_code Create(const std::string& path, File& out);  // fails where the name exists
  std::error_code OpenForWriting(const std::string& path, File& out);
  std::error_code OpenForReading(const std::string& path, File& out);
  std::error_code Rename(const std::string& from, const std::string& to);
  std::error_code Link(const std::string& from, const std::string& to);
  std::error_code Remove(const std::string& path);  // a file; an absent one is an error
  std::error_code MakeFolder(const std::string& path);
  std::error_code SyncFolder(const std::string& path);
  // A small file, whole or not at all: written beside, synced, renamed, the folder synced.
  std::error_code Replace(const std::string& path, std::string_view data);
  std::error_code ReadWhole(const std::string& path, std::string& out);

  // What others did to files by themselves; each after it was done. `covers` is Position() from before a sync.
  uint64_t Position() const { return tape_ == nullptr ? 0 : tape_->Size(); }
  void Created(std::string_view path) { Tell(Tape::Operation::kCreate, 0, path); }
  void Wrote(std::string_view path, uint64_t offset, std::string_view data);
  void Truncated(std::string_view path, uint64_t size) { Tell(Tape::Operation::kTruncate, size, path); }
  void Synced(std::string_view path, uint64_t covers);
  void SyncFailed(std::string_view path, uint64_t covers) { Tell(Tape::Operation::kSyncFailed, covers, path); }
  void FolderSynced(std::string_view path, uint64_t covers);
  void Renamed(std::string_view from, std::string_view to) { Tell(Tape::Operation::kRename, 0, from, to); }
  void Linked(std::string_view from, std::string_view to) { Tell(Tape::Operation::kLink, 0, from, to); }
  void Removed(std::string_view path) { Tell(Tape::Operation::kRemove, 0, path); }
  void FolderMade(std::string_view path) { Tell(Tape::Operation::kMakeFolder, 0, path); }

 private:
  void Tell(Tape::Operation operation, uint64_t number, std::string_view path, std::string_view data = {}) {
    if (tape_ != nullptr) tape_->Add(operation, number, path, data);
  }
  std::error_code Open(const std::string& path, int flags, File& out);

  FileCounters counters_;
  const std::unique_ptr<Tape> tape_;
};

}  // namespace teal::local

#include "plugins/local/rocks_files.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace teal::local {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

std::string_view View(const Slice& slice) {
  return {slice.data(), slice.size()};
}

// RocksDB writes a file by one thread at a time, and syncs it from there.
class CountedFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  CountedFile(std::unique_ptr<rocksdb::FSWritableFile>&& file, Files& files, std::string path, bool needs_sync)
      : FSWritableFileOwnerWrapper(std::move(file)), files_(files), path_(std::move(path)), needs_sync_(needs_sync) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* dbg) override {
    const IOStatus status = FSWritableFileOwnerWrapper::Append(data, options, dbg);
    return Appended(data, status);
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& info,
                  IODebugContext* dbg) override {
    const IOStatus status = FSWritableFileOwnerWrapper::Append(data, options, info, dbg);
    return Appended(data, status);
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* dbg) override {
    const IOStatus status = FSWritableFileOwnerWrapper::Truncate(size, options, dbg);
    if (status.ok()) {
      files_.Truncated(path_, size);
      offset_ = size;
    }
    return status;
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* dbg) override {
    return Synced([&] { return FSWritableFileOwnerWrapper::Sync(options, dbg); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    return Synced([&] { return FSWritableFileOwnerWrapper::Fsync(options, dbg); });
  }

 private:
  // What failed half way counts as not written by RocksDB, which gives the file up.
  IOStatus Appended(const Slice& data, const IOStatus& status) {
    if (status.ok()) {
      files_.Wrote(path_, offset_, View(data));
      offset_ += data.size();
    }
    return status;
  }
  template <typename Body>
  IOStatus Synced(Body&& body) {
    if (!needs_sync_) return IOStatus::OK();
    const uint64_t covers = files_.Position();
    const IOStatus status = body();
    if (status.ok()) {
      files_.Synced(path_, covers);
    } else {
      files_.SyncFailed(path_, covers);
    }
    return status;
  }

  Files& files_;
  const std::string path_;
  const bool needs_sync_;
  uint64_t offset_ = 0;
};

class CountedFolder : public rocksdb::FSDirectory {
 public:
  CountedFolder(std::unique_ptr<rocksdb::FSDirectory>&& folder, Files& files, std::string path)
      : folder_(std::move(folder)), files_(files), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    const uint64_t covers = files_.Position();
    const IOStatus status = folder_->Fsync(options, dbg);
    if (status.ok()) files_.FolderSynced(path_, covers);
    return status;
  }
  IOStatus Close(const IOOptions& options, IODebugContext* dbg) override { return folder_->Close(options, dbg); }
  size_t GetUniqueId(char* id, size_t max_size) const override { return folder_->GetUniqueId(id, max_size); }

 private:
  const std::unique_ptr<rocksdb::FSDirectory> folder_;
  Files& files_;
  const std::string path_;
};

// The list of RocksDB's tables grows while the store is open, and RocksDB refuses one with a piece missing in the
// middle, which a loss of power may leave of what was written and not yet synced: the disk takes sectors in any order.
// So what is added is held until RocksDB asks for a sync, and then written and synced sector by sector: what is there
// is always a whole front, and RocksDB forgives an end cut short. A few syncs more each time a memory table was written
// to a file. Until the first sync nothing refers to the list, and it is written as any file.
class ManifestFile : public CountedFile {
 public:
  using CountedFile::CountedFile;

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* dbg) override {
    if (!in_use_) return Write(data, options, dbg);
    held_.append(data.data(), data.size());
    return IOStatus::OK();
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* dbg) override {
    return Append(data, options, dbg);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* dbg) override {
    return WriteHeld(options, dbg, [&] { return CountedFile::Sync(options, dbg); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    return WriteHeld(options, dbg, [&] { return CountedFile::Fsync(options, dbg); });
  }

 private:
  static constexpr uint64_t kSectorBytes = 512;

  IOStatus Write(const Slice& data, const IOOptions& options, IODebugContext* dbg) {
    const IOStatus status = CountedFile::Append(data, options, dbg);
    if (status.ok()) size_ += data.size();
    return status;
  }
  template <typename SyncBody>
  IOStatus WriteHeld(const IOOptions& options, IODebugContext* dbg, SyncBody&& sync) {
    in_use_ = true;
    if (held_.empty()) return sync();
    const std::string data = std::exchange(held_, {});  // after an error RocksDB gives the file up
    for (uint64_t at = 0; at < data.size();) {
      const uint64_t piece = std::min<uint64_t>(kSectorBytes - size_ % kSectorBytes, data.size() - at);
      IOStatus status = Write(Slice(data.data() + at, piece), options, dbg);
      if (status.ok()) status = sync();
      if (!status.ok()) return status;
      at += piece;
    }
    return IOStatus::OK();
  }

  bool in_use_ = false;
  uint64_t size_ = 0;
  std::string held_;
};

class RocksFiles : public rocksdb::FileSystemWrapper {
 public:
  explicit RocksFiles(Files& files) : FileSystemWrapper(rocksdb::FileSystem::Default()), files_(files) {}

  const char* Name() const override { return "teal.local"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* out, IODebugContext* dbg) override {
    IOStatus status = FileSystemWrapper::NewWritableFile(path, options, out, dbg);
    if (!status.ok()) return status;
    files_.Created(path);
    // OPTIONS-… is for people to read: RocksDB is opened with options from the code, and does not miss it.
    const bool needs_sync = path.find("/OPTIONS-") == std::string::npos;
    if (path.find("/MANIFEST-") != std::string::npos) {
      *out = std::make_unique<ManifestFile>(std::move(*out), files_, path, needs_sync);
    } else {
      *out = std::make_unique<CountedFile>(std::move(*out), files_, path, needs_sync);
    }
    return status;
  }
  // Kinds of writing that the options in use never ask for would go past the tape: refused.
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions&, std::unique_ptr<rocksdb::FSWritableFile>*,
                              IODebugContext*) override {
    return IOStatus::NotSupported("ReopenWritableFile", path);
  }
  IOStatus ReuseWritableFile(const std::string& path, const std::string&, const FileOptions&,
                             std::unique_ptr<rocksdb::FSWritableFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("ReuseWritableFile", path);
  }
  IOStatus NewRandomRWFile(const std::string& path, const FileOptions&, std::unique_ptr<rocksdb::FSRandomRWFile>*,
                           IODebugContext*) override {
    return IOStatus::NotSupported("NewRandomRWFile", path);
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions& options, std::unique_ptr<rocksdb::FSDirectory>* out,
                        IODebugContext* dbg) override {
    IOStatus status = FileSystemWrapper::NewDirectory(path, options, out, dbg);
    if (status.ok()) *out = std::make_unique<CountedFolder>(std::move(*out), files_, path);
    return status;
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* dbg) override {
    return Then(FileSystemWrapper::DeleteFile(path, options, dbg), [&] { files_.Removed(path); });
  }
  IOStatus Truncate(const std::string& path, size_t size, const IOOptions& options, IODebugContext* dbg) override {
    return Then(FileSystemWrapper::Truncate(path, size, options, dbg), [&] { files_.Truncated(path, size); });
  }
  IOStatus CreateDir(const std::string& path, const IOOptions& options, IODebugContext* dbg) override {
    return Then(FileSystemWrapper::CreateDir(path, options, dbg), [&] { files_.FolderMade(path); });
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions& options, IODebugContext* dbg) override {
    return Then(FileSystemWrapper::CreateDirIfMissing(path, options, dbg), [&] { files_.FolderMade(path); });
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* dbg) override {
    return Then(FileSystemWrapper::RenameFile(from, to, options, dbg), [&] { files_.Renamed(from, to); });
  }
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                    IODebugContext* dbg) override {
    return Then(FileSystemWrapper::LinkFile(from, to, options, dbg), [&] { files_.Linked(from, to); });
  }

 private:
  template <typename Body>
  static IOStatus Then(IOStatus status, Body&& body) {
    if (status.ok()) std::forward<Body>(body)();
    return status;
  }

  Files& files_;
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> MakeRocksFiles(Files& files) {
  return std::make_shared<RocksFiles>(files);
}

}  // namespace teal::local

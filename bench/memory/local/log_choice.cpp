// The measurement behind docs/decisions/0005: local_log_choice FOLDER. 300 bytes made durable by one caller, in turn:
// bare writes, RocksDB's own log as it comes, RocksDB's log in zeroed files through its FileSystem, and bare writes in
// a growing file.
#include <fcntl.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr uint64_t kZeroedBytes = 8 << 20;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int OpenFile(const std::string& path, bool zeroed) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::string zeros(1 << 20, '\0');
  for (uint64_t i = 0; zeroed && i < kZeroedBytes; i += zeros.size()) {
    if (::pwrite(file, zeros.data(), zeros.size(), static_cast<off_t>(i)) < 0) std::exit(1);
  }
  if (::fsync(file) != 0) std::exit(1);
  return file;
}

// A log of RocksDB's in a file that has its size and its extents from the start.
class ZeroedLog : public rocksdb::FSWritableFile {
 public:
  explicit ZeroedLog(const std::string& path) : file_(OpenFile(path, true)) {}
  ~ZeroedLog() override { ::close(file_); }
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    if (::pwrite(file_, data.data(), data.size(), offset_) != static_cast<ssize_t>(data.size())) {
      return IOStatus::IOError();
    }
    offset_ += static_cast<off_t>(data.size());
    return IOStatus::OK();
  }
  using FSWritableFile::Append;
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    return ::fdatasync(file_) == 0 ? IOStatus::OK() : IOStatus::IOError();
  }
  void PrepareWrite(size_t, size_t, const IOOptions&, IODebugContext*) override {}

 private:
  const int file_;
  off_t offset_ = 0;
};

class ZeroedLogs : public rocksdb::FileSystemWrapper {
 public:
  ZeroedLogs() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "zeroed"; }
  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* out, IODebugContext* dbg) override {
    if (!path.ends_with(".log")) return FileSystemWrapper::NewWritableFile(path, options, out, dbg);
    *out = std::make_unique<ZeroedLog>(path);
    return IOStatus::OK();
  }
};

std::unique_ptr<rocksdb::DB> OpenRocks(const std::string& path, rocksdb::Env* env) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.env = env;
  rocksdb::DB* db = nullptr;
  if (!rocksdb::DB::Open(options, path, &db).ok()) std::exit(1);
  return std::unique_ptr<rocksdb::DB>(db);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  std::filesystem::create_directories(folder);
  const std::string value(300, 'v');
  const auto zeroed_env = rocksdb::NewCompositeEnv(std::make_shared<ZeroedLogs>());
  const auto as_it_comes = OpenRocks(folder + "/plain", rocksdb::Env::Default());
  const auto zeroed = OpenRocks(folder + "/zeroed", zeroed_env.get());
  const int bare = OpenFile(folder + "/bare", true);
  const int growing = OpenFile(folder + "/growing", false);
  int number = 0;
  const auto put = [&](rocksdb::DB& db) {
    rocksdb::WriteOptions options;
    options.sync = true;
    if (!db.Put(options, std::to_string(number), value).ok()) std::exit(1);
  };
  const auto write = [&](int file) {
    if (::pwrite(file, value.data(), value.size(), number * 512) < 0 || ::fdatasync(file) != 0) std::exit(1);
  };
  const std::map<std::string, std::function<void()>> ways = {
      {"bare, zeroed file", [&] { write(bare); }},
      {"bare, growing file", [&] { write(growing); }},
      {"RocksDB's log as it comes", [&] { put(*as_it_comes); }},
      {"RocksDB's log in zeroed files", [&] { put(*zeroed); }},
  };
  std::map<std::string, std::vector<double>> taken;
  for (; number < 1500; ++number) {
    for (const auto& [name, way] : ways) {
      const double begun = Now();
      way();
      taken[name].push_back(Now() - begun);
    }
  }
  for (auto& [name, seconds] : taken) {
    std::sort(seconds.begin(), seconds.end());
    std::printf("%-32s p50 %8.1f us  p90 %8.1f us\n", name.c_str(), seconds[seconds.size() / 2] * 1e6,
                seconds[seconds.size() * 9 / 10] * 1e6);
  }
  std::filesystem::remove_all(folder);
}

#include "plugins/local/instance.hpp"

#include <dirent.h>
#include <unistd.h>

#include <limits>

#include "plugins/local/quiet.hpp"
#include "plugins/local/replay.hpp"

using teal::Bytes;
using teal::local::FormatFile;
using teal::plugin::Error;

namespace {

constexpr int kBlobThreads = 2;

Error Failed(const std::string& doing, const std::string& path, const std::error_code& error) {
  return {error == std::errc::permission_denied ? TEAL_DENIED : TEAL_UNAVAILABLE,
          "cannot " + doing + " " + path + ": " + error.message()};
}

// Removes the files, not the folders, in a folder that may be absent.
std::optional<Error> RemoveFiles(teal::local::Files& files, const std::string& folder) {
  DIR* const listing = ::opendir(folder.c_str());
  if (listing == nullptr) return std::nullopt;
  std::optional<Error> failed;
  while (const dirent* const entry = ::readdir(listing)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (const auto error = files.Remove(folder + "/" + name)) failed = Failed("remove", folder + "/" + name, error);
  }
  ::closedir(listing);
  return failed;
}

}  // namespace

void teal_instance::Report(uint32_t level, const std::string& message, const std::string& fields) const {
  host->log(host, level, Bytes(message), Bytes(fields));
}

// Finds out what the folder is. A store is there once FORMAT is; the file `making` stands while one is being made, so
// that what a crash left half made is told apart from a store that lost its FORMAT.
std::optional<Error> teal_instance::OpenFolder(bool& make) {
  if (auto error = teal::local::MakeFolderIfMissing(*files, config.path)) return error;
  if (auto error = lock.Take(config.path)) return error;
  const std::string path = config.path + "/FORMAT";
  const std::string making = config.path + "/making";
  std::string text;
  const std::error_code unread = files->ReadWhole(path, text);
  make = unread == std::errc::no_such_file_or_directory;
  if (!make) {
    if (unread) return Failed("read", path, unread);
    if (auto error = teal::local::ReadFormat(text, path, format)) return error;
    if (::access(making.c_str(), F_OK) == 0) static_cast<void>(files->Remove(making));
    return std::nullopt;
  }
  if (::access((config.path + "/restoring").c_str(), F_OK) == 0) {
    return Error{TEAL_CORRUPT, "restoring a backup into " + config.path + " was cut short; restore it again"};
  }
  if (::access(making.c_str(), F_OK) != 0) {
    if (!teal::local::IsUnused(config.path)) {
      return Error{TEAL_INVALID, config.path +
                                     " is not empty and holds no store (it has no FORMAT): use another path, "
                                     "or put the folder back as it was"};
    }
    if (const auto error = files->Replace(making, "")) return Failed("write", making, error);
  }
  if (auto error = teal::local::SyncName(*files, config.path)) return error;
  for (const char* const name : {"/log", "/db"}) {
    if (auto error = RemoveFiles(*files, config.path + name)) return error;
    if (auto error = teal::local::MakeFolderIfMissing(*files, config.path + name)) return error;
    if (auto error = teal::local::SyncName(*files, config.path + name)) return error;
  }
  format.id = teal::local::RandomHex(16);
  format.log_salt = teal::local::Random64();
  format.log_segment_bytes = config.log_segment_bytes != 0 ? config.log_segment_bytes : teal::local::kLogSegmentBytes;
  return std::nullopt;
}

std::optional<Error> teal_instance::OpenRecords(bool make) {
  log = std::make_unique<teal::local::Log>(*files, config.path + "/log", format.log_salt, format.log_segment_bytes);
  if (make) {
    if (auto error = log->Make()) return error;
  }
  store = std::make_unique<teal::local::Store>(
      *files, [this](uint32_t level, const std::string& message) { Report(level, message); });
  if (auto error = store->Open({config.path + "/db", config.cache_bytes, make})) return error;
  if (make) {
    const std::string path = config.path + "/FORMAT";
    if (const auto error = files->Replace(path, WriteFormat(format))) return Failed("write", path, error);
    static_cast<void>(files->Remove(config.path + "/making"));
  }
  return teal::local::Replay(*log, *store, config.unsafe_no_sync);
}

std::optional<Error> teal_instance::Open() {
  const teal::local::Quiet quiet;
  std::unique_ptr<teal::local::Tape> tape;
  if (!config.tape.empty()) {
    tape = teal::local::Tape::Open(config.tape);
    if (tape == nullptr) return Error{TEAL_INVALID, "cannot write \"testing\".\"tape\" " + config.tape};
  }
  files = std::make_unique<teal::local::Files>(std::move(tape));
  bool make = false;
  if (auto error = OpenFolder(make)) return error;
  if (auto error = OpenRecords(make)) return error;
  blobs = std::make_unique<teal::local::Blobs>(*files, config.blobs, teal::local::kLimits.blob_bytes_max,
                                               !config.unsafe_no_sync);
  if (auto error = blobs->Open(format.id)) return error;
  teal::local::Committer::Settings settings;
  settings.sync = !config.unsafe_no_sync;
  settings.opening = teal::local::Random64();
  settings.group_bytes_max = std::min<uint64_t>(settings.group_bytes_max, format.log_segment_bytes / 6);
  committer = std::make_unique<teal::local::Committer>(
      *files, *log, *store, watchers, [this] { return Now(); },
      [this](uint32_t level, const std::string& message) { Report(level, message); }, settings);
  committer->Start();
  workers = std::make_unique<teal::local::Workers>(kBlobThreads);
  backups = std::make_unique<teal::local::Workers>(1);
  queues = std::make_unique<teal::local::Queues>([this] { return Now(); }, config.queue_items_max);
  if (config.unsafe_no_sync) {
    Report(TEAL_LOG_WARNING, "unsafe_no_sync is set: what is acknowledged may be lost when the machine stops");
  }
  return std::nullopt;
}

void teal_instance::Close() {
  const teal::local::Quiet quiet;
  calls.Close();
  queues->Stop();
  backups->Stop();
  workers->Stop();
  committer->Stop();
  calls.Wait();
  blobs->AbortAll();
  const auto& counters = files->counters();
  Report(TEAL_LOG_INFO, "closed",
         "{\"syncs\":" + std::to_string(counters.syncs) + ",\"bytes\":" + std::to_string(counters.bytes) +
             ",\"log_bytes\":" + std::to_string(counters.log_bytes) + ",\"log_writes\":" +
             std::to_string(counters.log_writes) + ",\"commits\":" + std::to_string(counters.commits) + "}");
}

#include "plugins/local/backup.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>
#include <vector>

#include "plugins/local/calls.hpp"
#include "plugins/local/crc32c.hpp"
#include "plugins/local/instance.hpp"

namespace teal::local {
namespace {

using plugin::Error;
namespace fs = std::filesystem;

constexpr std::string_view kListHead = "teal local backup\nformat 1\n";

struct Listed {
  std::string name;  // below the backup's folder
  uint64_t size = 0;
  uint32_t crc = 0;
};

Error Failed(const std::string& doing, const std::string& path, const std::error_code& error) {
  return {error == std::errc::permission_denied ? TEAL_DENIED : TEAL_UNAVAILABLE,
          "cannot " + doing + " " + path + ": " + error.message()};
}

// Copies and syncs a file; fills in size and checksum.
std::optional<Error> CopyFile(Files& files, const std::string& from, const std::string& to, Listed& listed) {
  constexpr uint64_t kPieceBytes = 1 << 20;
  File in;
  File out;
  if (const auto error = files.OpenForReading(from, in)) return Failed("read", from, error);
  if (const auto error = files.Create(to, out)) return Failed("make", to, error);
  listed.size = 0;
  listed.crc = 0;
  std::string piece;
  do {
    if (const auto error = in.Read(listed.size, kPieceBytes, piece)) return Failed("read", from, error);
    if (const auto error = out.Write(piece, listed.size)) return Failed("write", to, error);
    listed.crc = Crc32c(piece, listed.crc);
    listed.size += piece.size();
  } while (!piece.empty());
  if (const auto error = out.Sync()) return Failed("sync", to, error);
  return std::nullopt;
}

std::optional<Error> MakeFolder(Files& files, const std::string& folder) {
  if (auto error = MakeFolderIfMissing(files, folder)) return error;
  return SyncName(files, folder);
}

// Names of the regular files below `folder`, in order.
std::vector<std::string> FilesBelow(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->is_regular_file(error)) names.push_back(at->path().string().substr(folder.size() + 1));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Copies all files of `from` to `to`, which is made, with the folders of one level between; lists them under `prefix`.
std::optional<Error> CopyFolder(Files& files, const std::string& from, const std::string& to, const std::string& prefix,
                                std::vector<Listed>& list) {
  if (auto error = MakeFolder(files, to)) return error;
  for (const std::string& name : FilesBelow(from)) {
    const std::size_t slash = name.find('/');
    if (slash != std::string::npos) {
      if (auto error = MakeFolderIfMissing(files, to + "/" + name.substr(0, slash))) return error;
    }
    Listed listed{prefix + "/" + name};
    if (auto error = CopyFile(files, from + "/" + name, to + "/" + name, listed)) return error;
    list.push_back(std::move(listed));
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(to, error)) {
    if (!entry.is_directory(error)) continue;
    if (const auto failed = files.SyncFolder(entry.path().string()))
      return Failed("sync", entry.path().string(), failed);
  }
  if (const auto failed = files.SyncFolder(to)) return Failed("sync", to, failed);
  return std::nullopt;
}

std::string WriteList(const std::vector<Listed>& list) {
  std::ostringstream text;
  text << kListHead;
  for (const Listed& listed : list) text << listed.crc << ' ' << listed.size << ' ' << listed.name << '\n';
  const std::string lines = text.str();
  return lines + "end " + std::to_string(Crc32c(lines)) + "\n";
}

std::optional<Error> ReadList(const std::string& text, const std::string& path, std::vector<Listed>& list) {
  const Error damaged{TEAL_CORRUPT, path + " is damaged; use another backup"};
  const std::size_t end = text.rfind("end ");
  if (!text.starts_with("teal local backup\nformat ") || end == std::string::npos) return damaged;
  if (!text.starts_with(kListHead)) {
    return Error{TEAL_UNSUPPORTED, path + " is of a newer Teal; this one reads backups of format 1"};
  }
  if (text.substr(end) != "end " + std::to_string(Crc32c(text.substr(0, end))) + "\n") return damaged;
  std::istringstream in(text.substr(kListHead.size(), end - kListHead.size()));
  Listed listed;
  while (in >> listed.crc >> listed.size >> listed.name) list.push_back(listed);
  return std::nullopt;
}

// Names every blob a second time in `folder`, so that it stays while it is copied. Blobs cannot be removed meanwhile.
std::optional<Error> LinkBlobs(Files& files, Blobs& blobs, const std::string& folder) {
  if (auto error = MakeFolderIfMissing(files, folder)) return error;
  for (const std::string& name : FilesBelow(blobs.folder())) {
    const std::size_t slash = name.find('/');
    if (slash != 2) continue;  // not a blob's: STORE, new/…, backup/…
    const std::string to = folder + "/" + name.substr(0, 2);
    if (auto error = MakeFolderIfMissing(files, to)) return error;
    const std::string from = blobs.folder() + "/" + name;
    if (const auto error = files.Link(from, to + name.substr(2))) return Failed("link", from, error);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Error> MakeBackup(teal_instance* instance, std::string target) {
  Files& files = *instance->files;
  const std::string links = instance->config.path + "/backup";
  const std::string blob_links = instance->blobs->folder() + "/backup";
  std::error_code ignored;
  const auto clean = [&] {
    fs::remove_all(links, ignored);
    fs::remove_all(blob_links, ignored);
  };
  clean();
  if (auto error = MakeFolder(files, target)) return error;
  if (!fs::is_empty(target, ignored)) {
    return Error{TEAL_INVALID, "the folder " + target + " is not empty; give a new one for the backup"};
  }
  std::optional<Error> error;
  {
    const auto keep = instance->blobs->KeepAll();
    const rocksdb::Status status = instance->store->Link(links);
    if (!status.ok()) error = ToError(status, "cannot make the backup");
    if (!error) error = LinkBlobs(files, *instance->blobs, blob_links);
  }
  std::vector<Listed> list;
  if (!error) error = CopyFolder(files, links, target + "/db", "db", list);
  if (!error) error = CopyFolder(files, blob_links, target + "/blobs", "blobs", list);
  clean();
  if (error) return error;
  const std::string path = target + "/BACKUP";
  if (const auto failed = files.Replace(path, WriteList(list))) return Failed("write", path, failed);
  return std::nullopt;
}

std::optional<Error> RestoreBackup(const Config& config, std::string source) {
  Files files(nullptr);
  std::string text;
  if (const auto error = files.ReadWhole(source + "/BACKUP", text)) return Failed("read", source + "/BACKUP", error);
  std::vector<Listed> list;
  if (auto error = ReadList(text, source + "/BACKUP", list)) return error;
  FolderLock lock;
  if (auto error = MakeFolder(files, config.path)) return error;
  if (auto error = lock.Take(config.path)) return error;
  const std::string restoring = config.path + "/restoring";
  std::error_code ignored;
  if (fs::exists(restoring, ignored)) {
    for (const char* const name : {"/db", "/log"}) fs::remove_all(config.path + name, ignored);
    fs::remove_all(config.blobs, ignored);
  } else if (!IsUnused(config.path) || (fs::exists(config.blobs, ignored) && !fs::is_empty(config.blobs, ignored))) {
    return Error{TEAL_INVALID, config.path + " or its folder of blobs is not empty; restore into a new folder"};
  }
  if (const auto error = files.Replace(restoring, "")) return Failed("write", restoring, error);
  for (const std::string& folder : {config.path + "/db", config.path + "/log", config.blobs}) {
    if (auto error = MakeFolder(files, folder)) return error;
  }
  std::set<std::string> blob_folders;
  for (const Listed& listed : list) {
    const bool is_blob = listed.name.starts_with("blobs/");
    const std::string to = is_blob ? config.blobs + listed.name.substr(5) : config.path + "/" + listed.name;
    if (is_blob && blob_folders.insert(to.substr(0, to.rfind('/'))).second) {
      if (auto error = MakeFolder(files, to.substr(0, to.rfind('/')))) return error;
    }
    Listed copied{listed.name};
    if (auto error = CopyFile(files, source + "/" + listed.name, to, copied)) return error;
    if (copied.size != listed.size || copied.crc != listed.crc) {
      return Error{TEAL_CORRUPT, source + "/" + listed.name + " is damaged; use another backup"};
    }
    if (is_blob) {
      const std::string folder = to.substr(0, to.rfind('/'));
      if (const auto error = files.SyncFolder(folder)) return Failed("sync", folder, error);
    }
  }
  if (const auto error = files.SyncFolder(config.path + "/db")) return Failed("sync", config.path + "/db", error);
  FormatFile format;
  format.id = RandomHex(16);
  format.log_salt = Random64();
  format.log_segment_bytes = kLogSegmentBytes;
  Log log(files, config.path + "/log", format.log_salt, format.log_segment_bytes);
  if (auto error = log.Make()) return error;
  const std::string path = config.path + "/FORMAT";
  if (const auto error = files.Replace(path, WriteFormat(format))) return Failed("write", path, error);
  if (const auto error = files.Remove(restoring)) return Failed("remove", restoring, error);
  return std::nullopt;
}

namespace {

teal_status TEAL_CALL Backup(teal_instance* instance, const teal_call* call, teal_bytes target) {
  return plugin::Take(call, instance->calls, [&](plugin::Done done) {
    if (target.size < 2 || target.data[0] != '/')
      return done.Fail({TEAL_INVALID, "give the backup's folder as a whole path"});
    OnWorker(*instance->backups, std::move(done), [instance, target](plugin::Done& ending) {
      if (const auto error = MakeBackup(instance, Copy(target))) return ending.Fail(*error);
      ending.Ok();
    });
  });
}

teal_status TEAL_CALL Restore(teal_bytes config_json, teal_bytes source, teal_error* error) {
  return plugin::GuardWithError(error, [&] {
    Config config;
    if (const auto wrong = ReadConfig(View(config_json), config)) return plugin::Give(error, *wrong);
    if (const auto wrong = RestoreBackup(config, Copy(source))) return plugin::Give(error, *wrong);
    return TEAL_OK;
  });
}

}  // namespace

const teal_backup kBackupTable = {sizeof(teal_backup), 0, Backup, Restore};

}  // namespace teal::local

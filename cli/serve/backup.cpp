#include "cli/serve/backup.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/program.h"
#include "cli/serve/ask.h"
#include "cli/serve/place.h"
#include "cli/serve/plugin_of.h"
#include "cli/serve/wiring.h"
#include "cli/version.h"
#include "core/host/backup.h"
#include "core/host/file.h"
#include "core/host/json.h"
#include "core/serve/keys.h"
#include "core/serve/text.h"

namespace teal::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kStore[] = "/store";
constexpr char kKeys[] = "/keys.json";
constexpr char kSummary[] = "/backup.json";
constexpr int kFormat = 1;
constexpr size_t kSummaryBytesMax = 64 << 10;
constexpr uint64_t kBackupNs = 3600 * kSecondNs;  // a large store is copied

Status MakeEmptyFolder(const std::string& folder) {
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_directory(folder, error)) {
    return Fail(FailureCode::kInvalid, folder + " is there and is no folder; name a new one");
  }
  if (fs::is_directory(folder, error) && !fs::is_empty(folder, error)) {
    return Fail(FailureCode::kInvalid, folder + " is not empty; name a new folder");
  }
  if (::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return Unit{};
  return Fail(FailureCode::kInvalid, "cannot make the folder " + folder + ": " + host::ErrnoText(errno));
}

// No file: nothing to copy.
Status CopyKeys(const std::string& from, const std::string& to) {
  const Result<std::string> keys = host::ReadSmallFile(from, serve::kKeysFileBytesMax);
  if (keys) return host::ReplaceFile(to, keys.value());
  return keys.failure().code == FailureCode::kNotFound ? Status(Unit{}) : Status(keys.failure());
}

// The memory that made the backup.
Result<std::string> ReadSummary(const std::string& folder) {
  const Result<std::string> text = host::ReadSmallFile(folder + kSummary, kSummaryBytesMax);
  if (!text) {
    return Fail(FailureCode::kNotFound,
                folder + " is no backup, or one that was cut short: it has no backup.json; use another");
  }
  const auto summary = nlohmann::json::parse(text.value(), nullptr, false);
  const Failure damaged = Fail(FailureCode::kCorrupt, folder + kSummary + " is damaged; use another backup");
  if (!summary.is_object() || !summary.contains("format") || !summary["format"].is_number_integer()) return damaged;
  if (summary["format"].get<int64_t>() > kFormat) {
    return Fail(FailureCode::kInvalid, folder + " is a backup of a newer teal; restore it with that");
  }
  if (!summary.contains("memory") || !summary["memory"].is_string()) return damaged;
  return summary["memory"].get<std::string>();
}

int Refuse(const Globals& globals, const Failure& failure) {
  ReportError(globals, failure.message, "");
  return failure.code == FailureCode::kNotFound ? kExitNotFound : kExitUsage;
}

int Tell(const Globals& globals, const std::string& folder) {
  if (globals.json) WriteAll(STDOUT_FILENO, "{\"folder\":" + serve::JsonOf(folder) + "}\n");
  return kExitDone;
}

// Of a host that does not run.
int BackUpHere(const Globals& globals, const HostFlags& flags, const std::string& folder) {
  const std::string project = ProjectFolder(globals);
  const std::string data = flags.data.empty() ? DataFolder(project) : host::AbsolutePath(flags.data);
  std::error_code error;
  if (!fs::is_directory(data + kStore, error)) {
    ReportError(globals, "no host runs, and " + data + " holds no store to back up",
                "name the folder with --data, or start the host");
    return kExitNotFound;
  }
  runtime::ProjectConfig config;
  if (!LoadConfig(globals, project + "/" + runtime::kConfigFileName, &config)) return kExitUsage;
  int code = kExitDone;
  const std::unique_ptr<HostedSessions> sessions = OpenSessions(globals, config, data, {}, Serving::kOneSession, &code);
  if (sessions == nullptr) return code;
  const Status status = WriteBackup(sessions->memory(), data, folder);
  return status ? Tell(globals, folder) : Refuse(globals, status.failure());
}

}  // namespace

Status WriteBackup(host::Instance& memory, const std::string& data, const std::string& folder) {
  if (Status made = MakeEmptyFolder(folder); !made) return made;
  if (Status copied = host::BackUpStore(memory, folder + kStore); !copied) return copied;
  if (Status copied = CopyKeys(KeysFile(data), folder + kKeys); !copied) return copied;
  const std::string summary = host::ToText({{"format", kFormat},
                                            {"memory", memory.plugin().id()},
                                            {"made", serve::FormatTime(host::SystemNowUnixNs())},
                                            {"teal", kTealVersion}});
  return host::ReplaceFile(folder + kSummary, summary + "\n");
}

Backups::~Backups() {
  if (thread_.joinable()) thread_.join();
}

void Backups::Make(std::string folder, std::function<void(const Status&)> done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (busy_) return done(Fail(FailureCode::kUnavailable, "another backup is being made; wait until it is done"));
  busy_ = true;
  if (thread_.joinable()) thread_.join();  // it is over
  thread_ = std::thread([this, folder = std::move(folder), done = std::move(done)] {
    const Status status = WriteBackup(memory_, data_, folder);
    {
      const std::lock_guard<std::mutex> over(mutex_);
      busy_ = false;
    }
    done(status);
  });
}

int Backup(const Globals& globals, const HostFlags& flags) {
  const std::string folder = host::AbsolutePath(flags.folder);
  Result<HostPlace> place = FindHost(globals);
  if (!place) {
    if (place.failure().code == FailureCode::kNotFound) return BackUpHere(globals, flags, folder);
    return Refuse(globals, place.failure());
  }
  Ask ask(globals, std::move(*place));
  const auto answer = ask.PostSlowly("/teal/v1/backup", "{\"folder\":" + serve::JsonOf(folder) + "}", "", kBackupNs);
  return answer ? Tell(globals, folder) : ask.code();
}

int Restore(const Globals& globals, const HostFlags& flags) {
  const std::string folder = host::AbsolutePath(flags.folder);
  const Result<std::string> memory = ReadSummary(folder);
  if (!memory) return Refuse(globals, memory.failure());
  const std::string project = ProjectFolder(globals);
  const std::string data = flags.data.empty() ? DataFolder(project) : host::AbsolutePath(flags.data);
  std::error_code error;
  if (fs::exists(data + kStore, error)) {
    ReportError(globals, data + " holds a store already, which stays as it is",
                "move the folder away first, or name another with --data");
    return kExitRefused;
  }
  if (const Status made = MakeOwnFolder(project); !made) return Refuse(globals, made.failure());
  if (::mkdir(data.c_str(), 0700) != 0 && errno != EEXIST) {
    ReportError(globals, "cannot make the folder " + data + ": " + host::ErrnoText(errno), "");
    return kExitUsage;
  }
  const Result<const host::Plugin*> plugin = PluginOf(globals, project, memory.value());
  if (!plugin) return Refuse(globals, plugin.failure());
  const std::string config = host::ToText({{"path", data + kStore}});
  Status restored = host::RestoreStore(*plugin.value(), config, folder + kStore);
  if (restored) restored = CopyKeys(folder + kKeys, KeysFile(data));
  return restored ? Tell(globals, data) : Refuse(globals, restored.failure());
}

}  // namespace teal::cli

#include "cli/serve/doctor_command.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "cli/program.h"
#include "cli/serve/place.h"
#include "cli/version.h"
#include "core/config/project.h"
#include "core/host/file.h"
#include "core/host/library_file.h"
#include "core/host/search.h"
#include "core/host/trust.h"
#include "core/runtime/config.h"
#include "core/serve/text.h"

namespace teal::cli {
namespace {

constexpr uint64_t kFreeBytesMin = 1 << 30;
constexpr double kSyncMsMax = 20;  // slower, and every step of a session is seen to wait
constexpr int kSyncs = 31;
constexpr rlim_t kDescriptorsMin = 4096;
constexpr uint64_t kHostSilenceNs = 3 * kSecondNs;

enum class Mark { kOk, kWarning, kError };

// What was found, a line each.
class Report {
 public:
  explicit Report(const Globals& globals) : globals_(globals) {}

  // hint: what to do; empty where all is well.
  void Add(Mark mark, const std::string& check, const std::string& found, const std::string& hint = "") {
    const char* const name = mark == Mark::kOk ? "ok" : mark == Mark::kWarning ? "warning" : "error";
    failed_ = failed_ || mark == Mark::kError;
    if (globals_.json) {
      std::printf("{\"check\":%s,\"status\":\"%s\",\"found\":%s,\"hint\":%s}\n", serve::JsonOf(check).c_str(), name,
                  serve::JsonOf(found).c_str(), hint.empty() ? "null" : serve::JsonOf(hint).c_str());
      return;
    }
    std::printf("%-8s %-12s %s\n", name, check.c_str(), found.c_str());
    if (!hint.empty()) std::printf("%-8s %-12s what to do: %s\n", "", "", hint.c_str());
  }
  bool failed() const { return failed_; }

 private:
  const Globals& globals_;
  bool failed_ = false;
};

std::string Number(double value, const char* unit) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), value < 10 ? "%.2f %s" : "%.0f %s", value, unit);
  return text.data();
}

void LookAtProject(const Globals& globals, const std::string& project, Report* report, runtime::ProjectConfig* config) {
  config->folder = project;
  struct stat there{};
  if (::stat((project + "/" + runtime::kConfigFileName).c_str(), &there) != 0) {
    return report->Add(Mark::kOk, "project", project + ", without a teal.yaml");
  }
  const config::Project read = config::ReadProject(project, globals.stage);
  if (!read.errors.empty()) {
    const config::Error& error = read.errors.front();
    return report->Add(
        Mark::kError, "project",
        error.file + ":" + std::to_string(error.line) + ":" + std::to_string(error.column) + ": " + error.message,
        error.hint);
  }
  *config = read.config;
  report->Add(Mark::kOk, "project", project + (globals.stage.empty() ? "" : ", stage " + globals.stage));
}

// What a program prints first, or why it does not.
Result<std::string> FirstLineOf(const std::vector<std::string>& words) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return Fail(FailureCode::kUnavailable, host::ErrnoText(errno));
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe[1], STDOUT_FILENO);
    ::dup2(pipe[1], STDERR_FILENO);
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(pipe[1]);
  std::string text;
  std::array<char, 256> piece{};
  for (ssize_t got = 0; (got = ::read(pipe[0], piece.data(), piece.size())) != 0;) {
    if (got < 0 && errno != EINTR) break;
    if (got > 0 && text.size() < piece.size()) text.append(piece.data(), static_cast<size_t>(got));
  }
  ::close(pipe[0]);
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) {
    return Fail(FailureCode::kUnavailable, words[0] + " cannot be run" + (text.empty() ? "" : ": " + text));
  }
  return text.substr(0, text.find('\n'));
}

void LookAtPython(const runtime::ProjectConfig& config, Report* report) {
  const std::string interpreter = runtime::InterpreterOf(config.interpreter, config.folder);
  const Result<std::string> version =
      FirstLineOf({interpreter, "-c",
                   "import sys; print('%d.%d.%d' % sys.version_info[:3] if sys.version_info >= (3, 8) else '')"});
  if (!version) {
    return report->Add(Mark::kError, "python", version.failure().message,
                       "install Python 3.8 or later, or name the interpreter as python: {interpreter: …} in teal.yaml");
  }
  if (version.value().empty()) {
    return report->Add(Mark::kError, "python", interpreter + " is older than 3.8", "install Python 3.8 or later");
  }
  report->Add(Mark::kOk, "python", interpreter + ", " + version.value());
}

void LookAtPlugins(const Globals& globals, const std::string& project, Report* report) {
  host::SearchOptions search;
  search.flags = globals.plugins;
  search.project_folder = project;
  host::TrustStore trust;
  if (const Result<std::string> path = host::TrustStore::DefaultPath(); path) {
    Result<host::TrustStore> read = host::TrustStore::Read(path.value());
    if (!read) return report->Add(Mark::kError, "plugins", read.failure().message, "correct or remove the file");
    trust = std::move(*read);
  }
  bool any_local = false;
  for (const host::FoundPlugin& found : host::FindPlugins(host::SearchPath(search))) {
    if (found.shadowed) continue;
    if (!found.manifest) {
      report->Add(Mark::kWarning, "plugin", found.path + ": " + found.manifest.failure().message,
                  "correct or remove its manifest");
      continue;
    }
    const host::Manifest& manifest = found.manifest.value();
    const Result<host::LibraryFile> file =
        host::CheckLibrary(manifest, host::NeedsTrust(found.origin) ? &trust : nullptr);
    if (!file) {
      report->Add(Mark::kWarning, "plugin", manifest.id + ": " + file.failure().message,
                  "see teal plugin info " + manifest.id);
      continue;
    }
    any_local = any_local || manifest.id == "local";
    report->Add(Mark::kOk, "plugin", manifest.id + " " + manifest.version);
  }
  if (!any_local) {
    report->Add(Mark::kError, "plugin", "there is no plugin local, which keeps sessions on this machine",
                "it comes with teal; install teal again");
  }
}

// The p50 of 300 bytes and a sync, in ms, into the folder; negative: it cannot be written.
double SyncMs(const std::string& folder) {
  std::string path = folder + "/.doctor-XXXXXX";
  const int file = ::mkostemp(path.data(), O_CLOEXEC);
  if (file < 0) return -1;
  ::unlink(path.c_str());
  const std::string data(300, 'x');
  std::vector<double> taken;
  bool good = ::ftruncate(file, 1 << 20) == 0 && ::fsync(file) == 0;
  for (int i = 0; good && i < kSyncs; ++i) {
    const auto begun = std::chrono::steady_clock::now();
    good = ::pwrite(file, data.data(), data.size(), i * 300) == 300 && ::fdatasync(file) == 0;
    taken.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count());
  }
  ::close(file);
  if (!good) return -1;
  std::nth_element(taken.begin(), taken.begin() + kSyncs / 2, taken.end());
  return taken[kSyncs / 2];
}

void LookAtDisk(const std::string& project, const std::string& data, Report* report) {
  struct stat there{};
  const std::string folder = ::stat(data.c_str(), &there) == 0 ? data : project;
  struct statvfs disk{};
  if (::statvfs(folder.c_str(), &disk) != 0) {
    return report->Add(Mark::kError, "disk", folder + ": " + host::ErrnoText(errno), "make the folder");
  }
  const uint64_t free = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  const std::string room = Number(static_cast<double>(free) / (1 << 30), "GiB free");
  const double sync_ms = SyncMs(folder);
  if (sync_ms < 0) {
    return report->Add(Mark::kError, "disk", folder + " cannot be written: " + host::ErrnoText(errno),
                       "let the user who runs teal write it");
  }
  const std::string found = folder + ": " + room + ", a synced write takes " + Number(sync_ms, "ms");
  if (free < kFreeBytesMin) {
    report->Add(Mark::kWarning, "disk", found, "free some room: a full disk stops all sessions until there is some");
  } else if (sync_ms > kSyncMsMax) {
    report->Add(Mark::kWarning, "disk", found, "every step waits for a synced write: put the data on a faster disk");
  } else {
    report->Add(Mark::kOk, "disk", found);
  }
}

void LookAtMachine(Report* report) {
  timex clock{};
  const int state = ::adjtimex(&clock);
  if (state == TIME_ERROR || (clock.status & STA_UNSYNC) != 0) {
    report->Add(Mark::kWarning, "clock", "the system does not say that it follows a time server",
                "run chrony or systemd-timesyncd: timers and schedules are as good as the clock");
  } else {
    report->Add(Mark::kOk, "clock", "follows a time server");
  }
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  const std::string most = files.rlim_max == RLIM_INFINITY ? "unlimited" : std::to_string(files.rlim_max);
  if (files.rlim_max < kDescriptorsMin) {
    report->Add(Mark::kWarning, "limits", "open files: " + most,
                "raise the hard limit (ulimit -Hn): each connection of the host is one");
  } else {
    report->Add(Mark::kOk, "limits", "open files: " + most);
  }
}

void LookAtHost(const Globals& globals, Report* report) {
  const Result<HostPlace> place = FindHost(globals);
  if (!place && place.failure().code == FailureCode::kNotFound) {
    return report->Add(Mark::kOk, "host", "none runs for this project");
  }
  if (!place) return report->Add(Mark::kError, "host", place.failure().message, "correct TEAL_HOST or the host's file");
  const HostAddress& address = place.value().address;
  const std::string name = (address.tls ? "https://" : "http://") + address.host + ":" + address.port;
  HttpClient client(address);
  HttpRequest request;
  request.target = "/teal/v1/sessions?limit=1";
  request.silence_ns_max = kHostSilenceNs;
  if (!place.value().key.empty()) request.headers.emplace_back("x-teal-key", place.value().key);
  const Result<HttpResponse> answer = client.Call(request);
  if (!answer) {
    return report->Add(Mark::kError, "host", name + ": " + answer.failure().message,
                       "start it with teal serve; if it was killed, its file in .teal is stale and goes then");
  }
  if (answer.value().status == 401 || answer.value().status == 403) {
    return report->Add(Mark::kError, "host", name + " does not take the key",
                       "give a good one with --key or TEAL_KEY; teal keys list shows which there are");
  }
  if (answer.value().status != 200) {
    return report->Add(Mark::kError, "host", name + " answers " + std::to_string(answer.value().status),
                       "see what it wrote to standard error");
  }
  report->Add(Mark::kOk, "host", name + " answers");
}

}  // namespace

int Doctor(const Globals& globals, const HostFlags& flags) {
  Report report(globals);
  const std::string project = ProjectFolder(globals);
  runtime::ProjectConfig config;
  report.Add(Mark::kOk, "teal", kTealVersion);
  LookAtProject(globals, project, &report, &config);
  LookAtPython(config, &report);
  LookAtPlugins(globals, project, &report);
  LookAtDisk(project, flags.data.empty() ? DataFolder(project) : flags.data, &report);
  LookAtMachine(&report);
  LookAtHost(globals, &report);
  return report.failed() ? kExitFailed : kExitDone;
}

}  // namespace teal::cli

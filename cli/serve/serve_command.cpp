#include "cli/serve/serve_command.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/serve/backup.h"
#include "cli/serve/hosted_triggers.h"
#include "cli/serve/place.h"
#include "cli/serve/reload.h"
#include "cli/serve/wiring.h"
#include "core/host/file.h"
#include "core/serve/server.h"

namespace teal::cli {
namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(300);  // teal dev, for changes
constexpr uint32_t kOtherDescriptors = 512;                  // files of the store, workers

int Refuse(const Globals& globals, const Failure& failure) {
  ReportError(globals, failure.message, "");
  return failure.code == FailureCode::kUnavailable ? kExitUnreachable : kExitUsage;
}

int NoProgram(const Globals& globals) {
  ReportError(
      globals, "which program?",
      "name it, as in teal serve service.tl, or write main: service.tl into teal.yaml; teal serve --empty begins "
      "without one");
  return kExitUsage;
}

// The program to serve, and the project's config. An exit code; *file empty: the program that was activated last.
int FindProgram(const Globals& globals, const HostFlags& flags, bool reloads, std::string* file,
                runtime::ProjectConfig* config) {
  *file = flags.file;
  if (!file->empty()) return kExitDone;
  const std::string project = ProjectFolder(globals);
  if (!LoadConfig(globals, project + "/" + runtime::kConfigFileName, config)) return kExitUsage;
  if (!config->main.empty()) *file = config->folder + "/" + config->main;
  if (!file->empty() || flags.empty) return kExitDone;
  std::error_code error;
  const std::string data = flags.data.empty() ? DataFolder(project) : host::AbsolutePath(flags.data);
  if (!reloads && std::filesystem::exists(data + "/store", error)) return kExitDone;
  return NoProgram(globals);
}

bool ReadListen(const Globals& globals, const HostFlags& flags, serve::ServerOptions* options) {
  if (flags.port >= 0) {
    options->port = static_cast<uint16_t>(flags.port);
    return true;
  }
  const size_t colon = flags.listen.rfind(':');
  const std::string port = colon == std::string::npos ? "" : flags.listen.substr(colon + 1);
  std::string address = flags.listen.substr(0, colon);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), options->port);
  if (!port.empty() && error == std::errc() && end == port.data() + port.size() && !address.empty()) {
    options->address = address;
    return true;
  }
  ReportError(globals, "--listen " + flags.listen + " is no address and port", "write --listen 127.0.0.1:8787");
  return false;
}

bool MakeFolder(const Globals& globals, const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return true;
  ReportError(globals, "cannot make the folder " + folder + ": " + host::ErrnoText(errno),
              "its parent must be there and writable");
  return false;
}

// A connection is a descriptor: takes as many as the system lets.
void FitToDescriptors(serve::ServeLimits* limits) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  const rlim_t room = files.rlim_cur > 2 * kOtherDescriptors ? files.rlim_cur - kOtherDescriptors : files.rlim_cur / 2;
  limits->connections_max = static_cast<uint32_t>(std::min<rlim_t>(limits->connections_max, room));
}

// Counts signals; the first is waited for, the second ends the process.
class StopSignal {
 public:
  explicit StopSignal(std::string project)
      : project_(std::move(project)), interrupt_([this](int times) { On(times); }) {}
  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return come_; });
  }
  // True: it has come.
  bool WaitFor(std::chrono::milliseconds time) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, time, [this] { return come_; });
  }

 private:
  void On(int times) {
    if (times > 1) {
      // What was acknowledged is durable; what was not, nobody was promised.
      RemoveHostFile(project_);
      _exit(kExitInterrupted);
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    come_ = true;
    changed_.notify_all();
  }

  const std::string project_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool come_ = false;  // guarded by mutex_
  Interrupt interrupt_;
};

}  // namespace

int Serve(const Globals& globals, const HostFlags& flags, bool reloads) {
  if (flags.debug || flags.time_skip) {
    ReportError(globals, std::string(flags.debug ? "--debug" : "--time-skip") + " is not in this version",
                "leave it out");
    return kExitUsage;
  }
  serve::ServerOptions options;
  if (!ReadListen(globals, flags, &options)) return kExitUsage;
  options.tls_certificate_file = flags.tls_certificate;
  options.tls_key_file = flags.tls_key;
  options.allowed_hosts = flags.allowed_hosts;
  FitToDescriptors(&options.limits);
  std::string file;
  LoadedProgram loaded;
  if (const int code = FindProgram(globals, flags, reloads, &file, &loaded.config); code != kExitDone) return code;
  if (!file.empty()) {
    if (const int code = LoadProgram(globals, file, &loaded); code != kExitDone) return code;
  }

  const std::string project = loaded.config.folder;
  const std::string data = flags.data.empty() ? DataFolder(project) : host::AbsolutePath(flags.data);
  if (const Status made = MakeOwnFolder(project); !made) return Refuse(globals, made.failure());
  if (!MakeFolder(globals, data)) return kExitUsage;
  const Result<std::string> key = serve::ReadOrMakeKey(KeyFile(project));
  if (!key) return Refuse(globals, key.failure());
  const Result<std::unique_ptr<serve::KeyRing>> keys = serve::KeyRing::Open(key.value(), KeysFile(data));
  if (!keys) return Refuse(globals, keys.failure());

  ::signal(SIGPIPE, SIG_IGN);
  // Where steps in Python find the buckets of s3 triggers: workers get the host's environment.
  ::setenv("TEAL_BUCKETS", host::AbsolutePath(project + "/.teal/buckets").c_str(), 1);
  StopSignal stop(project);  // before any other thread is there
  int code = kExitDone;
  const runtime::ProjectConfig config = loaded.config;
  const std::unique_ptr<HostedSessions> sessions = OpenSessions(
      globals, config, data, {flags.memory, flags.memory_config, flags.lease_seconds}, Serving::kAll, &code);
  if (sessions == nullptr) return code;
  Reloader reloader(globals, file, sessions.get());
  if (!file.empty()) {
    code = reloader.Begin(std::move(loaded));
    if (code != kExitDone) return code;
  } else if (const Status newest = sessions->UseNewest(); !newest) {
    if (newest.failure().code != FailureCode::kNotFound) return Refuse(globals, newest.failure());
    if (!flags.empty) return NoProgram(globals);
  }
  const std::unique_ptr<HostedTriggers> triggers =
      HostedTriggers::Open(globals, project, data, sessions.get(), keys.value().get());
  if (triggers == nullptr) return kExitUsage;
  options.triggers = triggers->service();
  options.requests = triggers->requests();
  Backups backups(&sessions->memory(), data);
  options.back_up = [&backups](std::string folder, auto done) { backups.Make(std::move(folder), std::move(done)); };
  Result<std::unique_ptr<serve::Server>> server =
      serve::Server::Start(std::move(options), &sessions->service(), keys.value().get());
  if (!server) {
    sessions->Stop();
    return Refuse(globals, server.failure());
  }
  if (const int applied = triggers->Apply(); applied != kExitDone) {
    triggers->Stop();
    server.value().reset();
    sessions->Stop();
    return applied;
  }
  if (const Status written = WriteHostFile(project, server.value()->Url(), flags.tls_certificate); !written) {
    triggers->Stop();
    server.value().reset();
    sessions->Stop();
    return Refuse(globals, written.failure());
  }
  WriteAll(STDOUT_FILENO, "ready " + server.value()->Url() + "\n");
  if (reloads) {
    while (!stop.WaitFor(kLookEvery)) {
      if (reloader.Look()) triggers->Apply();
    }
  }
  stop.Wait();
  sessions->WillStop();
  if (!globals.quiet)
    WriteAll(STDERR_FILENO, "teal: stopping; what is under way ends first, a second signal stops at once\n");
  triggers->Stop();
  server.value()->Drain();
  RemoveHostFile(project);
  server.value().reset();
  sessions->Stop();
  return kExitDone;
}

}  // namespace teal::cli

#include "core/serve/python_environment.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "core/base/sha256.h"
#include "core/host/file.h"
#include "core/serve/package_folder.h"

namespace teal::serve {
namespace {

constexpr auto kLongest = std::chrono::minutes(10);  // of one command
constexpr size_t kToldBytes = 2'000;                 // of what it said
constexpr size_t kLogBytesMax = 16 << 20;
// What tells one interpreter from another.
constexpr char kWhoAreYou[] = "import sys; print(sys.version, sys.platform, sys.base_prefix)";
constexpr char kWhole[] = "/teal-whole";  // the file that says that an environment is

struct SpawnFiles {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnFiles() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnFiles() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
};

std::string LogText(const std::string& log) {
  const Result<std::string> text = host::ReadSmallFile(log, kLogBytesMax);
  return text ? text.value() : "";
}

}  // namespace

Status PythonEnvironments::Run(const std::vector<std::string>& words, const std::string& log, const std::string& what) {
  SpawnFiles spawn;
  posix_spawn_file_actions_addopen(&spawn.actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&spawn.actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&spawn.actions, 1, 2);
  // A lock file is all there is: paths in it count from nowhere.
  posix_spawn_file_actions_addchdir_np(&spawn.actions, "/");
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&spawn.attributes, &none);
  posix_spawnattr_setsigdefault(&spawn.attributes, &all);
  posix_spawnattr_setpgroup(&spawn.attributes, 0);
  posix_spawnattr_setflags(&spawn.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, arguments[0], &spawn.actions, &spawn.attributes, arguments.data(), environ);
  if (error != 0) {
    return Fail(FailureCode::kUnavailable, what + ": " + words[0] + " cannot be run: " + host::ErrnoText(error));
  }
  const auto end = std::chrono::steady_clock::now() + kLongest;
  int status = 0;
  for (;;) {
    const pid_t got = ::waitpid(pid, &status, WNOHANG);
    if (got == pid) break;
    const bool late = std::chrono::steady_clock::now() > end;
    if (late || stopped_) {
      ::kill(-pid, SIGKILL);
      ::waitpid(pid, &status, 0);
      return Fail(FailureCode::kUnavailable, what + (late ? " took longer than 10 minutes" : " was broken off"));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Unit{};
  std::string said = LogText(log);
  if (said.size() > kToldBytes) said = "…" + said.substr(said.size() - kToldBytes);
  while (!said.empty() && said.back() == '\n') said.pop_back();
  return Fail(FailureCode::kUnavailable, what + " failed:\n" + said);
}

Result<std::string> PythonEnvironments::Provide(const std::string& requirements, const std::string& interpreter) {
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) {
    return Fail(FailureCode::kUnavailable, folder_ + ": cannot be made: " + host::ErrnoText(errno));
  }
  const std::string log = folder_ + "/failed.log";
  if (Status asked = Run({interpreter, "-c", kWhoAreYou}, log, "asking Python who it is"); !asked)
    return asked.failure();
  const Sha256 hash = Sha256Of("teal python 1\n" + Hex(Sha256Of(requirements)) + "\n" + LogText(log));
  const std::string folder = folder_ + "/" + Hex(hash);
  const std::string python = folder + "/bin/python";
  const Result<std::string> whole = host::ReadSmallFile(folder + kWhole, kLogBytesMax);
  if (whole && whole.value() == requirements && ::access(python.c_str(), X_OK) == 0) {
    ::unlink(log.c_str());
    return python;
  }
  // Scripts in it name its folder, so it cannot be moved into place: what makes it whole is the file that is written
  // last, and what is not whole is made anew.
  RemoveTree(folder);
  Status done = Run({interpreter, "-m", "venv", folder}, log, "making a virtual environment (python -m venv)");
  if (done) done = host::ReplaceFile(folder + "/requirements.txt", requirements);
  if (done) {
    done = Run({python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r",
                folder + "/requirements.txt"},
               log, "installing the requirements (pip install -r)");
  }
  if (done) done = host::ReplaceFile(folder + kWhole, requirements);
  if (!done) {
    RemoveTree(folder);
    return done.failure();
  }
  ::unlink(log.c_str());
  return python;
}

}  // namespace teal::serve

#include "core/config/secret_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <chrono>

#include "core/config/reference.h"

namespace teal::config {
namespace {

using std::chrono::steady_clock;

// Reads to the end; the reason if that is not reached.
std::string ReadAll(int fd, steady_clock::time_point until, std::string* text) {
  char buffer[4096];
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - steady_clock::now()).count();
    pollfd one{fd, POLLIN, 0};
    const int ready = left <= 0 ? 0 : ::poll(&one, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return "took longer than " + std::to_string(kSecretCommandSecondsMax) + " s";
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text->append(buffer, static_cast<size_t>(n));
    if (text->size() > kSecretBytesMax) return "printed more than 64 KiB";
  }
  ::explicit_bzero(buffer, sizeof buffer);
  return "";
}

}  // namespace

Result<std::string> RunSecretCommand(const std::vector<std::string>& words, const std::string& folder) {
  assert(!words.empty());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Fail(FailureCode::kUnavailable, "cannot be run: no descriptor is left");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);  // what it starts ends with it
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    return Fail(FailureCode::kNotFound, "cannot be run: " + words[0] + ": " + ::strerror(error));
  }
  std::string text;
  const auto until = steady_clock::now() + std::chrono::seconds(kSecretCommandSecondsMax);
  std::string wrong = ReadAll(ends[0], until, &text);
  ::close(ends[0]);
  if (!wrong.empty()) ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (wrong.empty() && WIFSIGNALED(status)) wrong = "was ended by signal " + std::to_string(WTERMSIG(status));
  if (wrong.empty() && WEXITSTATUS(status) != 0) wrong = "ended with exit code " + std::to_string(WEXITSTATUS(status));
  if (!wrong.empty()) {
    ::explicit_bzero(text.data(), text.size());
    return Fail(FailureCode::kUnavailable, wrong);
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  if (!text.empty() && text.back() == '\r') text.pop_back();
  return text;
}

}  // namespace teal::config

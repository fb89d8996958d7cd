#include "core/kit/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

extern char** environ;

namespace teal::kit {
namespace {

constexpr int kBoardDescriptor = 3;
constexpr int kSharedDescriptor = 4;

// This executable by its name: under a tool such as valgrind /proc/self/exe is the tool.
const std::string& Executable() {
  static const std::string path = [] {
    std::array<char, 4096> target{};
    const ssize_t size = ::readlink("/proc/self/exe", target.data(), target.size() - 1);
    return size > 0 ? std::string(target.data()) : std::string("/proc/self/exe");
  }();
  return path;
}

std::string Tail(const std::string& text, std::size_t bytes_max) {
  return text.size() <= bytes_max ? text : "…" + text.substr(text.size() - bytes_max);
}

}  // namespace

std::string Describe(const Ending& ending) {
  if (WIFSIGNALED(ending.wait_status)) {
    const int signal = WTERMSIG(ending.wait_status);
    return Text("killed by signal ", signal, " (", ::strsignal(signal), ")");
  }
  return Text("exit code ", WEXITSTATUS(ending.wait_status));
}

Process::Process(Options options, bool own_group) : own_group_(own_group) {
  board_file_ = MakeBoard();
  output_ = ::memfd_create("teal-plugin-check output", MFD_CLOEXEC);
  if (board_file_ < 0 || output_ < 0 || (board_ = MapBoard(board_file_)) == nullptr) {
    error_ = Text("cannot make shared memory: ", std::strerror(errno));
    return;
  }
  // dup2 onto itself would leave close-on-exec set, so what is handed on is first moved out of the way.
  const int board = ::fcntl(board_file_, F_DUPFD_CLOEXEC, 10);
  const int shared = options.shared < 0 ? -1 : ::fcntl(options.shared, F_DUPFD_CLOEXEC, 10);
  options.board = kBoardDescriptor;
  options.shared = shared < 0 ? -1 : kSharedDescriptor;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, output_, 1);
  ::posix_spawn_file_actions_adddup2(&actions, output_, 2);
  ::posix_spawn_file_actions_adddup2(&actions, board, kBoardDescriptor);
  if (shared >= 0) ::posix_spawn_file_actions_adddup2(&actions, shared, kSharedDescriptor);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  if (own_group) {
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    ::posix_spawnattr_setpgroup(&attributes, 0);
  }
  std::vector<std::string> arguments = ArgumentsFor(options);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int code = ::posix_spawn(&pid_, Executable().c_str(), &actions, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(board);
  if (shared >= 0) ::close(shared);
  if (code != 0) {
    pid_ = -1;
    error_ = Text("cannot start a process for the test: ", std::strerror(code));
  }
}

Process::~Process() {
  if (pid_ > 0 && !ended_) {
    Kill();
    Wait(10);
  }
  if (board_ != nullptr) ::munmap(board_, sizeof(Board));
  if (board_file_ >= 0) ::close(board_file_);
  if (output_ >= 0) ::close(output_);
}

bool Process::Running() {
  if (ended_ || pid_ <= 0) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == pid_) {
    ended_ = true;
    ending_.wait_status = status;
  }
  return !ended_;
}

Ending Process::Wait(int timeout_s) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(timeout_s);
  auto pause = std::chrono::microseconds(200);
  while (Running()) {
    if (std::chrono::steady_clock::now() >= until) {
      ending_.timed_out = true;
      Kill();
      int status = 0;
      ::waitpid(pid_, &status, 0);
      ended_ = true;
      ending_.wait_status = status;
      break;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(20'000));
  }
  // Whatever the test's process started and left behind goes with it.
  if (own_group_ && pid_ > 0) ::kill(-pid_, SIGKILL);
  return ending_;
}

void Process::Kill() {
  if (pid_ <= 0 || ended_) return;
  ::kill(own_group_ ? -pid_ : pid_, SIGKILL);
}

std::string Process::Output(std::size_t bytes_max) const {
  std::string text;
  std::array<char, 4096> piece{};
  off_t at = 0;
  for (;;) {
    const ssize_t got = ::pread(output_, piece.data(), piece.size(), at);
    if (got <= 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
    at += got;
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return Tail(text, bytes_max);
}

Finding Judge(Process& process, int timeout_s) {
  if (!process.error().empty()) return {Result::kFailed, process.error()};
  const Ending ending = process.Wait(timeout_s);
  const Board& board = process.board();
  Finding found{board.result.load(), {board.detail, ::strnlen(board.detail, Board::kDetailBytes)}};
  if (found.result == Result::kNone) {
    found.result = Result::kFailed;
    found.detail = ending.timed_out ? Text("the test's process hung: killed after ", timeout_s, " s")
                                    : Text("the plugin's process ended: ", Describe(ending));
    const std::string output = process.Output(600);
    if (!output.empty()) found.detail += "\nit wrote: " + output;
  }
  if (found.result == Result::kFailed) {
    const std::string journal = Journal(board, 12);
    if (!journal.empty()) found.detail += "\nlast calls:\n" + journal;
  }
  return found;
}

}  // namespace teal::kit

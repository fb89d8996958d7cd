#include "core/runtime/worker_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "core/runtime/worker_marshal.h"
#include "core/runtime/worker_script.h"

namespace teal::runtime {

namespace {

constexpr int kChildSocket = 3;
constexpr int kChildShared = 4;
constexpr size_t kSharedBytes = 4096;  // of progress; the script follows

// Reads the script behind the shared words and runs it under its own name, so that tracebacks are readable.
constexpr char kBootstrap[] =
    "import os\n"
    "n = os.fstat(4).st_size\n"
    "s = os.pread(4, n, 4096)\n"
    "while len(s) < n - 4096: s += os.pread(4, n, 4096 + len(s))\n"
    "exec(compile(s, 'teal_worker.py', 'exec'), {'__name__': '__main__', '__file__': 'teal_worker.py'})\n";

Failure SystemFailure(const std::string& what, int error) {
  return Fail(FailureCode::kUnavailable, what + ": " + std::strerror(error));
}

// The memory shared with the child: a page of progress, then the script.
Result<Fd> MakeShared() {
  Fd fd(memfd_create("teal-worker", MFD_CLOEXEC));
  if (!fd.valid()) return SystemFailure("cannot make shared memory for a Python worker", errno);
  if (ftruncate(fd.get(), static_cast<off_t>(kSharedBytes + kWorkerScript.size())) != 0) {
    return SystemFailure("cannot size the shared memory of a Python worker", errno);
  }
  size_t done = 0;
  while (done < kWorkerScript.size()) {
    const ssize_t n = pwrite(fd.get(), kWorkerScript.data() + done, kWorkerScript.size() - done,
                             static_cast<off_t>(kSharedBytes + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return SystemFailure("cannot write the script of a Python worker", errno);
    done += static_cast<size_t>(n);
  }
  return fd;
}

// posix_spawn's two argument objects, destroyed on every path.
struct SpawnArguments {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnArguments() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnArguments() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
};

// A copy of `fd` above the numbers that the child's file actions write to, so that none overwrites another's source.
Fd MovedUp(const Fd& fd) {
  return Fd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 10));
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = other.fd_;
    other.fd_ = -1;
  }
  return *this;
}

void Fd::Reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::Spawn(const WorkerProcessOptions& options) {
  std::unique_ptr<WorkerProcess> process(new WorkerProcess());
  int pair[2], out[2], err[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    return SystemFailure("cannot make a socket pair", errno);
  process->socket_ = Fd(pair[0]);
  const Fd child_socket = MovedUp(Fd(pair[1]));
  if (pipe2(out, O_CLOEXEC) != 0) return SystemFailure("cannot make a pipe", errno);
  process->stdout_ = Fd(out[0]);
  const Fd child_out = MovedUp(Fd(out[1]));
  if (pipe2(err, O_CLOEXEC) != 0) return SystemFailure("cannot make a pipe", errno);
  process->stderr_ = Fd(err[0]);
  const Fd child_err = MovedUp(Fd(err[1]));
  // Only the host's ends: the child's are blocking.
  for (const int fd : {pair[0], out[0], err[0]}) fcntl(fd, F_SETFL, O_NONBLOCK);

  Result<Fd> shared = MakeShared();
  if (!shared) return shared.failure();
  process->shared_ = mmap(nullptr, kSharedBytes, PROT_READ, MAP_SHARED, shared->get(), 0);
  if (process->shared_ == MAP_FAILED) {
    process->shared_ = nullptr;
    return SystemFailure("cannot map the shared memory of a Python worker", errno);
  }
  const Fd child_shared = MovedUp(*shared);
  if (!child_socket.valid() || !child_out.valid() || !child_err.valid() || !child_shared.valid()) {
    return SystemFailure("cannot start a Python worker, too many open files", errno);
  }

  SpawnArguments spawn;
  posix_spawn_file_actions_addopen(&spawn.actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&spawn.actions, child_out.get(), 1);
  posix_spawn_file_actions_adddup2(&spawn.actions, child_err.get(), 2);
  posix_spawn_file_actions_adddup2(&spawn.actions, child_socket.get(), kChildSocket);
  posix_spawn_file_actions_adddup2(&spawn.actions, child_shared.get(), kChildShared);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&spawn.attributes, &none);
  posix_spawnattr_setsigdefault(&spawn.attributes, &all);
  posix_spawnattr_setpgroup(&spawn.attributes, 0);
  posix_spawnattr_setflags(&spawn.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

  std::string interpreter = options.interpreter, flag = "-c", bootstrap = kBootstrap;
  char* const arguments[] = {interpreter.data(), flag.data(), bootstrap.data(), nullptr};
  std::vector<std::string> environment = options.environment;
  std::vector<char*> environment_pointers;
  for (std::string& variable : environment) environment_pointers.push_back(variable.data());
  environment_pointers.push_back(nullptr);
  const int error = posix_spawnp(&process->pid_, interpreter.c_str(), &spawn.actions, &spawn.attributes, arguments,
                                 environment_pointers.data());
  if (error != 0) {
    process->pid_ = -1;
    return SystemFailure("cannot start the Python interpreter `" + interpreter + "`", error);
  }
  process->pid_fd_ = Fd(static_cast<int>(syscall(SYS_pidfd_open, process->pid_, 0)));
  if (!process->pid_fd_.valid()) return SystemFailure("cannot watch a Python worker (pidfd_open)", errno);
  return process;
}

WorkerProcess::~WorkerProcess() {
  if (pid_ > 0 && !reaped_) {
    Kill();
    while (waitpid(pid_, &wait_status_, 0) < 0 && errno == EINTR) {
    }
  }
  if (shared_ != nullptr) munmap(shared_, kSharedBytes);
}

WorkerProgress WorkerProcess::Progress() const {
  // The worker writes each word in one store, the time before the id: so an id that is the same before and after the
  // time was read belongs to that time or to an earlier one.
  auto* words = static_cast<uint64_t*>(shared_);
  const auto load = [words](size_t i) { return __atomic_load_n(words + i, __ATOMIC_ACQUIRE); };
  WorkerProgress progress;
  do {
    progress.def_begun = load(0);
    progress.def_begun_at = std::bit_cast<double>(load(1));
  } while (progress.def_begun != load(0));
  progress.coroutine_begun = load(2);
  return progress;
}

void WorkerProcess::Kill() {
  if (pid_ <= 0 || reaped_) return;
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);
}

bool WorkerProcess::Reap() {
  if (reaped_) return true;
  const pid_t got = waitpid(pid_, &wait_status_, WNOHANG);
  if (got != pid_) return false;
  kill(-pid_, SIGKILL);  // what it left running in its group
  reaped_ = true;
  return true;
}

std::string WorkerProcess::HowItEnded() const {
  assert(reaped_);
  if (WIFEXITED(wait_status_)) return "ended with exit status " + std::to_string(WEXITSTATUS(wait_status_));
  const int number = WTERMSIG(wait_status_);
  const char* const name = sigabbrev_np(number);
  return "was killed by signal " + std::to_string(number) + (name != nullptr ? " (SIG" + std::string(name) + ")" : "");
}

int WorkerProcess::exit_status() const {
  assert(reaped_);
  return WIFEXITED(wait_status_) ? WEXITSTATUS(wait_status_) : -1;
}

bool WorkerProcess::ReadRaw(int fd, std::string* bytes) {
  char buffer[16384];
  // A bounded number of turns: a process that writes without end must not keep the caller here.
  for (int turn = 0; turn < 16; turn++) {
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) return false;
    bytes->append(buffer, static_cast<size_t>(n));
    tail_.append(buffer, static_cast<size_t>(n));
    if (tail_.size() > kOutputTailBytes) tail_.erase(0, tail_.size() - kOutputTailBytes);
  }
  return true;
}

std::string WorkerProcess::OutputTail() const {
  return ToUtf8(tail_);
}

}  // namespace teal::runtime

// One Python worker as the system sees it: the process, its socket, its two output pipes, and the memory it shares
// with the host. Knows nothing of messages. Not synchronised, except that the words of progress may be read while the
// process writes them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace teal::runtime {

// A file descriptor, closed with its owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { Reset(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void Reset();

 private:
  int fd_ = -1;
};

struct WorkerProcessOptions {
  std::string interpreter;               // a path, or a name looked up in PATH
  std::vector<std::string> environment;  // "NAME=value", the whole of it
};

// The exit status of a worker that has lost its socket.
inline constexpr int kWorkerExitDisconnected = 3;

// What the worker says in shared memory; docs/formats/worker-protocol.md, "Progress".
struct WorkerProgress {
  uint64_t def_begun = 0;        // id of the last `def` call begun, 0: none
  double def_begun_at = 0;       // CLOCK_MONOTONIC seconds
  uint64_t coroutine_begun = 0;  // id of the last coroutine begun, 0: none
};

class WorkerProcess {
 public:
  static constexpr size_t kOutputTailBytes = 4096;

  // Starts the interpreter on the embedded worker script, in a process group of its own, with no signal blocked.
  // kUnavailable if the interpreter cannot be started.
  static Result<std::unique_ptr<WorkerProcess>> Spawn(const WorkerProcessOptions& options);
  // Kills the process if it still runs, and reaps it.
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  pid_t pid() const { return pid_; }
  int socket() const { return socket_.get(); }  // non-blocking
  int raw_stdout() const { return stdout_.get(); }
  int raw_stderr() const { return stderr_.get(); }
  int pid_fd() const { return pid_fd_.get(); }  // readable once the process has ended

  WorkerProgress Progress() const;

  // SIGKILL to the process and all that it started in its group. Harmless when it has ended.
  void Kill();
  // Reaps the process. True once it has ended; never blocks.
  bool Reap();
  bool ended() const { return reaped_; }
  // Precondition: ended(). "exit status 1", "killed by signal 9 (SIGKILL)".
  std::string HowItEnded() const;
  int exit_status() const;  // -1: ended by a signal

  // Reads what is there of the raw output `fd` (one of the two pipes) and gives it; keeps the tail of both. False at
  // the end of the pipe.
  bool ReadRaw(int fd, std::string* bytes);
  // The last 4 KiB of what the process wrote to its pipes itself, as UTF-8.
  std::string OutputTail() const;

 private:
  WorkerProcess() = default;

  pid_t pid_ = -1;
  bool reaped_ = false;
  int wait_status_ = 0;
  Fd socket_, stdout_, stderr_, pid_fd_;
  void* shared_ = nullptr;
  std::string tail_;
};

}  // namespace teal::runtime

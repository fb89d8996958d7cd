// A pool of Python processes that run the foreign functions of one program.
//
// Processes are started when they are needed and then kept. Calls of `def` functions wait in one queue; each process
// runs one of them at a time and is given a few more in advance, about a millisecond's worth, so that it need not wait
// between them. Calls of `async def` functions go out at once and run concurrently in their process.
//
// What has begun is known exactly: a call that had not begun when its process ended runs in another one and nobody
// notices. One that had begun is never run again by the pool: its outcome says so, and the caller decides.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/runtime/worker_messages.h"

namespace teal::runtime {

struct WorkerPoolOptions {
  std::string interpreter = "python3";               // a path, or a name looked up in PATH
  std::string project_folder;                        // absolute; first in sys.path
  std::vector<WorkerModule> modules;                 // what may be called
  std::vector<std::string> environment;              // "NAME=value", the whole environment of the processes
  int processes_max = 0;                             // 0: as many as the machine has cores
  int pipelined_max = 128;                           // `def` calls given to a process in advance
  int coroutines_max = 1000;                         // `async def` calls running in a process
  std::chrono::milliseconds start_timeout{60'000};   // from start until all modules are imported
  std::chrono::milliseconds coroutine_grace{2'000};  // for a coroutine to end after its timeout
  std::chrono::milliseconds shutdown_grace{1'000};   // for a process to end by itself
};

// How a call ended.
struct CallOutcome {
  enum class Kind {
    kValue,       // payload is the result
    kError,       // the function raised, its result cannot be carried, it was cancelled or ran out of time
    kWorkerLost,  // its process ended; if began is false it never ran, and no process could be started to run it
  };
  Kind kind = Kind::kValue;
  bool began = true;
  std::string payload;     // kValue: the result, encoded; kError: the error's data, encoded, or empty
  std::string error_kind;  // kError: the exception's class name, or type overflow limit cancelled timeout
  std::string message;     // UTF-8; kWorkerLost: names the function, how the process ended and what it wrote last
  std::vector<WorkerTraceFrame> trace;  // kError: frames in Python, outermost first
  std::string traceback;                // kError: the same as Python prints it, with causes
};

struct CallRequest {
  uint32_t function = 0;  // number in WorkerPoolOptions::modules, counted through
  std::string arguments;  // an encoded list
  std::string keywords;   // an encoded dict with str keys, or empty
  WorkerCallContext context;
  std::chrono::nanoseconds timeout{0};            // of execution, from when it begins; 0: none
  std::chrono::nanoseconds heartbeat_timeout{0};  // between heartbeats, or the beginning and the first; 0: none
  float priority = 0;                             // of calls that wait, the larger goes first
  uint64_t tag = 0;                               // the caller's own; what it prints comes with it
  bool gather = false;                            // may wait for Flush, so that several are sent together
  // Called exactly once, on the pool's thread or the one that drives it, without locks held; must not block. May call
  // Call and Cancel.
  std::function<void(CallOutcome&&)> done;
};

// What calls do while they run. All methods are called where `done` is, before the `done` of the call they belong
// to, and must not block.
class WorkerEvents {
 public:
  virtual ~WorkerEvents() = default;
  virtual void OnOutput(uint64_t tag, int stream, std::string_view text) = 0;  // stream 1 or 2, as in Unix
  virtual void OnHeartbeat(uint64_t tag, std::string_view data) = 0;           // encoded, or empty
  virtual void OnLog(uint64_t tag, std::string_view level, std::string_view message, std::string_view fields) = 0;
  // What Python code printed outside of any call (while it was imported, say), or no call can be told for.
  virtual void OnStrayOutput(int stream, std::string_view text) = 0;
};

struct WorkerLoadReport {
  std::vector<WorkerFunctionInfo> functions;  // of all modules, in order; empty if there are failures
  std::vector<WorkerLoadFailure> failures;
  std::string python_version;
};

// Thread-safe.
class WorkerPool {
 public:
  // `events` must outlive the pool.
  WorkerPool(WorkerPoolOptions options, WorkerEvents* events);
  // Shuts down.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Starts the first process and imports everything in it. Blocks. kUnavailable: there is no usable interpreter.
  // A report with failures means the pool cannot be used. Must be called once, before any Call.
  Result<WorkerLoadReport> Load();

  // Starts a call; gives its id. A request that cannot be sent (too large) ends with an error through `done` as well.
  uint64_t Call(CallRequest request);

  // Sends the calls that were gathered.
  void Flush();

  // Asks a call to end. One that has not begun ends at once, kError `cancelled`. A running function is told
  // (teal.context().cancelled()), a coroutine gets CancelledError; `grace` after that the process is killed.
  // Does nothing for an id that has ended.
  void Cancel(uint64_t id, std::chrono::nanoseconds grace = std::chrono::seconds(60));

  // The calling thread, which has nothing else to do, does the pool's work: until callbacks have run in it, Interrupt
  // is called, or `longest` is over. Saves two thread switches a call. For one thread at a time; not from a callback.
  void Drive(std::chrono::nanoseconds longest);
  // Ends the present Drive, or else the next one. Does nothing in a callback that Drive runs, since it returns then.
  void Interrupt();

  // Ends all processes; calls that have not ended get kWorkerLost. Must not be called from a callback. Idempotent.
  void Shutdown();

  // Processes that run now; for tests and for people who look.
  int ProcessCount() const;

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace teal::runtime

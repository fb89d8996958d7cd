// The messages between the host and a Python worker, and the frames they travel in (docs/formats/worker-protocol.md).
// Encoding and decoding only: nothing here touches a process or a thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/runtime/worker_marshal.h"

namespace teal::runtime {

inline constexpr int kWorkerProtocolMin = 1;
inline constexpr int kWorkerProtocolMax = 1;
inline constexpr size_t kWorkerFrameHeadBytes = 4;
// A worker sends one message a frame above 64 MiB, and no value above that; the rest is room for what is around it.
inline constexpr size_t kWorkerFrameBytesMax = kWorkerValueBytesMax + (size_t{8} << 20);

// The functions a pool serves: of each module, by name. Functions are numbered through in this order, from 0.
struct WorkerModule {
  std::string module;
  std::vector<std::string> functions;
};

struct WorkerFunctionInfo {
  bool is_async = false;
  int arguments_min = 0;
  int arguments_max = -1;               // -1: no limit
  std::vector<std::string> positional;  // the names of positional parameters, in order
  std::vector<std::string> keywords;    // the names of those that are given by name only
  bool any_keyword = false;             // takes others by name as well
  // Whether a call can give it a value under this name.
  bool Names(std::string_view parameter) const;
  // Whether Python would take `count` positional arguments (keyword arguments may still fill a gap).
  bool Takes(int count) const { return count >= arguments_min && (arguments_max < 0 || count <= arguments_max); }
};

// One thing that is wrong with the project's Python code, found before any of it was called.
struct WorkerLoadFailure {
  std::string module;
  std::string function;  // empty: the whole module
  std::string kind;      // missing_module, missing_function, not_callable, syntax, exception
  std::string message;
  std::string file;  // empty: unknown
  int64_t line = 0;  // from 1; 0: unknown
  std::string hint;
  std::string traceback;  // as Python prints it
};

struct WorkerTraceFrame {
  std::string file;
  int64_t line = 0;
  std::string function;
};

struct WorkerText {
  int stream = 1;  // 1: standard output, 2: standard error
  std::string text;
};

// One message of a worker. Which fields are set depends on the kind, as told there.
struct WorkerMessage {
  enum class Kind { kWelcome, kLoaded, kResult, kError, kOutput, kHeartbeat, kLog, kRecalled };
  Kind kind = Kind::kResult;
  uint64_t id = 0;  // of the call: kResult, kError, kOutput, kHeartbeat, kLog; 0: of no call
  // kResult: the value; kError: the error's data; kHeartbeat: its data; kLog: its fields. Encoded; empty: none.
  std::string payload;
  std::string error_kind;                     // kError
  std::string text;                           // kError, kLog: the message
  std::vector<WorkerTraceFrame> trace;        // kError: outermost first
  std::string traceback;                      // kError: as Python prints it
  std::vector<WorkerText> output;             // kResult, kError, kOutput
  std::string level;                          // kLog
  int protocol = 0;                           // kWelcome: the version chosen, 0: none fits
  std::string python;                         // kWelcome: its version
  std::string codec;                          // kWelcome
  std::vector<WorkerFunctionInfo> functions;  // kLoaded, if there are no failures
  std::vector<WorkerLoadFailure> failures;    // kLoaded
  std::vector<uint64_t> recalled;             // kRecalled
};

// What a call needs besides its function; see WorkerPool::Call.
struct WorkerCallContext {
  std::string session;
  std::string thread;
  uint64_t step = 0;
  uint32_t attempt = 1;
  std::optional<double> deadline;    // Unix seconds
  std::vector<std::string> secrets;  // masked in everything but the result
};

// Each appends one encoded message.
void AppendHello(std::string* out, std::string_view project_folder);
void AppendLoad(std::string* out, const std::vector<WorkerModule>& modules);
void AppendCancel(std::string* out, uint64_t id);
void AppendRecall(std::string* out);
void AppendShutdown(std::string* out);
// `arguments` is an encoded list, `keywords` an encoded dict with str keys or empty. The id is written as 0; the
// result is where, for MarshalWriter::PatchId.
size_t AppendCall(std::string* out, uint32_t function, std::string_view arguments, std::string_view keywords,
                  const WorkerCallContext& context);

// The head of a frame of `count` messages that take `bytes` bytes: length and list head.
std::string FrameHead(size_t bytes, uint32_t count);
inline constexpr size_t kFrameHeadBytes = kWorkerFrameHeadBytes + 5;

// The messages of one frame's body. A value that cannot be carried makes its message a kError; bytes that are no
// frame of this protocol are kCorrupt.
Result<std::vector<WorkerMessage>> ParseWorkerFrame(std::string_view body);

}  // namespace teal::runtime

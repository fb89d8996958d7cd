// One asynchronous call to the plugin, recorded: how often `done` came, with what, and when.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "abi/include/teal/abi.h"
#include "abi/include/teal/host.hpp"
#include "core/kit/input.h"

namespace teal::kit {

// Nanoseconds of a clock that never goes back, the same in all processes.
uint64_t Monotonic();

// What a call's `done` was given, copied while it ran.
struct Reply {
  teal_status returned = TEAL_OK;  // by the function itself
  teal_status code = TEAL_OK;      // of the error, or `returned` where that is not TEAL_OK
  uint32_t outcome = TEAL_NOT_APPLIED;
  uint64_t retry_after_ns = 0;
  std::string message;
  bool message_ended = true;  // a NUL stood in the field
  uint32_t error_size = 0;    // the error's struct_size
  bool has_result = false;
  std::vector<teal_version> versions;
  uint32_t failed_op = 0;
  std::optional<host::Record> found;
  std::vector<host::Record> records;
  bool more = false;
  std::string next;
  uint64_t handle = 0;
  std::string bytes;
  uint64_t begun = 0;  // Monotonic() before the call and in its `done`
  uint64_t ended = 0;

  bool Ok() const { return code == TEAL_OK; }
  // "OK" or "CONFLICT (not applied): the words".
  std::string Says() const;
};

// What `result` of `done` is, as the function's comment in abi.h names it.
enum class Gives { kNothing, kCommit, kPage, kHandle, kBytes };

// The choices of one call, besides its arguments.
struct CallSpec {
  uint64_t deadline_unix_ns = 0;
  std::string idempotency_key;
  uint32_t flags = 0;
  bool numbered = true;  // else op_id is 0
};

// Lives for ever once made, unless ForgetCalls: a plugin that calls `done` late or twice is seen, not a crash.
// Thread-safe.
class Call {
 public:
  Call(std::string words, Gives gives, CallSpec spec);

  // Sets up inputs before Begin.
  Inputs& inputs() { return inputs_; }
  // Calls `function(call)`; once.
  void Begin(const std::function<teal_status(const teal_call*)>& function);

  // Waits for `done`, or for nothing if the call was refused; false past `timeout_s`.
  bool WaitFor(double timeout_s);
  // The same; fails the test if `done` does not come in time (call_seconds).
  const Reply& Wait();
  const Reply& reply() const { return reply_; }
  const std::string& words() const { return words_; }
  uint64_t op_id() const { return op_id_; }
  int dones() const { return dones_.load(); }
  bool DoneNow() const { return dones_.load() != 0; }

 private:
  static void TEAL_CALL OnDone(void* ctx, const teal_error* error, const void* result);
  void Take(const teal_error* error, const void* result);

  const std::string words_;
  const Gives gives_;
  const CallSpec spec_;
  const uint64_t op_id_;
  Inputs inputs_;
  std::atomic<int> dones_{0};
  std::mutex mutex_;
  std::condition_variable ready_;
  bool finished_ = false;  // guarded by mutex_; so is reply_ until then
  Reply reply_;
};

// How long a call may take before the test fails.
double CallSeconds();
// Makes a call that is kept.
Call& NewCall(std::string words, Gives gives, CallSpec spec = {});
// Frees all calls made so far. Only once nothing of the plugin can call back any more.
void ForgetCalls();
// Runs over all calls kept.
void EachCall(const std::function<void(Call&)>& visit);

}  // namespace teal::kit

// Threads for the data calls of one plugin that says TEAL_PLUGIN_BLOCKING, and nothing else: what blocks in one plugin
// does not hold up another.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "teal/abi.h"

namespace teal::host {

// Thread-safe. Threads start when they are needed and block all signals.
class Pool {
 public:
  using Function = std::function<teal_status()>;

  // `calls_max` may wait for a thread.
  Pool(uint32_t threads_max, uint32_t calls_max) : threads_max_(threads_max), calls_max_(calls_max) {}
  ~Pool();

  // TEAL_OK: `call->done` will be called exactly once, by the plugin, or by the pool where the plugin refuses the call
  // or it is one too many. TEAL_CLOSED: never.
  teal_status Post(const teal_call* call, Function function);
  // For what has no `done`: on a thread of its own, in order, so that it does not wait behind calls that block.
  void PostUrgent(std::function<void()> function);
  // Whether a call of this id still waited: it ended with TEAL_CANCELLED.
  bool CancelWaiting(uint64_t op_id);

  // Ends what waits with TEAL_CLOSED and takes nothing more.
  void Close();
  // The ids of the calls that are inside the plugin.
  std::vector<uint64_t> Running();
  // Waits until no call is inside the plugin; false if that takes longer than `ns_max`.
  bool Join(uint64_t ns_max);

 private:
  struct Waiting {
    const teal_call* call;
    Function function;
  };
  void Run();
  void RunUrgent();
  void Start(void (Pool::*run)());

  const uint32_t threads_max_;
  const uint32_t calls_max_;

  std::mutex mutex_;
  std::condition_variable ready_;
  std::condition_variable urgent_ready_;
  std::condition_variable ended_;
  // Guarded by mutex_.
  bool closed_ = false;
  std::deque<Waiting> waiting_;
  std::deque<std::function<void()>> urgent_;
  bool urgent_started_ = false;
  std::vector<uint64_t> inside_;
  uint32_t idle_ = 0;
  uint32_t running_ = 0;  // threads that have not ended
  std::vector<std::thread> threads_;
};

}  // namespace teal::host

// An opened plugin. Hides from the core what plugins may differ in: older and shorter tables, data functions that
// block, `open` and `close` that do not come back.
//
//   Result<const Plugin*> plugin = LoadPlugin(manifest, {});
//   Result<std::unique_ptr<Instance>> opened = Instance::Open(**plugin, {.config_json = "{…}", .services = &services});
//   host::Memory memory(opened->memory(), opened->handle());   // <teal/host.hpp>
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/host/plugin.h"
#include "core/host/services.h"
#include "teal/abi.h"

namespace teal::host {

struct InstanceOptions {
  std::string config_json = "{}";         // its section of teal.yaml; validated already (core/host/schema.h)
  Services* services = nullptr;           // outlives the instance, for ever if it was given up; NULL: only the log
  std::function<uint64_t()> now_unix_ns;  // empty: the system's clock
  uint64_t open_ns_max = 30'000'000'000;
  uint64_t close_ns_max = 30'000'000'000;
  uint32_t pool_threads = 8;       // with TEAL_PLUGIN_BLOCKING: data calls at a time
  uint32_t pool_calls_max = 1024;  // that wait for a thread; more end with TEAL_THROTTLED
};

// Thread-safe. No call may begin once Close has (or the destructor, which is Close).
class Instance {
 public:
  // Opens, and checks that the tables hold what manifest and capabilities promise. Failures name the plugin:
  //   kInvalid      its `open` refused (the plugin's own message is in it), or a promised table or slot is missing
  //   kUnavailable  its `open` did not come back in time; the thread in it is given up
  // A crash in `open` ends the process, after a line on standard error that names the plugin.
  static Result<std::unique_ptr<Instance>> Open(const Plugin& plugin, InstanceOptions options);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  const Plugin& plugin() const { return plugin_; }

  // The first argument of every function below. Not the plugin's own instance where calls go through the pool.
  teal_instance* handle() const { return handle_; }
  // In this host's layout, slots the plugin lacks are NULL; NULL if the plugin does not offer the interface. Each slot
  // that the interface's version 1.0 demands, and each that the capabilities offer, is there. Of a plugin that says
  // BLOCKING these are the pool's: no data function blocks, and what it refuses comes through `done`.
  const teal_memory* memory() const { return memory_; }
  const teal_threads* threads() const { return threads_; }
  const teal_trigger* trigger() const { return trigger_; }
  const teal_deploy* deploy() const { return deploy_; }

  uint64_t NextOpId() { return next_op_id_.fetch_add(1, std::memory_order_relaxed); }
  // A hint, as the plugin's `cancel`. A call that still waits for a thread of the pool ends with TEAL_CANCELLED.
  teal_status Cancel(uint64_t op_id);

  // Once it returned, every call is done and nothing of the plugin's calls back. Again: the same answer.
  // kUnavailable: `close` did not come back in time; its thread is given up, and what it could touch is kept for ever.
  Status Close();

 private:
  struct Impl;
  explicit Instance(const Plugin& plugin, std::shared_ptr<Impl> impl);

  const Plugin& plugin_;
  const std::shared_ptr<Impl> impl_;
  teal_instance* handle_ = nullptr;
  const teal_memory* memory_ = nullptr;
  const teal_threads* threads_ = nullptr;
  const teal_trigger* trigger_ = nullptr;
  const teal_deploy* deploy_ = nullptr;
  std::atomic<uint64_t> next_op_id_{1};
};

}  // namespace teal::host

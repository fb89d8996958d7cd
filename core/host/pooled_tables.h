// Tables that stand before those of a plugin that says TEAL_PLUGIN_BLOCKING: its data functions are run by a pool, so
// that whoever calls them is not held up. The first argument of their functions is a Pooled in disguise.
#pragma once

#include "core/host/pool.h"
#include "teal/abi.h"

namespace teal::host {

struct Pooled {
  Pooled(uint32_t threads_max, uint32_t calls_max) : pool(threads_max, calls_max) {}

  // The plugin's own, in this host's layout.
  teal_instance* instance = nullptr;
  teal_memory memory{};
  teal_threads threads{};
  teal_trigger trigger{};
  teal_deploy deploy{};
  Pool pool;

  teal_instance* handle() { return reinterpret_cast<teal_instance*>(this); }
};

// The tables to call with `pooled.handle()`; slots that the plugin lacks are NULL.
teal_memory PooledMemory(const Pooled& pooled);
teal_threads PooledThreads(const Pooled& pooled);
teal_trigger PooledTrigger(const Pooled& pooled);
teal_deploy PooledDeploy(const Pooled& pooled);

}  // namespace teal::host

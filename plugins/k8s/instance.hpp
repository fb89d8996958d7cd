// An open memory: its configuration, and the parts that do the work, in the order in which they are taken down.
#pragma once

#include <memory>
#include <teal/plugin.hpp>

#include "plugins/k8s/blobs.hpp"
#include "plugins/k8s/commit.hpp"
#include "plugins/k8s/config.hpp"
#include "plugins/k8s/engine.hpp"
#include "plugins/k8s/listener.hpp"

struct teal_instance {
  explicit teal_instance(const teal_host* its_host) : host(its_host) {}

  const teal_host* const host;
  teal::k8s::Config config;
  uint64_t features = 0;
  teal::plugin::OpenCalls calls;
  teal::k8s::Nonces nonces;
  teal::k8s::Uploads uploads;
  std::unique_ptr<teal::k8s::Listener> listener;  // NULL = TEAL_MEMORY_WATCH is not offered
  std::unique_ptr<teal::k8s::Engine> engine;

  uint64_t Now() const { return host->now_unix_ns(host); }
};

namespace teal::k8s {

// Opens a memory: reads the configuration, connects, makes the schema. Blocks. NULL = `error` says why.
std::unique_ptr<teal_instance> OpenInstance(const teal_host* host, std::string_view config_json, plugin::Error& error);

}  // namespace teal::k8s

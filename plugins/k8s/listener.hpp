// Hears what other instances tell of changes: LISTEN on a connection of its own, without a pooler between, on a thread
// of its own that begins with the first watch. After a lost connection all watchers are told to look again.
// Thread-safe.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "plugins/common/watchers.hpp"
#include "plugins/k8s/session.hpp"

namespace teal::k8s {

class Listener {
 public:
  // `url`: leads to the store `store` directly. `config` and `host` outlive this.
  Listener(const Config& config, const teal_host* host, const std::string& url, std::string store)
      : config_(config), host_(host), url_(url), store_(std::move(store)) {}
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Blocks until the connection listens, at most connect_timeout_ms: changes from then on are told.
  uint64_t Watch(std::string_view prefix, plugin::Watchers::Changed changed, void* ctx);
  void Unwatch(uint64_t id) { watchers_.Remove(id); }

 private:
  void Run();
  bool Listen(Session& session, plugin::Error& error);
  void Hear(Session& session, plugin::Error& error);  // returns when the connection is lost, or stop is set
  void Tell(std::string_view notice);
  void SetListening(bool listening);

  const Config& config_;
  const teal_host* const host_;
  const std::string url_;
  const std::string store_;
  plugin::Watchers watchers_;
  Stop stop_;
  std::mutex mutex_;
  std::condition_variable listens_;
  bool listening_ = false;  // guarded by mutex_
  std::thread thread_;      // guarded by mutex_ until it runs
};

}  // namespace teal::k8s

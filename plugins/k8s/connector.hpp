// Makes connections on a thread of its own, since resolving names blocks; one after the other, so that a server that
// comes back is not stormed, and after a failure only after a delay with jitter that doubles from 50 ms to 2 s.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "plugins/k8s/session.hpp"

namespace teal::k8s {

// Starts a thread that blocks all signals. (LIFE-12)
std::thread StartThread(std::function<void()> body);

// A wait between failures: half to the whole of a time that doubles with each.
std::chrono::milliseconds Backoff(int failures);

class Connector {
 public:
  // Called on the connector's thread: a session in pipeline mode, or why there is none.
  using Made = std::function<void(int slot, std::optional<Session> session, const plugin::Error& error)>;

  // `store` and `synchronous`: as found at open; what differs later is refused. `config` and `stop` outlive this.
  Connector(const Config& config, const Stop& stop, std::string store, bool synchronous, Made made);
  ~Connector();  // after stop was set
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  // Any thread. Each is answered once, unless stop is set.
  void Ask(int slot);

 private:
  void Run();
  std::optional<Session> Make(plugin::Error& error) const;

  const Config& config_;
  const Stop& stop_;
  const std::string store_;
  const bool synchronous_;
  const Made made_;
  std::mutex mutex_;
  std::condition_variable asked_;
  std::deque<int> slots_;  // guarded by mutex_
  bool ended_ = false;     // guarded by mutex_
  std::thread thread_;
};

}  // namespace teal::k8s

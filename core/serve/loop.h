// The I/O threads. Each has an io_context of its own; a connection stays with one of them, so that it needs no lock.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_set>
#include <vector>

namespace teal::serve {

class Connection;

struct Loop {
  boost::asio::io_context io{1};
  // Its thread's alone.
  std::unordered_set<Connection*> connections;
  std::unordered_set<std::shared_ptr<boost::asio::steady_timer>> timers;
};

// Shared with the call-backs that the service still holds: what comes after Stop is dropped. Stop and Start are for one
// thread, the rest is thread-safe.
class Loops {
 public:
  explicit Loops(unsigned count);
  ~Loops();
  void Start();
  // Ends the threads, whatever is under way.
  void Stop();
  size_t size() const { return loops_.size(); }
  Loop& at(size_t i) { return *loops_[i]; }
  // On the thread of some loop, `ns` from now.
  void After(uint64_t ns, std::function<void()> function);

 private:
  using Guard = boost::asio::executor_work_guard<boost::asio::io_context::executor_type>;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<Guard> guards_;
  std::vector<std::thread> threads_;
  std::atomic<uint32_t> turn_{0};
};

}  // namespace teal::serve

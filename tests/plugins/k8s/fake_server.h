// A server that speaks just enough of PostgreSQL's protocol to be logged in to, with a version of its own; with an
// empty version it accepts and says nothing.
#pragma once

#include <atomic>
#include <string>
#include <thread>

namespace teal::k8s_test {

class FakeServer {
 public:
  explicit FakeServer(std::string version);
  ~FakeServer();
  int port() const { return port_; }

 private:
  void Serve();

  const std::string version_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace teal::k8s_test

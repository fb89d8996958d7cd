// A proxy before PostgreSQL that loses what it is told to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/plugins/k8s/support.h"

namespace teal::k8s_test {

// How many answers a connection still owes: ReadyForQuery of each Sync, simple query and start. (PostgreSQL's manual,
// "Message Formats"; without TLS.) Commits share a connection with other statements, so that the next answer need not
// be a commit's.
class Traffic {
 public:
  void Sent(std::string_view data);                        // by the client
  void Answered(std::string_view data);                    // by the server
  bool Whole() const { return sent_.empty() && synced_; }  // what was sent ends with a message that is answered
  int awaited() const { return awaited_; }

 private:
  std::string sent_;      // of a message that is not whole yet
  std::string answered_;  // the same
  bool started_ = false;
  bool synced_ = false;
  int bare_ = 0;  // bytes to come that are no message: the answer to "TLS?"
  int awaited_ = 0;
};

// A TCP proxy to the server, on a port of its own.
class Proxy {
 public:
  enum class Mode {
    kPass,
    kDropAnswer,  // the next commit goes to the server, its answer is dropped and the client's connection cut
    kHoldCommit,  // the next commit is held back and the client's connection cut; Release lets it through
    kSilent,      // nothing goes through, nothing is closed
  };
  explicit Proxy(int server_port);
  ~Proxy();
  void Set(Mode mode) { mode_ = mode; }
  bool caught() const { return caught_; }  // since the mode was set to catch something
  // `then` runs once, when the server has answered what was caught, before the client's connection is cut.
  void Catch(Mode mode, std::function<void()> then = {});
  // Which connection carried the last commit: they are counted from 1. 0 = none did.
  int committer() const { return committer_; }
  void Release();  // what was held goes to the server; waits for the server's answer
  // The url with this proxy's port.
  std::string Through(const std::string& url) const;

 private:
  void Accept();
  void Carry(int client, int number);

  const int server_port_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<Mode> mode_{Mode::kPass};
  std::atomic<bool> caught_{false};
  std::atomic<bool> ended_{false};
  std::atomic<int> committer_{0};
  std::mutex mutex_;
  std::function<void()> then_;        // guarded by mutex_
  std::vector<std::thread> threads_;  // guarded by mutex_
  int held_server_ = -1;              // guarded by mutex_
  std::string held_;                  // guarded by mutex_
  Traffic held_traffic_;              // guarded by mutex_
  std::thread acceptor_;
};

}  // namespace teal::k8s_test

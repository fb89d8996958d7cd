// One thread that does all work of an instance on PostgreSQL: it gives calls to a small pool of connections in pipeline
// mode, reads the answers, ends the calls, and lives through lost connections.
//
// Connection 0 is for reads, so that they do not stand behind a commit that waits for the disk; the others carry
// commits, one transaction of several at a time: what arrives meanwhile shares the next. More connections are made when
// work waits.
//
// A call ends only with ReadyForQuery: PostgreSQL gives a statement's rows before it commits.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "plugins/k8s/commit.hpp"
#include "plugins/k8s/connector.hpp"
#include "plugins/k8s/session.hpp"

namespace teal::k8s {

class Engine {
 public:
  // `first`: in pipeline mode, of a schema that is up to date. `config` and `host` outlive this.
  Engine(const Config& config, const teal_host* host, Session first);
  ~Engine();  // ends every call first, with its true result where it comes within kCloseGrace, else with TEAL_CLOSED
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Any thread; do not block.
  void Submit(QueryPtr call);
  void SubmitCommit(CommitPtr commit);
  void Cancel(uint64_t op_id);

  // On the engine's thread only: a key was written, listeners are to hear of it.
  void Changed(KeyView key);

  uint64_t Now() const { return host_->now_unix_ns(host_); }

 private:
  struct Flight {
    std::vector<CommitPtr> commits;  // of one transaction
    QueryPtr call;                   // or one other call
    Result answer;                   // the first error, else the rows
  };
  struct Slot {
    enum class State { kNone, kAsked, kLive } state = State::kNone;
    std::optional<Session> session;
    std::deque<Flight> flights;
    Clock::time_point front_since;  // when the first flight became the first
    bool has_commits = false;
    bool unsent = false;  // libpq has bytes the socket did not take
  };
  struct Inbox {
    std::vector<QueryPtr> calls;
    std::vector<CommitPtr> commits;
    std::vector<uint64_t> cancelled;
    std::vector<std::pair<int, std::optional<Session>>> sessions;
    plugin::Error connect_error;
    bool failed_to_connect = false;
  };

  void Run();
  void Wake();
  void TakeInbox();
  void Install(int slot, std::optional<Session> session);
  void Dispatch();
  void DispatchCommits();
  void DispatchCalls();
  Slot* ForCommits();
  Slot* ForCall();
  void Launch(Slot& slot, Flight flight);
  void Grow();
  void Poll();
  void Service(Slot& slot, short events);
  void Land(Slot& slot);
  void Refused(Flight& flight);
  void Lost(Slot& slot, plugin::Error error);
  void Finish(Flight flight);
  void Sweep();
  void FailWaiting(const std::function<bool(const Call&)>& which, const plugin::Error& error);
  void Overdue(Call& call, uint64_t now, bool sent);
  bool AnyLive() const;
  void KeepHouse();
  void TellChanges();
  bool Working() const;
  void EndAll();
  void Log(uint32_t level, const std::string& text) const;

  const Config& config_;
  const teal_host* const host_;
  const Clock::time_point started_ = Clock::now();
  Stop stop_;   // ends the connector
  Stop knock_;  // wakes the thread
  std::atomic<bool> knocked_{false};
  std::atomic<uint64_t> waiting_{0};  // calls not yet sent, as of the thread's last turn

  std::mutex mutex_;
  Inbox inbox_;           // guarded by mutex_
  bool closing_ = false;  // guarded by mutex_

  // Of the engine's thread.
  std::vector<Slot> slots_;
  std::deque<QueryPtr> calls_;
  std::deque<CommitPtr> commits_;
  std::multimap<Clock::time_point, CommitPtr> later_;  // to be sent again from then on
  plugin::Error last_error_;
  Clock::time_point unreachable_since_;  // while no slot is live
  Clock::time_point next_sweep_ = started_;
  Clock::time_point next_housekeeping_;
  Clock::time_point next_tell_ = started_;
  std::set<std::pair<std::string, std::string>> changed_;
  bool all_changed_ = false;
  bool closed_ = false;
  Clock::time_point close_until_;

  std::unique_ptr<Connector> connector_;
  std::thread thread_;
};

// How listeners are told: the channel's name, and a key in one word. A notice of kAllChanged means: look again.
std::string ChannelOf(const Config& config);
inline constexpr std::string_view kAllChanged = "*";
std::string Spelled(KeyView key);
bool Spelt(std::string_view word, std::string& partition, std::string& sort);

}  // namespace teal::k8s

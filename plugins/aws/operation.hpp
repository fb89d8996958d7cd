// One call of the host, or one errand of the plugin's own, while it runs: its deadline, whether it was cancelled, and
// what it waits for right now. Loop thread only, but for the constructor.
#pragma once

#include <teal/abi.h>

#include <coroutine>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "plugins/aws/loop.hpp"
#include "plugins/aws/result.hpp"

namespace teal::aws {

class Operation;

// What all operations of an instance share.
struct Context {
  const teal_host* host = nullptr;
  const teal_http* http = nullptr;
  Loop loop;
  bool closing = false;       // loop thread only
  uint64_t next_http_id = 1;  // loop thread only
  std::unordered_multimap<uint64_t, Operation*> by_id;
  std::unordered_set<Operation*> operations;

  uint64_t Now() const { return host->now_unix_ns(host); }
  void Log(uint32_t level, const std::string& text) const { host->log(host, level, Bytes(text), {}); }
};

// Something an operation waits for that can be cut short.
class Wait {
 public:
  virtual void Interrupt() = 0;

 protected:
  ~Wait() = default;
};

class Operation {
 public:
  Operation(Context& context, uint64_t op_id, uint64_t deadline_unix_ns, std::string traceparent = {});
  ~Operation();
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  Context& context() const { return context_; }
  uint64_t deadline_unix_ns() const { return deadline_unix_ns_; }
  const std::string& traceparent() const { return traceparent_; }

  // Ends what is waited for; further waits end at once.
  void Cancel();
  // Cancelled, closed or past its deadline: the error to end with, not applied. Else nothing to stop for.
  bool Stopped() const { return cancelled_ || context_.closing || Late(); }
  Error WhyStopped() const;
  // How long until the deadline; 0 when it is past.
  uint64_t RemainingNs() const;

  void Add(Wait* wait) { waits_.insert(wait); }
  void Remove(Wait* wait) { waits_.erase(wait); }

 private:
  bool Late() const { return context_.Now() >= deadline_unix_ns_; }

  Context& context_;
  const uint64_t op_id_;
  const uint64_t deadline_unix_ns_;
  const std::string traceparent_;
  bool cancelled_ = false;
  std::unordered_set<Wait*> waits_;
};

class Signal;

// co_await Sleep(operation, ns): ends early when the operation is stopped or `signal` is given, and never later than
// its deadline.
class Sleep final : public Wait {
 public:
  Sleep(Operation& operation, uint64_t ns, Signal* signal = nullptr)
      : operation_(operation), ns_(ns), signal_(signal) {}
  bool await_ready() const { return ns_ == 0 || operation_.Stopped(); }
  void await_suspend(std::coroutine_handle<> handle);
  void await_resume();
  void Interrupt() override;

 private:
  void Forget();

  Operation& operation_;
  const uint64_t ns_;
  Signal* const signal_;
  Loop::Timers::iterator timer_;
  Loop::Ready ready_{};
};

// Lets operations wait for one errand that serves them all. Loop thread only.
class Signal {
 public:
  void Notify();

 private:
  friend class Sleep;
  std::unordered_set<Sleep*> waiting_;
};

}  // namespace teal::aws

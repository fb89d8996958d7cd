// A call of the host, or work of the plugin's own, from its acceptance to its end. Made by any thread, then owned by
// the engine's thread.
#pragma once

#include <teal/plugin.hpp>

#include <memory>

#include "plugins/k8s/errors.hpp"
#include "plugins/k8s/session.hpp"

namespace teal::k8s {

class Call {
 public:
  // Work of the plugin's own: nobody waits for it.
  Call() = default;
  // `deadline`: 0 = the plugin's default, counted from `now`, both of the host's clock.
  Call(plugin::Done done, const teal_call& call, uint64_t now);
  virtual ~Call() = default;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Whether a statement of unknown outcome may be sent again: a second, or late, application changes nothing.
  virtual bool Repeatable() const { return true; }
  virtual bool ReadOnly() const { return false; }
  // Told before the host is, once, whatever the reason.
  virtual void Failed(const plugin::Error&) {}

  bool ended() const { return ended_; }
  bool hosted() const { return static_cast<bool>(done_); }  // somebody waits for it, while it has not ended
  uint64_t op_id() const { return op_id_; }
  uint64_t deadline() const { return deadline_; }  // 0 = none
  Clock::time_point accepted() const { return accepted_; }

  // Whether an earlier statement of this call may have been applied, or may still be.
  bool maybe_applied() const { return maybe_applied_; }
  void MaybeApplied() { maybe_applied_ = true; }

  // Ends the call. The outcome is unknown where it may have been applied.
  void Fail(plugin::Error error, const void* result = nullptr);

 protected:
  void Succeed(const void* result = nullptr);

 private:
  plugin::Done done_;
  uint64_t op_id_ = 0;
  uint64_t deadline_ = 0;
  Clock::time_point accepted_ = Clock::now();
  bool ended_ = false;
  bool maybe_applied_ = false;
};

// A call that is a statement of its own; a commit may share one with others.
class Query : public Call {
 public:
  using Call::Call;
  virtual Statement statement() const = 0;
  virtual void Bind(Params& params) = 0;
  // The statement is committed. True = send the query again, for its next part; else it has ended.
  virtual bool Answer(const PGresult* result) = 0;
};
using QueryPtr = std::shared_ptr<Query>;

inline constexpr uint64_t kDefaultTimeoutNs = 30'000'000'000;

}  // namespace teal::k8s

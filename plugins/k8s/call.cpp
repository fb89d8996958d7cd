#include "plugins/k8s/call.hpp"

#include <cassert>

namespace teal::k8s {

Call::Call(plugin::Done done, const teal_call& call, uint64_t now)
    : done_(std::move(done)),
      op_id_(call.op_id),
      deadline_(call.deadline_unix_ns == 0 ? now + kDefaultTimeoutNs : call.deadline_unix_ns) {}

void Call::Fail(plugin::Error error, const void* result) {
  if (ended_) return;
  ended_ = true;
  if (maybe_applied_) error.outcome = TEAL_OUTCOME_UNKNOWN;
  Failed(error);
  if (done_) done_.Fail(error, result);
}

void Call::Succeed(const void* result) {
  assert(!ended_);
  ended_ = true;
  if (done_) done_.Ok(result);
}

}  // namespace teal::k8s

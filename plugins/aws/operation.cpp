#include "plugins/aws/operation.hpp"

#include <algorithm>
#include <vector>

namespace teal::aws {

Operation::Operation(Context& context, uint64_t op_id, uint64_t deadline_unix_ns, std::string traceparent)
    : context_(context), op_id_(op_id), deadline_unix_ns_(deadline_unix_ns), traceparent_(std::move(traceparent)) {
  context_.operations.insert(this);
  if (op_id_ != 0) context_.by_id.emplace(op_id_, this);
}

Operation::~Operation() {
  context_.operations.erase(this);
  const auto [begin, end] = context_.by_id.equal_range(op_id_);
  const auto self = std::find_if(begin, end, [this](const auto& entry) { return entry.second == this; });
  if (self != end) context_.by_id.erase(self);
}

void Operation::Cancel() {
  cancelled_ = true;
  const std::vector<Wait*> waits(waits_.begin(), waits_.end());
  for (Wait* wait : waits) {
    if (waits_.contains(wait)) wait->Interrupt();
  }
}

Error Operation::WhyStopped() const {
  if (context_.closing) return {TEAL_CLOSED, "the instance was closed before the call was done"};
  if (cancelled_) return {TEAL_CANCELLED, "the call was cancelled"};
  return {TEAL_TIMEOUT, "the call's deadline passed; allow more time, or look whether AWS can be reached"};
}

uint64_t Operation::RemainingNs() const {
  const uint64_t now = context_.Now();
  return now >= deadline_unix_ns_ ? 0 : deadline_unix_ns_ - now;
}

namespace {

constexpr uint64_t kLongestTimerNs = 3'600'000'000'000;  // deadlines may be centuries away

Clock::time_point After(uint64_t ns) {
  return Clock::now() + std::chrono::nanoseconds(std::min(ns, kLongestTimerNs));
}

}  // namespace

void Sleep::await_suspend(std::coroutine_handle<> handle) {
  ready_.handle = handle;
  operation_.Add(this);
  if (signal_ != nullptr) signal_->waiting_.insert(this);
  timer_ = operation_.context().loop.SetTimer(After(std::min(ns_, operation_.RemainingNs())), handle);
}

void Sleep::await_resume() {
  Forget();
}

void Sleep::Interrupt() {
  Forget();  // so that it is interrupted once
  operation_.context().loop.DropTimer(timer_);
  operation_.context().loop.Post(ready_);
}

void Sleep::Forget() {
  operation_.Remove(this);
  if (signal_ != nullptr) signal_->waiting_.erase(this);
}

void Signal::Notify() {
  const std::vector<Sleep*> waiting(waiting_.begin(), waiting_.end());
  for (Sleep* sleep : waiting) sleep->Interrupt();
}

}  // namespace teal::aws

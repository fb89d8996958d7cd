// How long to wait before a request is sent again: full jitter, doubling from 25 ms to 3 s, but at least what the
// service asked for. Loop thread only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>

#include "plugins/aws/service_error.hpp"

namespace teal::aws {

class Backoff {
 public:
  explicit Backoff(uint32_t attempts) : left_(attempts) {}

  // False when `failure` is to be given to the caller: no attempt is left, it is none that a repeat can help, or the
  // wait is longer than what remains of the operation.
  Task<bool> Again(Operation& operation, const ServiceError& failure) {
    if (!Retryable(failure.trouble) || left_ <= 1) co_return false;
    if (failure.trouble == Trouble::kCredentials && refused_++ > 0) co_return false;
    --left_;
    static thread_local std::minstd_rand random{std::random_device{}()};
    const uint64_t jitter = std::uniform_int_distribution<uint64_t>(0, next_ns_)(random);
    const uint64_t wait = std::max(jitter, failure.retry_after_ns);
    next_ns_ = std::min<uint64_t>(next_ns_ * 2, 3'000'000'000);
    if (wait >= operation.RemainingNs()) co_return false;
    co_await Sleep(operation, wait);
    co_return !operation.Stopped();
  }

  // What to tell the caller to wait.
  uint64_t next_ns() const { return next_ns_; }

 private:
  uint32_t left_;
  uint32_t refused_ = 0;
  uint64_t next_ns_ = 25'000'000;
};

}  // namespace teal::aws

// Faults put in under "teal.host.http/1", so that tests can show what a plugin does when the world is bad. They come
// where curl would: retries, deadlines, cancellation and outcomes are those of the service itself.
//
//   {"seed": 7, "rules": [
//     {"fault": "lost_answer", "probability": 0.1, "method": "PUT", "url": "/bucket/", "header": "x-amz-target:
//     DynamoDB_20120810.PutItem",
//      "skip": 2, "count": 5, "delay_ms": 20, "status": 503, "retry_after": "1"}]}
//
// Each attempt takes the first rule that matches and whose die falls; at most one fault each. All keys but `fault` are
// optional.
//   fault        what happens:
//     refused        no connection: nothing is sent. UNAVAILABLE, not applied
//     lost_request   a reset after the first byte left, and the server never acts: nothing is sent. UNAVAILABLE,
//     unknown lost_answer    the server acts, the answer never comes: sent, then UNAVAILABLE, unknown timeout the
//     server acts, nobody hears of it in time: sent, then TIMEOUT, unknown timeout_unsent the connection is not made in
//     time: nothing is sent. TIMEOUT, not applied status         the server answers `status` (default 500), with
//     Retry-After: `retry_after` if given, and did nothing:
//                    nothing is sent. The body is `body` (default empty)
//     status_after   the same answer, but the server acted: sent, then the answer is replaced
//     cut            the answer's body ends at its half: sent, then UNAVAILABLE, unknown; an empty body passes
//     delay          nothing but `delay_ms`
//   probability  0 … 1; default 1
//   method       only of this method
//   url          only if the URL contains it
//   header       only if the request has this header ("name: value" with the value's beginning); the signing hook's
//   count too skip         attempts that match are let through first count        times at most delay_ms     the end of
//   the attempt is this much later (at most 60,000)
// The die is a generator seeded with `seed` (default 0): the same order of attempts meets the same faults.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace teal::host::http {

enum class FaultKind {
  kRefused,
  kLostRequest,
  kLostAnswer,
  kTimeout,
  kTimeoutUnsent,
  kStatus,
  kStatusAfter,
  kCut,
  kDelay
};

struct Fault {
  FaultKind kind = FaultKind::kDelay;
  uint64_t delay_ns = 0;
  uint32_t status = 500;
  std::string retry_after;
  std::string body;
  // Whether the request goes out to the server.
  bool Sends() const;
};

// What of an attempt the rules look at.
struct FaultSubject {
  std::string_view method;
  std::string_view url;
  const std::vector<std::string>* headers;  // "name: value"
};

// Belongs to one thread.
class Faults {
 public:
  Faults() = default;
  static Result<Faults> Parse(std::string_view json);

  bool empty() const { return rules_.empty(); }
  std::optional<Fault> Next(const FaultSubject& subject);

 private:
  struct Rule {
    Fault fault;
    double probability = 1;
    std::string method;
    std::string url;
    std::string header_name;
    std::string header_value;
    uint64_t skip = 0;
    uint64_t count = UINT64_MAX;
  };

  std::vector<Rule> rules_;
  uint64_t random_ = 0;
};

}  // namespace teal::host::http

// One request on its way: from its head to its answer.
#ifndef TEAL_HTTP_EXCHANGE_HPP
#define TEAL_HTTP_EXCHANGE_HPP

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "message.hpp"
#include "request.hpp"
#include "routes.hpp"
#include "settings.hpp"

namespace teal::http {

struct Exchange;
using ExchangePtr = std::shared_ptr<Exchange>;

// A trigger that runs. `waiting` is guarded by the instance's mutex, the rest is constant after construction.
struct Trigger : Route {
  std::string id;
  TriggerSettings settings;
  bool old_shape = false;                              // on_http(method, path, event)
  std::deque<std::pair<ExchangePtr, size_t>> waiting;  // for credit: an exchange, and which of its events
  bool stopped = false;
};
using TriggerPtr = std::shared_ptr<Trigger>;

// An event that a request becomes. All but a batch of CloudEvents become one.
struct Planned {
  std::string id;
  std::string type;
  std::string data;         // the arguments, JSON
  std::string fingerprint;  // empty: none
  // What came of it.
  std::string sid;
  std::optional<Answer> answer;
};

// Guarded by the instance's mutex once its body is here; before, it belongs to the one thread that reads the request.
struct Exchange {
  Request request;
  TriggerPtr trigger;
  Parameters parameters;
  Caller caller;
  uint64_t arrived_unix_ns = 0;
  bool unproved = false;   // its token's key is not known yet
  bool too_large = false;  // its body was not read
  bool batch = false;      // it is answered for all of its events at once
  std::vector<Planned> events;
  size_t open = 0;    // events without an answer
  bool over = false;  // it has its answer, or nobody waits for one
};

// An event that is with the host: what its token stands for.
struct Emission {
  ExchangePtr exchange;
  size_t index = 0;
  std::string pieces;  // of a reply that comes in several
};

// 415 where the body is of a kind that the trigger does not take; then 400 where it is not what it says to be.
std::optional<Answer> WhyUnfit(const Request& request, const TriggerSettings& settings);

// What a request becomes, by its trigger's `accept`; an answer where it cannot (400, 413, 415).
std::optional<Answer> Plan(Exchange& exchange, const std::string& source_ip);

// To a batch of events, all of which have their answers.
Answer BatchAnswer(const Exchange& exchange);

}  // namespace teal::http

#endif

// CloudEvents 1.0 over HTTP: binary, structured and batch mode (CloudEvents HTTP protocol binding 1.0.2).
#ifndef TEAL_HTTP_CLOUD_EVENTS_HPP
#define TEAL_HTTP_CLOUD_EVENTS_HPP

#include <optional>

#include "exchange.hpp"

namespace teal::http {

inline constexpr size_t kBatchEventsMax = 100;  // of one request

// Fills exchange.events: the function is called with the event as a hash. 415: no mode of CloudEvents; 400: an event
// that is none, and then none of a batch becomes one.
std::optional<Answer> PlanCloudEvents(Exchange& exchange);

}  // namespace teal::http

#endif

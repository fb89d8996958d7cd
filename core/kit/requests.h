// Clients of a trigger that listens through teal.host.http_server/1: what makes its events come by themselves.
#pragma once

namespace teal::kit {

// Starts, once in a process, a handful of clients. Each sends POST /kit, its body the request's number, under an
// Idempotency-Key of its own, again and again until it has an answer from 200 to 299; then the next. They go on for
// ever.
void StartRequests();

}  // namespace teal::kit

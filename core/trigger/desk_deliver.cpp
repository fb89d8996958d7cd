// From an event to its session.
#include <algorithm>

#include "core/host/json.h"
#include "core/runtime/durable.h"
#include "core/trigger/desk.h"

namespace teal::trigger {
namespace {

using runtime::ServiceError;

constexpr uint64_t kFirstDelayNs = 200'000'000;  // of an event that is given back; doubles
constexpr uint64_t kDelayMaxNs = 60'000'000'000;
constexpr uint64_t kErrorLogNs = 60'000'000'000;
constexpr size_t kAttemptsKeptMax = 100'000;  // events of a trigger that were given back and have not come again

std::string NameOf(const Event& event) {
  return std::to_string(event.source.size()) + ":" + event.source + event.id;
}

std::string ErrorBody(const char* kind, const std::string& message) {
  return host::ToText({{"error", {{"kind", kind}, {"message", message}}}});
}

}  // namespace

void Triggers::Desk::CountOne(Running& running, CountOf what) {
  ++(running.counts.*what);
  const std::lock_guard lock(counts_mutex_);
  ++(counts_[running.declared.kind].*what);
}

void Triggers::Desk::NoteError(Running& running, const std::string& message) {
  const uint64_t now = Now();
  if (message != running.last_error || now - running.last_logged_unix_ns > kErrorLogNs) {
    running.last_logged_unix_ns = now;
    Log("trigger " + running.declared.name + ": " + message);
  }
  running.last_error = message;
  running.last_error_unix_ns = now;
}

void Triggers::Desk::Deliver(const RunningPtr& running, Event event) {
  CountOne(*running, &TriggerCounts::events);
  ++running->on_their_way;
  const auto delivery = std::make_shared<Delivery>();
  delivery->running = running;
  delivery->event = std::move(event);
  if (const auto known = running->attempts.find(NameOf(delivery->event)); known != running->attempts.end()) {
    delivery->attempts = known->second;
  }
  Begin(delivery);
}

// With the event of a delivery: of a plugin, or fired by hand.
void Triggers::Desk::Begin(const DeliveryPtr& delivery) {
  const Declared& declared = delivery->running->declared;
  Result<Call> call = CallOf(delivery->event, declared.kind, declared.name, declared.function);
  if (!call) {
    delivery->attempts = kAttemptsMax;  // it will never be another
    const bool large = call.failure().code == FailureCode::kTooLarge;
    return Wrong(delivery,
                 {large ? ServiceError::Code::kTooLarge : ServiceError::Code::kInvalid, call.failure().message, "", 0});
  }
  delivery->call = std::move(*call);
  delivery->call.start.timeout_ns = declared.timeout_ns;
  delivery->sid = runtime::DurableSessions::SidOf(delivery->call.start);
  if (delivery->call.overlap != Overlap::kAllow && !delivery->by_hand) return TakeInLine(delivery);
  BeginAsNext(delivery);
}

void Triggers::Desk::BeginAsNext(const DeliveryPtr& delivery) {
  options_.service->Start(
      delivery->call.start, [self = shared_from_this(), delivery](runtime::Served<runtime::StartAnswer> served) {
        self->queue_.Post(
            [self, delivery, served = std::move(served)]() mutable { self->OnStarted(delivery, std::move(served)); });
      });
}

void Triggers::Desk::OnStarted(const DeliveryPtr& delivery, runtime::Served<runtime::StartAnswer> served) {
  Running& running = *delivery->running;
  LeaveLine(delivery);
  if (served.error && served.error->code != ServiceError::Code::kConflict) return OnRefused(delivery, *served.error);
  const bool created = !served.error && served.value.created;
  if (served.error) {
    // The session of this event has ended so long ago that only its tombstone is there.
    served.value.session.sid = delivery->sid;
    served.value.session.status = runtime::ViewStatus::kTerminated;
  }
  delivery->sid = served.value.session.sid;
  running.attempts.erase(NameOf(delivery->event));
  if (!created && !delivery->call.fingerprint.empty()) {
    for (const auto& [label, value] : served.value.session.labels) {
      if (label != kFingerprintLabel || value == delivery->call.fingerprint) continue;
      delivery->attempts = kAttemptsMax;
      return Wrong(delivery, {ServiceError::Code::kUnfit, "the same id came with something else before",
                              "take a new id for something new", 0});
    }
  }
  CountOne(running, created ? &TriggerCounts::started : &TriggerCounts::repeated);
  running.last_sid = delivery->sid;
  running.last_delivery_unix_ns = Now();
  if (delivery->by_hand) {
    Settled(delivery);
    return delivery->by_hand(std::move(served));
  }
  Accept(delivery);
}

void Triggers::Desk::OnRefused(const DeliveryPtr& delivery, const ServiceError& error) {
  switch (error.code) {
    case ServiceError::Code::kOverloaded:
    case ServiceError::Code::kUnavailable:
    case ServiceError::Code::kInternal:
      break;
    default:
      return Wrong(delivery, error);
  }
  if (delivery->by_hand) {
    Settled(delivery);
    return delivery->by_hand({error, {}});
  }
  if (delivery->call.reply_ns) {
    const bool full = error.code == ServiceError::Code::kOverloaded;
    CountOne(*delivery->running, &TriggerCounts::refused);
    NoteError(*delivery->running, error.message);
    return Reply(delivery, full ? 429 : 503, ErrorBody(full ? "overloaded" : "unavailable", error.message), 1);
  }
  Later(delivery, error.message, error.retry_after_ns);
}

// Not now. The plugin emits it again.
void Triggers::Desk::Later(const DeliveryPtr& delivery, const std::string& why, uint64_t retry_after_ns) {
  Running& running = *delivery->running;
  LeaveLine(delivery);
  CountOne(running, &TriggerCounts::delayed);
  NoteError(running, why);
  if (running.attempts.size() < kAttemptsKeptMax) running.attempts[NameOf(delivery->event)] = delivery->attempts + 1;
  const uint64_t delay = std::min(kFirstDelayNs << std::min(delivery->attempts, 10u), kDelayMaxNs);
  Reject(delivery, std::max(delay, retry_after_ns));
}

// Not as the program is. It may be another soon, so it is tried a few times, unless somebody waits for the answer.
void Triggers::Desk::Wrong(const DeliveryPtr& delivery, const ServiceError& error) {
  Running& running = *delivery->running;
  LeaveLine(delivery);
  const std::string why = error.hint.empty() ? error.message : error.message + "; " + error.hint;
  if (delivery->by_hand) {
    Settled(delivery);
    return delivery->by_hand({error, {}});
  }
  if (delivery->call.reply_ns) {
    CountOne(running, &TriggerCounts::refused);
    NoteError(running, why);
    const bool large = error.code == ServiceError::Code::kTooLarge;
    const bool invalid = error.code == ServiceError::Code::kInvalid;
    return Reply(delivery,
                 large     ? 413
                 : invalid ? 400
                           : 422,
                 ErrorBody(large     ? "too_large"
                           : invalid ? "invalid"
                                     : "unfit",
                           error.message));
  }
  if (delivery->attempts + 1 < kAttemptsMax) return Later(delivery, why, 0);
  Bury(delivery, why);
}

}  // namespace teal::trigger

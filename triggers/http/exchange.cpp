#include "exchange.hpp"

#include <algorithm>

#include "cloud_events.hpp"
#include "text.hpp"

namespace teal::http {
namespace {

constexpr size_t kKeyBytesMax = 512;  // of an Idempotency-Key

// Parts that no part can imitate, whatever it holds.
std::string Digest(std::initializer_list<std::string_view> parts) {
  std::string all;
  for (const std::string_view part : parts) all += std::to_string(part.size()) + ":" + std::string(part);
  return Hex(Sha256(all));
}

// The name of the event, so that a repeat finds the first. The ids that a hook's sender gives to its deliveries are not
// signed: there the body alone counts.
std::optional<Answer> Name(const Exchange& exchange, const std::string& request_id, Planned* event) {
  const Request& request = exchange.request;
  if (exchange.trigger->settings.auth == Auth::kHmac) {
    event->id = "body-" + Hex(Sha256(request.body));
    return std::nullopt;
  }
  if (!request.Has("idempotency-key")) {
    event->id = request_id;
    return std::nullopt;
  }
  const std::string key = request.Header("idempotency-key");
  if (key.empty() || key.size() > kKeyBytesMax) {
    return ErrorAnswer(400, "invalid", "the Idempotency-Key has 1 to 512 bytes");
  }
  event->id = "key-" + Digest({request.method, exchange.caller.principal, key});
  event->fingerprint = Digest({request.path, request.query, request.body});
  return std::nullopt;
}

}  // namespace

std::optional<Answer> WhyUnfit(const Request& request, const TriggerSettings& settings) {
  const std::string encoding = Lower(Trim(request.Header("content-encoding")));
  if (!encoding.empty() && encoding != "identity") {
    return ErrorAnswer(415, "unsupported", "this Content-Encoding is not taken; send the body as it is");
  }
  if (settings.accept != Accept::kJson) return std::nullopt;
  const bool says_type = request.Has("content-type");
  if (request.body.empty() && !says_type) return std::nullopt;
  if (!IsJsonType(MediaType(request.Header("content-type")))) {
    return ErrorAnswer(415, "unsupported", "send JSON, with Content-Type: application/json");
  }
  if (!IsJson(request.body)) return ErrorAnswer(400, "invalid", "the body is no JSON");
  return std::nullopt;
}

std::optional<Answer> Plan(Exchange& exchange, const std::string& source_ip) {
  Trigger& trigger = *exchange.trigger;
  if (std::optional<Answer> unfit = WhyUnfit(exchange.request, trigger.settings)) return unfit;
  if (trigger.settings.accept == Accept::kCloudEvents) {
    if (std::optional<Answer> wrong = PlanCloudEvents(exchange)) return wrong;
  } else {
    const std::string request_id = RandomId();
    Planned event;
    event.type = "request";
    const std::optional<std::string> json = RequestJson(exchange.request, exchange.parameters, exchange.caller,
                                                        trigger.settings.auth, source_ip, request_id);
    if (!json) return ErrorAnswer(400, "invalid", "the query cannot be decoded");
    const std::string before = trigger.old_shape
                                   ? JsonString(exchange.request.method) + "," +
                                         JsonString(PercentDecode(exchange.request.path, false).value_or("")) + ","
                                   : "";
    event.data = "[" + before + *json + "]";
    if (std::optional<Answer> wrong = Name(exchange, request_id, &event)) return wrong;
    exchange.events.push_back(std::move(event));
  }
  for (const Planned& event : exchange.events) {
    if (event.data.size() > kEventBytesMax) {
      return ErrorAnswer(413, "too_large", "the request is larger than a session can be started with: 8 MiB as JSON");
    }
  }
  exchange.open = exchange.events.size();
  exchange.request.body = std::string();  // the events hold what is needed of it
  return std::nullopt;
}

Answer BatchAnswer(const Exchange& exchange) {
  Answer answer;
  answer.status = 202;
  answer.headers = {{"content-type", "application/json"}, {"cache-control", "no-store"}};
  answer.body = "[";
  for (const Planned& event : exchange.events) {
    // All or nothing: the sender repeats the whole batch, and those that have a session find it.
    if (event.answer->status >= 300) return *event.answer;
    if (answer.body.size() > 1) answer.body += ',';
    answer.body += "{\"sid\":" + JsonString(event.sid) + "}";
  }
  answer.body += ']';
  return answer;
}

}  // namespace teal::http

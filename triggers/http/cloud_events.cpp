#include "cloud_events.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "text.hpp"

namespace teal::http {
namespace {

using Json = nlohmann::json;

bool IsAttributeName(std::string_view name) {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

// What is wrong with an event; empty: nothing.
std::string WhyWrong(const Json& event) {
  if (!event.is_object()) return "an event is no object";
  const auto text = [&](const char* key) {
    const auto at = event.find(key);
    return at != event.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  if (text("specversion") != "1.0") return "`specversion` is not \"1.0\"";
  for (const char* const key : {"id", "source", "type"}) {
    if (text(key).empty()) return std::string("`") + key + "` is missing, empty or no text";
  }
  for (const auto& [key, value] : event.items()) {
    if (key == "data" || key == "data_base64") continue;
    if (!IsAttributeName(key)) return "an attribute has a name that is not of a-z and 0-9";
    if (value.is_object() || value.is_array() || value.is_number_float()) {
      return "`" + key + "` is no text, integer or boolean";
    }
  }
  if (event.contains("data") && event.contains("data_base64")) return "there are both `data` and `data_base64`";
  const auto base64 = event.find("data_base64");
  if (base64 == event.end()) return "";
  const bool decodes = base64->is_string() && DecodeBase64(base64->get_ref<const std::string&>(), false).has_value();
  return decodes ? "" : "`data_base64` is no Base64";
}

Answer Bad(const std::string& why) {
  return ErrorAnswer(400, "invalid", "this is no CloudEvent 1.0: " + why);
}

// `text`: the event as it goes to the function.
Planned PlannedOf(const Json& event, std::string_view text) {
  Planned planned;
  const std::string source = event["source"].get<std::string>();
  const std::string id = event["id"].get<std::string>();
  planned.id = "event-" + Hex(Sha256(std::to_string(source.size()) + ":" + source + id));
  planned.type = "cloudevent";
  planned.data = "[" + std::string(text) + "]";
  return planned;
}

// Of the headers ce-…, with the body as data.
std::optional<Answer> PlanBinary(Exchange& exchange) {
  const Request& request = exchange.request;
  Json event = Json::object();
  for (const auto& [name, value] : request.headers) {
    if (!name.starts_with("ce-")) continue;
    const std::optional<std::string> text = PercentDecode(value, false);
    if (!text || event.contains(name.substr(3))) return Bad("the header " + name + " is none of an event");
    event[name.substr(3)] = *text;
  }
  if (event.contains("data") || event.contains("data_base64")) return Bad("a header holds the data");
  const std::string type = request.Header("content-type");
  if (!type.empty()) event["datacontenttype"] = ToUtf8(type);
  if (const std::string wrong = WhyWrong(event); !wrong.empty()) return Bad(wrong);
  std::string text = event.dump();
  if (!request.body.empty()) {
    text.pop_back();
    if (IsJsonType(MediaType(type))) {
      if (!IsJson(request.body)) return Bad("the data are no JSON");
      text += ",\"data\":" + request.body + "}";
    } else if (IsUtf8(request.body)) {
      text += ",\"data\":" + JsonString(request.body) + "}";
    } else {
      text += ",\"data_base64\":" + JsonString(Base64(request.body)) + "}";
    }
  }
  exchange.events.push_back(PlannedOf(event, text));
  return std::nullopt;
}

}  // namespace

std::optional<Answer> PlanCloudEvents(Exchange& exchange) {
  const Request& request = exchange.request;
  const std::string type = MediaType(request.Header("content-type"));
  const bool structured = type == "application/cloudevents+json";
  exchange.batch = type == "application/cloudevents-batch+json";
  if (!structured && !exchange.batch) {
    if (request.Has("ce-specversion")) return PlanBinary(exchange);
    return ErrorAnswer(415, "unsupported",
                       "send a CloudEvent: with ce- headers, as application/cloudevents+json, or a batch of them");
  }
  if (!IsJson(request.body)) return Bad("the body is no JSON");
  const Json body = Json::parse(request.body, nullptr, false);
  if (structured) {
    if (const std::string wrong = WhyWrong(body); !wrong.empty()) return Bad(wrong);
    exchange.events.push_back(PlannedOf(body, request.body));
    return std::nullopt;
  }
  if (!body.is_array()) return Bad("a batch is a list of events");
  if (body.size() > kBatchEventsMax) return ErrorAnswer(413, "too_large", "a batch has at most 100 events");
  for (const Json& event : body) {
    if (const std::string wrong = WhyWrong(event); !wrong.empty()) return Bad(wrong);
  }
  for (const Json& event : body) {
    Planned planned = PlannedOf(event, event.dump());
    const auto same = [&](const Planned& other) { return other.id == planned.id; };
    if (std::none_of(exchange.events.begin(), exchange.events.end(), same))
      exchange.events.push_back(std::move(planned));
  }
  return std::nullopt;
}

}  // namespace teal::http

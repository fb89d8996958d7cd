#include "core/trigger/event.h"

#include <cstdio>
#include <ctime>

#include <teal/trigger.h>
#include <teal/bytes.hpp>
#include "core/host/call.h"
#include "core/host/json.h"
#include "core/trigger/triggers.h"
#include "core/vm/string_base64.h"
#include "core/vm/value.h"

namespace teal::trigger {
namespace {

using host::Json;

Failure Wrong(std::string message) {
  return Fail(FailureCode::kInvalid, std::move(message));
}

bool IsJsonType(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  return type == "application/json" || type.ends_with("+json");
}

// The one argument of events whose data are not the arguments themselves.
std::string ArgumentOf(const Event& event, const std::string& source, const Json& attributes) {
  Json fields = {{"source", source},
                 {"id", event.id},
                 {"type", event.type},
                 {"time", TimeText(event.time_unix_ns)},
                 {"content_type", event.content_type},
                 {"attributes", attributes}};
  if (!event.order_key.empty()) fields["order_key"] = event.order_key;
  std::string text = host::ToText(fields);
  text.pop_back();
  // JSON is passed as it is written: numbers keep all their digits.
  if (IsJsonType(event.content_type) && host::ParseJson(event.data)) return text + ",\"data\":" + event.data + "}";
  if (vm::IsValidUtf8(event.data)) return text + ",\"data\":" + Json(event.data).dump() + "}";
  std::string coded;
  vm::AppendBase64(event.data, &coded);
  return text + ",\"data_base64\":\"" + coded + "\"}";
}

}  // namespace

Event CopyOf(const teal_event& given) {
  const teal_event event = TakeIn(&given);
  return {event.token,
          event.time_unix_ns,
          Copy(event.source),
          Copy(event.id),
          Copy(event.type),
          Copy(event.order_key),
          Copy(event.content_type),
          Copy(event.data),
          Copy(event.attributes_json)};
}

Result<Call> CallOf(const Event& event, const std::string& kind, const std::string& name, const std::string& function) {
  if (event.source.empty() || event.id.empty()) return Wrong("the event has no source or no id");
  for (const std::string* text : {&event.source, &event.id, &event.type, &event.order_key, &event.content_type}) {
    if (text->size() > kEventIdBytesMax) return Wrong("a name of the event has more than 1024 bytes");
    if (!vm::IsValidUtf8(*text)) return Wrong("a name of the event is not UTF-8");
  }
  if (event.data.size() > kEventBytesMax) {
    return Fail(FailureCode::kTooLarge, "the event has " + std::to_string(event.data.size()) + " bytes; " +
                                            std::to_string(kEventBytesMax) + " are allowed");
  }
  Json attributes = Json::object();
  if (!event.attributes_json.empty()) {
    Result<Json> parsed = host::ParseJson(event.attributes_json);
    if (!parsed || !parsed->is_object()) return Wrong("the attributes of the event are no JSON object");
    attributes = std::move(*parsed);
  }
  Call call;
  if (const auto reply = attributes.find(TEAL_ATTRIBUTE_REPLY); reply != attributes.end()) {
    const auto timeout = reply->is_object() ? reply->find("timeout_ms") : reply->end();
    if (!reply->is_object() || timeout == reply->end() || !timeout->is_number_unsigned() ||
        timeout->get<uint64_t>() > 86'400'000) {
      return Wrong("the attribute `reply` is {\"timeout_ms\": N}, N up to a day");
    }
    call.reply_ns = timeout->get<uint64_t>() * 1'000'000;
  }
  if (const auto mark = attributes.find(TEAL_ATTRIBUTE_FINGERPRINT); mark != attributes.end()) {
    if (!mark->is_string() || mark->get_ref<const std::string&>().size() > 128) {
      return Wrong("the attribute `fingerprint` is a text of at most 128 bytes");
    }
    call.fingerprint = mark->get<std::string>();
  }
  if (const auto overlap = attributes.find(TEAL_ATTRIBUTE_OVERLAP); overlap != attributes.end()) {
    if (*overlap == "skip") {
      call.overlap = Overlap::kSkip;
    } else if (*overlap == "replace") {
      call.overlap = Overlap::kReplace;
    } else if (*overlap != "allow") {
      return Wrong("the attribute `overlap` is skip, allow or replace");
    }
  }
  for (const char* const own :
       {TEAL_ATTRIBUTE_REPLY, TEAL_ATTRIBUTE_MODE, TEAL_ATTRIBUTE_FINGERPRINT, TEAL_ATTRIBUTE_OVERLAP}) {
    attributes.erase(own);
  }
  call.start.function = function;
  call.start.source = event.source.starts_with(kind + ":") ? event.source : kind + ":" + event.source;
  call.start.id = event.id;
  call.start.labels = {{kTriggerLabel, name}};
  if (!call.fingerprint.empty()) call.start.labels.emplace_back(kFingerprintLabel, call.fingerprint);
  call.start.drop_arguments = true;
  call.start.arguments_json = event.content_type == TEAL_CONTENT_ARGUMENTS
                                  ? event.data
                                  : "[" + ArgumentOf(event, call.start.source, attributes) + "]";
  return call;
}

std::string TimeText(uint64_t unix_ns) {
  const auto seconds = static_cast<time_t>(unix_ns / 1'000'000'000);
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[48];
  const size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::string out(text, size);
  if (const uint64_t rest = unix_ns % 1'000'000'000; rest > 0) {
    char digits[16];
    std::snprintf(digits, sizeof digits, ".%09llu", static_cast<unsigned long long>(rest));
    out += digits;
    out.erase(out.find_last_not_of('0') + 1);
  }
  return out + "Z";
}

std::string Encode(const Event& event) {
  const auto binary = [](const std::string& text) {
    return Json::binary(std::vector<uint8_t>(text.begin(), text.end()));
  };
  const Json fields = {{"time", event.time_unix_ns},
                       {"source", binary(event.source)},
                       {"id", binary(event.id)},
                       {"type", binary(event.type)},
                       {"order_key", binary(event.order_key)},
                       {"content_type", binary(event.content_type)},
                       {"data", binary(event.data)},
                       {"attributes", binary(event.attributes_json)}};
  const std::vector<uint8_t> bytes = Json::to_cbor(fields);
  return std::string(bytes.begin(), bytes.end());
}

Result<Event> Decode(const std::string& bytes) {
  const Json fields = Json::from_cbor(bytes.begin(), bytes.end(), true, false);
  const auto text = [&](const char* key, std::string* out) {
    const auto at = fields.find(key);
    if (at == fields.end() || !at->is_binary()) return false;
    out->assign(at->get_binary().begin(), at->get_binary().end());
    return true;
  };
  Event event;
  if (!fields.is_object() || !fields.contains("time") || !fields["time"].is_number_unsigned() ||
      !text("source", &event.source) || !text("id", &event.id) || !text("type", &event.type) ||
      !text("order_key", &event.order_key) || !text("content_type", &event.content_type) ||
      !text("data", &event.data) || !text("attributes", &event.attributes_json)) {
    return Fail(FailureCode::kCorrupt, "the event of the dead letter is damaged");
  }
  event.time_unix_ns = fields["time"].get<uint64_t>();
  return event;
}

}  // namespace teal::trigger

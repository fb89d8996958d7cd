#include "settings.hpp"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <teal/trigger.hpp>

#include "routes.hpp"
#include "text.hpp"

namespace teal::http {
namespace {

using Json = nlohmann::json;

// Reads the keys of an object; the first thing that is wrong stays.
class Reader {
 public:
  Reader(const Json& object, std::string where, std::initializer_list<std::string_view> known, std::string* wrong)
      : object_(object), where_(std::move(where)), wrong_(*wrong) {
    if (!object_.is_object()) {
      Wrong(where_.empty() ? "the section" : where_, "is no object");
      return;
    }
    for (const auto& [key, value] : object_.items()) {
      if (std::find(known.begin(), known.end(), key) == known.end()) Wrong(Name(key), "is no key of HTTP triggers");
    }
  }
  void Wrong(const std::string& what, const std::string& how) {
    if (wrong_.empty()) wrong_ = what + " " + how;
  }
  const Json* Find(const char* key) const {
    const auto at = object_.is_object() ? object_.find(key) : object_.end();
    return at == object_.end() || at->is_null() ? nullptr : &*at;
  }
  std::string Text(const char* key) {
    const Json* const value = Find(key);
    if (value == nullptr) return "";
    if (value->is_string() && !value->get_ref<const std::string&>().empty()) return value->get<std::string>();
    Wrong(Name(key), "is no text");
    return "";
  }
  // One of `names`, by its place; `otherwise` without the key.
  template <typename Enum>
  Enum OneOf(const char* key, std::initializer_list<std::string_view> names, Enum otherwise) {
    const std::string text = Text(key);
    if (Find(key) == nullptr) return otherwise;
    const auto at = std::find(names.begin(), names.end(), text);
    if (at != names.end()) return static_cast<Enum>(at - names.begin());
    std::string list;
    for (const std::string_view name : names) list += (list.empty() ? "" : ", ") + std::string(name);
    Wrong(Name(key), "is one of " + list);
    return otherwise;
  }
  std::vector<std::string> Texts(const char* key) {
    const Json* const value = Find(key);
    std::vector<std::string> texts;
    if (value == nullptr) return texts;
    if (value->is_string()) return {value->get<std::string>()};
    if (!value->is_array()) Wrong(Name(key), "is no list of texts");
    if (value->is_array()) {
      for (const Json& item : *value) {
        if (!item.is_string()) Wrong(Name(key), "is no list of texts");
        if (item.is_string()) texts.push_back(item.get<std::string>());
      }
    }
    return texts;
  }
  uint64_t Duration(const char* key, uint64_t otherwise, uint64_t max) {
    const Json* const value = Find(key);
    if (value == nullptr) return otherwise;
    const std::string text = value->is_string() ? value->get<std::string>() : value->dump();
    const std::optional<uint64_t> ns = trigger::ReadDuration(text);
    if (!ns) Wrong(Name(key), "is no duration; write, for example, 30s");
    return std::min(ns.value_or(otherwise), max);
  }
  uint64_t Size(const char* key, uint64_t otherwise, uint64_t max) {
    const Json* const value = Find(key);
    if (value == nullptr) return otherwise;
    const std::string text = value->is_string() ? value->get<std::string>() : value->dump();
    const std::optional<uint64_t> size = trigger::ReadSize(text);
    if (!size) Wrong(Name(key), "is no size; write, for example, 64KiB");
    if (size && *size > max) Wrong(Name(key), "is more than the host takes: " + std::to_string(max >> 20) + "MiB");
    return size.value_or(otherwise);
  }
  bool Flag(const char* key) {
    const Json* const value = Find(key);
    if (value != nullptr && !value->is_boolean()) Wrong(Name(key), "is neither true nor false");
    return value != nullptr && value->is_boolean() && value->get<bool>();
  }

 private:
  std::string Name(const std::string& key) const { return "`" + where_ + (where_.empty() ? "" : ".") + key + "`"; }

  const Json& object_;
  const std::string where_;
  std::string& wrong_;
};

bool IsHeaderText(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::optional<Cors> ReadCors(const Json& json, std::string* wrong) {
  Cors cors;
  if (json.is_boolean()) {
    if (!json.get<bool>()) return std::nullopt;
    cors.origins = {"*"};
    return cors;
  }
  Reader reader(json, "cors", {"origins", "headers", "credentials", "max_age"}, wrong);
  cors.origins = reader.Texts("origins");
  if (reader.Find("origins") == nullptr) cors.origins = {"*"};
  cors.headers = reader.Texts("headers");
  cors.credentials = reader.Flag("credentials");
  cors.max_age_s = reader.Duration("max_age", 0, 86'400'000'000'000) / 1'000'000'000;
  for (const auto* list : {&cors.origins, &cors.headers}) {
    if (!std::all_of(list->begin(), list->end(), IsHeaderText)) reader.Wrong("`cors`", "holds what no header can hold");
  }
  if (cors.credentials && std::find(cors.origins.begin(), cors.origins.end(), "*") != cors.origins.end()) {
    reader.Wrong("`cors.credentials`", "needs origins by name: browsers refuse cookies for *");
  }
  return cors;
}

}  // namespace

TriggerSettings ReadTrigger(std::string_view text, std::string* wrong) {
  TriggerSettings settings;
  const Json json = Json::parse(text, nullptr, false);
  Reader reader(json, "",
                {"name", "path", "methods", "auth", "mode", "timeout", "max_body", "accept", "cors", "hmac", "jwt"},
                wrong);
  settings.path = reader.Text("path");
  if (const auto bad = WrongPattern(settings.path)) reader.Wrong("`path`:", *bad + "; write /orders/{id}");
  settings.methods = reader.Texts("methods");
  for (const std::string& method : settings.methods) {
    if (method.empty() || method.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") != std::string::npos) {
      reader.Wrong("`methods`", "holds no methods in capitals, as GET");
    }
  }
  settings.auth = reader.OneOf("auth", {"anonymous", "key", "hmac", "jwt"}, Auth::kKey);
  settings.mode = reader.OneOf("mode", {"sync", "async", "stateless"}, Mode::kSync);
  settings.accept = reader.OneOf("accept", {"any", "json", "cloudevents"}, Accept::kAny);
  settings.wait_ns = reader.Duration("timeout", kWaitNs, kWaitNsMax);
  settings.body_bytes_max = reader.Size("max_body", kBodyBytes, kBodyBytesMax);
  if (const Json* const cors = reader.Find("cors")) settings.cors = ReadCors(*cors, wrong);
  if (const Json* const hmac = reader.Find("hmac"))
    settings.hmac_secret = Reader(*hmac, "hmac", {"secret"}, wrong).Text("secret");
  if (settings.auth == Auth::kHmac && settings.hmac_secret.empty()) {
    reader.Wrong("`hmac.secret`", "is missing: auth: hmac needs the secret that both sides have");
  }
  if (const Json* const jwt = reader.Find("jwt")) {
    Reader inner(*jwt, "jwt", {"issuer", "audience"}, wrong);
    settings.issuer = inner.Text("issuer");
    settings.audience = inner.Text("audience");
  }
  if (settings.auth == Auth::kJwt) {
    if (!settings.issuer.starts_with("https://")) reader.Wrong("`jwt.issuer`", "is the issuer's URL, with https");
    if (settings.audience.empty()) reader.Wrong("`jwt.audience`", "is missing: whom tokens must be for");
  }
  return settings;
}

InstanceSettings ReadInstance(std::string_view text, std::string* wrong) {
  InstanceSettings settings;
  const Json json = text.empty() ? Json::object() : Json::parse(text, nullptr, false);
  Reader reader(json, "", {"app", "stage", "keys", "trusted_proxies"}, wrong);
  if (!json.is_object()) return settings;
  if (const auto keys = json.find("keys"); keys != json.end() && keys->is_object()) {
    for (const auto& [name, value] : keys->items()) {
      if (value.is_string()) settings.keys.emplace(name, value.get<std::string>());
      if (!value.is_array()) continue;
      for (const Json& one : value) {
        if (one.is_string()) settings.keys.emplace(name, one.get<std::string>());
      }
    }
  }
  std::erase_if(settings.keys, [](const auto& key) { return key.second.empty(); });
  if (const auto proxies = json.find("trusted_proxies"); proxies != json.end()) {
    for (const Json& range : proxies->is_array() ? *proxies : Json::array({*proxies})) {
      if (range.is_string() && settings.trusted_proxies.Add(range.get<std::string>())) continue;
      if (wrong->empty()) *wrong = "`trusted_proxies` is a list of addresses and ranges, as 10.0.0.0/8";
    }
  }
  return settings;
}

}  // namespace teal::http

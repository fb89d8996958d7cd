#include "triggers/s3/rule.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "triggers/s3/bucket.hpp"
#include "triggers/s3/keys.hpp"

namespace teal::s3 {
namespace {

using Json = nlohmann::json;

// `existing` and `name` are for others: whether a cloud's bucket is there already, and what the trigger is called.
constexpr std::array<std::string_view, 6> kKnown = {"bucket", "events", "prefix", "suffix", "existing", "name"};

std::optional<std::string> WrongEvent(const Json& event) {
  const std::string* const text = event.get_ptr<const std::string*>();
  if (text == nullptr) return "\"events\" is a list of texts, such as [\"s3:ObjectCreated:*\"]";
  const bool good = text->starts_with("s3:Object") && text->find('*') >= text->size() - 1;
  if (!good) return "\"" + *text + "\" in \"events\" is no event of S3; write, for example, s3:ObjectCreated:*";
  return std::nullopt;
}

}  // namespace

bool Rule::ForType(std::string_view type) const {
  return std::any_of(events.begin(), events.end(), [&](std::string_view event) {
    return event.ends_with('*') ? type.starts_with(event.substr(0, event.size() - 1)) : type == event;
  });
}

std::optional<Rule> ReadRule(std::string_view json, std::string* wrong) {
  const Json section = Json::parse(json, nullptr, false);
  if (!section.is_object()) {
    *wrong = "the section of an s3 trigger is no object; write {bucket: NAME}";
    return std::nullopt;
  }
  for (const auto& [key, value] : section.items()) {
    if (std::find(kKnown.begin(), kKnown.end(), key) != kKnown.end()) continue;
    *wrong = "unknown key \"" + key + "\" of an s3 trigger; known: bucket events prefix suffix existing name";
    return std::nullopt;
  }
  Rule rule;
  const auto text = [&](const char* key, std::string* out) {
    const auto found = section.find(key);
    if (found == section.end()) return true;
    if (!found->is_string()) {
      *wrong = "\"" + std::string(key) + "\" of an s3 trigger is no text";
      return false;
    }
    *out = found->get<std::string>();
    return true;
  };
  std::string bucket;
  if (!text("bucket", &bucket) || !text("prefix", &rule.prefix) || !text("suffix", &rule.suffix)) return std::nullopt;
  if (bucket.empty()) {
    *wrong = "an s3 trigger needs \"bucket\"; write {bucket: NAME}";
    return std::nullopt;
  }
  rule.bucket = BucketName(bucket);
  if (const auto bad = WrongBucket(rule.bucket)) {
    *wrong = *bad;
    return std::nullopt;
  }
  if (const auto events = section.find("events"); events != section.end()) {
    if (!events->is_array() || events->empty()) {
      *wrong = "\"events\" is a list of texts, such as [\"s3:ObjectCreated:*\"]";
      return std::nullopt;
    }
    rule.events.clear();
    for (const Json& event : *events) {
      if (const auto bad = WrongEvent(event)) {
        *wrong = *bad;
        return std::nullopt;
      }
      rule.events.push_back(event.get<std::string>());
    }
  }
  return rule;
}

}  // namespace teal::s3

#include "core/host/http/faults.h"

#include <strings.h>

#include <algorithm>

#include "core/host/json.h"

namespace teal::host::http {
namespace {

constexpr uint64_t kDelayMsMax = 60'000;
constexpr size_t kRulesMax = 100;

struct KindName {
  const char* name;
  FaultKind kind;
};
constexpr KindName kKinds[] = {{"refused", FaultKind::kRefused},
                               {"lost_request", FaultKind::kLostRequest},
                               {"lost_answer", FaultKind::kLostAnswer},
                               {"timeout", FaultKind::kTimeout},
                               {"timeout_unsent", FaultKind::kTimeoutUnsent},
                               {"status", FaultKind::kStatus},
                               {"status_after", FaultKind::kStatusAfter},
                               {"cut", FaultKind::kCut},
                               {"delay", FaultKind::kDelay}};

// splitmix64: every seed is as good as another.
uint64_t NextRandom(uint64_t* state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// Takes typed keys out of a rule; what is left over at the end is unknown.
class Keys {
 public:
  explicit Keys(Json rule) : rule_(std::move(rule)) {}

  void Text(const char* key, std::string* out) {
    const Json value = Take(key);
    if (value.is_string())
      *out = value.get<std::string>();
    else if (!value.is_null())
      Wrong(key, "must be a string");
  }
  void Number(const char* key, uint64_t max, uint64_t* out) {
    const Json value = Take(key);
    if (value.is_number_unsigned() && value.get<uint64_t>() <= max)
      *out = value.get<uint64_t>();
    else if (!value.is_null())
      Wrong(key, "must be an integer from 0 to " + std::to_string(max));
  }
  void Probability(const char* key, double* out) {
    const Json value = Take(key);
    if (value.is_number() && value.get<double>() >= 0 && value.get<double>() <= 1)
      *out = value.get<double>();
    else if (!value.is_null())
      Wrong(key, "must be a number from 0 to 1");
  }
  std::string Finish() {
    if (wrong_.empty() && !rule_.empty()) return "there is no key \"" + rule_.items().begin().key() + "\"";
    return wrong_;
  }
  void Wrong(const std::string& key, const std::string& what) {
    if (wrong_.empty()) wrong_ = "\"" + key + "\" " + what;
  }

 private:
  Json Take(const char* key) {
    const auto found = rule_.find(key);
    if (found == rule_.end()) return {};
    Json value = *found;
    rule_.erase(found);
    if (value.is_null()) Wrong(key, "must not be null");
    return value;
  }

  Json rule_;
  std::string wrong_;
};

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

bool Fault::Sends() const {
  return kind == FaultKind::kLostAnswer || kind == FaultKind::kTimeout || kind == FaultKind::kStatusAfter ||
         kind == FaultKind::kCut || kind == FaultKind::kDelay;
}

Result<Faults> Faults::Parse(std::string_view text) {
  Faults faults;
  if (text.empty()) return faults;
  const auto refuse = [](const std::string& why) { return Fail(FailureCode::kInvalid, "faults: " + why); };
  const Result<Json> json = ParseJson(text);
  if (!json) return refuse(json.failure().message);
  const Json& root = json.value();
  if (!root.is_object() || !root.contains("rules") || !root["rules"].is_array() || root["rules"].size() > kRulesMax) {
    return refuse("must be {\"seed\": N, \"rules\": […]} with at most " + std::to_string(kRulesMax) + " rules");
  }
  for (const auto& [key, value] : root.items()) {
    if (key == "seed" && value.is_number_unsigned())
      faults.random_ = value.get<uint64_t>();
    else if (key != "rules")
      return refuse("\"" + key + "\" is no key, or no integer");
  }
  for (size_t i = 0; i < root["rules"].size(); ++i) {
    const std::string place = "rule " + std::to_string(i) + ": ";
    if (!root["rules"][i].is_object()) return refuse(place + "must be an object");
    Keys keys(root["rules"][i]);
    Rule rule;
    std::string kind;
    std::string header;
    uint64_t delay_ms = 0;
    uint64_t status = 500;
    keys.Text("fault", &kind);
    keys.Probability("probability", &rule.probability);
    keys.Text("method", &rule.method);
    keys.Text("url", &rule.url);
    keys.Text("header", &header);
    keys.Number("skip", UINT64_MAX, &rule.skip);
    keys.Number("count", UINT64_MAX, &rule.count);
    keys.Number("delay_ms", kDelayMsMax, &delay_ms);
    keys.Number("status", 599, &status);
    keys.Text("retry_after", &rule.fault.retry_after);
    keys.Text("body", &rule.fault.body);
    const auto* const known =
        std::find_if(std::begin(kKinds), std::end(kKinds), [&](const KindName& name) { return name.name == kind; });
    if (known == std::end(kKinds)) keys.Wrong("fault", "must be one of those that faults.h lists");
    if (status < 200) keys.Wrong("status", "must be from 200 to 599");
    const size_t colon = header.find(':');
    if (!header.empty() && colon == std::string::npos) keys.Wrong("header", "must be \"name: value\"");
    if (const std::string wrong = keys.Finish(); !wrong.empty()) return refuse(place + wrong);
    rule.fault.kind = known->kind;
    rule.fault.delay_ns = delay_ms * 1'000'000;
    rule.fault.status = static_cast<uint32_t>(status);
    if (!header.empty()) {
      rule.header_name = header.substr(0, colon);
      rule.header_value = header.substr(std::min(header.find_first_not_of(' ', colon + 1), header.size()));
    }
    faults.rules_.push_back(std::move(rule));
  }
  return faults;
}

std::optional<Fault> Faults::Next(const FaultSubject& subject) {
  for (Rule& rule : rules_) {
    if (!rule.method.empty() && rule.method != subject.method) continue;
    if (subject.url.find(rule.url) == std::string_view::npos) continue;
    const bool header =
        rule.header_name.empty() ||
        std::any_of(subject.headers->begin(), subject.headers->end(), [&](const std::string& line) {
          const size_t colon = line.find(':');
          if (colon == std::string::npos || !SameName(line.substr(0, colon), rule.header_name)) return false;
          const size_t value = line.find_first_not_of(' ', colon + 1);
          return value != std::string::npos && line.compare(value, rule.header_value.size(), rule.header_value) == 0;
        });
    if (!header || rule.count == 0) continue;
    if (rule.skip > 0) {
      --rule.skip;
      continue;
    }
    const double die = static_cast<double>(NextRandom(&random_) >> 11) * 0x1p-53;
    if (die >= rule.probability) continue;
    if (rule.count != UINT64_MAX) --rule.count;
    return rule.fault;
  }
  return std::nullopt;
}

}  // namespace teal::host::http

#include "plugins/aws/config.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <variant>

#include "plugins/aws/http.hpp"

namespace teal::aws {
namespace {

using Json = nlohmann::json;

struct Milliseconds {
  uint64_t* ns;
  uint64_t least;
  uint64_t most;
};
struct Count {
  uint32_t* value;
  uint64_t least;
  uint64_t most;
};
using Slot = std::variant<std::string*, bool*, Milliseconds, Count>;
using Slots = std::map<std::string, Slot>;

Error Wrong(const std::string& key, const std::string& what) {
  return {TEAL_INVALID, "aws: `" + key + "` " + what};
}

Status FillNumber(const std::string& name, const Json& value, uint64_t least, uint64_t most, uint64_t& out) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() < least || value.get<uint64_t>() > most) {
    return Wrong(name, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  out = value.get<uint64_t>();
  return Nothing{};
}

Status Fill(const std::string& prefix, const Json& object, const Slots& slots) {
  for (const auto& [key, value] : object.items()) {
    const std::string name = prefix + key;
    const auto slot = slots.find(key);
    if (slot == slots.end()) return Wrong(name, "is no key of this section; look for a misspelling");
    if (const auto text = std::get_if<std::string*>(&slot->second)) {
      if (!value.is_string() || value.get_ref<const std::string&>().empty())
        return Wrong(name, "must be a text, not empty");
      **text = value.get<std::string>();
    } else if (const auto flag = std::get_if<bool*>(&slot->second)) {
      if (!value.is_boolean()) return Wrong(name, "must be true or false");
      **flag = value.get<bool>();
    } else if (const auto time = std::get_if<Milliseconds>(&slot->second)) {
      uint64_t milliseconds = 0;
      if (Status status = FillNumber(name, value, time->least, time->most, milliseconds); !status) return status;
      *time->ns = milliseconds * 1'000'000;
    } else {
      const Count count = std::get<Count>(slot->second);
      uint64_t number = 0;
      if (Status status = FillNumber(name, value, count.least, count.most, number); !status) return status;
      *count.value = static_cast<uint32_t>(number);
    }
  }
  return Nothing{};
}

Status CheckUrl(const std::string& key, std::string& url) {
  if (url.empty()) return Nothing{};
  while (url.back() == '/') url.pop_back();
  std::string_view host, path, query;
  if (!SplitUrl(url, host, path, query) || !path.empty() || !query.empty()) {
    return Wrong(key, "must be a URL such as http://127.0.0.1:8000, without a path");
  }
  return Nothing{};
}

bool Only(std::string_view text, std::string_view marks) {
  return std::all_of(text.begin(), text.end(), [marks](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           marks.find(c) != std::string_view::npos;
  });
}

}  // namespace

std::optional<std::string> ProcessEnvironment(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

Result<Config> ParseConfig(std::string_view json) {
  Json top = Json::parse(json, nullptr, false);
  if (!top.is_object()) return Error{TEAL_INVALID, "aws: the section is no JSON object"};
  Config config;
  for (const auto& [key, slots] : std::map<std::string, Slots>{{"credentials",
                                                                {{"access_key_id", &config.access_key_id},
                                                                 {"secret_access_key", &config.secret_access_key},
                                                                 {"session_token", &config.session_token}}},
                                                               {"endpoints",
                                                                {{"dynamodb", &config.dynamodb_endpoint},
                                                                 {"s3", &config.s3_endpoint},
                                                                 {"sts", &config.sts_endpoint},
                                                                 {"imds", &config.imds_endpoint}}}}) {
    if (!top.contains(key)) continue;
    if (!top[key].is_object()) return Wrong(key, "must be an object");
    if (Status status = Fill(key + ".", top[key], slots); !status) return status.error();
    top.erase(key);
  }
  const Status filled = Fill("", top,
                             {{"table", &config.table},
                              {"region", &config.region},
                              {"profile", &config.profile},
                              {"create_table", &config.create_table},
                              {"bucket", &config.bucket},
                              {"bucket_prefix", &config.bucket_prefix},
                              {"path_style", &config.path_style},
                              {"timeout_ms", Milliseconds{&config.timeout_ns, 100, 900'000}},
                              {"request_timeout_ms", Milliseconds{&config.request_timeout_ns, 50, 300'000}},
                              {"index_lag_ms", Milliseconds{&config.index_lag_ns, 0, 3'600'000}},
                              {"attempts", Count{&config.attempts, 1, 100}}});
  if (Status status = filled; !status) return status.error();
  if (config.table.empty()) return Wrong("table", "is missing: the name of the DynamoDB table");
  if (config.table.size() < 3 || config.table.size() > 255 || !Only(config.table, "_.-")) {
    return Wrong("table", "must be 3 to 255 characters of a-z A-Z 0-9 _ . -");
  }
  if (!config.bucket.empty() && (config.bucket.size() < 3 || config.bucket.size() > 63 || !Only(config.bucket, ".-"))) {
    return Wrong("bucket", "must be the name of an S3 bucket: 3 to 63 characters of a-z 0-9 . -");
  }
  if (config.bucket.empty() && !config.bucket_prefix.empty()) return Wrong("bucket_prefix", "needs `bucket`");
  if (config.bucket_prefix.size() > 400 || !Only(config.bucket_prefix, "_.-/")) {
    return Wrong("bucket_prefix", "must be at most 400 characters of a-z A-Z 0-9 _ . - /");
  }
  if (!Only(config.region, "-")) return Wrong("region", "must be a name such as eu-central-1");
  if (config.access_key_id.empty() != config.secret_access_key.empty()) {
    return Wrong("credentials", "needs access_key_id and secret_access_key, both or none");
  }
  for (const auto& [key, url] : {std::pair{"endpoints.dynamodb", &config.dynamodb_endpoint},
                                 {"endpoints.s3", &config.s3_endpoint},
                                 {"endpoints.sts", &config.sts_endpoint},
                                 {"endpoints.imds", &config.imds_endpoint}}) {
    if (Status status = CheckUrl(key, *url); !status) return status.error();
  }
  return config;
}

}  // namespace teal::aws

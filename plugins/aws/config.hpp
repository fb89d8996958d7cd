// The plugin's section of teal.yaml, and what of the environment it reads. Read once, at open.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "plugins/aws/result.hpp"

namespace teal::aws {

// A variable of the environment; empty counts as absent.
using Environment = std::function<std::optional<std::string>(const char*)>;
std::optional<std::string> ProcessEnvironment(const char* name);

struct Config {
  std::string table;
  std::string region;  // empty until the environment or a profile gives it
  std::string profile;
  bool create_table = false;

  std::string bucket;  // empty = no blobs, and no values above what an item holds
  std::string bucket_prefix;
  bool path_style = false;

  // Keys given outright; a profile or the environment is better.
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;

  // In place of AWS's own addresses; empty = those.
  std::string dynamodb_endpoint;
  std::string s3_endpoint;
  std::string sts_endpoint;
  std::string imds_endpoint;

  uint64_t timeout_ns = 30'000'000'000;          // of a call without a deadline
  uint64_t request_timeout_ns = 10'000'000'000;  // of one request
  uint32_t attempts = 8;
  uint64_t index_lag_ns = 10'000'000'000;
};

// Refuses unknown keys, wrong types and values out of range by name. The manifest's JSON Schema says the same.
Result<Config> ParseConfig(std::string_view json);

}  // namespace teal::aws

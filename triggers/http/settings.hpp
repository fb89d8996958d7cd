// What a trigger's section and the instance's config say, read and checked.
#ifndef TEAL_HTTP_SETTINGS_HPP
#define TEAL_HTTP_SETTINGS_HPP

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxies.hpp"

namespace teal::http {

inline constexpr uint64_t kBodyBytes = 1u << 20;      // without `max_body`
inline constexpr uint64_t kBodyBytesMax = 16u << 20;  // of `max_body`; what the host's listener takes
inline constexpr uint64_t kEventBytesMax = 8u << 20;  // of what a function is called with: the host's limit
inline constexpr uint64_t kWaitNs = 30'000'000'000;   // of `mode: sync`, without `timeout`
inline constexpr uint64_t kWaitNsMax = 300'000'000'000;

enum class Auth : uint8_t { kAnonymous, kKey, kHmac, kJwt };
enum class Mode : uint8_t { kSync, kAsync, kStateless };
enum class Accept : uint8_t { kAny, kJson, kCloudEvents };

struct Cors {
  std::vector<std::string> origins;  // "*" is any
  std::vector<std::string> headers;
  bool credentials = false;
  uint64_t max_age_s = 0;  // 0: not said
};

struct TriggerSettings {
  std::string path;
  std::vector<std::string> methods;  // capitals; empty: any
  Auth auth = Auth::kKey;
  Mode mode = Mode::kSync;
  Accept accept = Accept::kAny;
  uint64_t wait_ns = kWaitNs;
  uint64_t body_bytes_max = kBodyBytes;
  std::optional<Cors> cors;
  std::string hmac_secret;
  std::string issuer, audience;  // of jwt
};

// Where *wrong is set the settings are not to be used; it names the key and what to write.
TriggerSettings ReadTrigger(std::string_view json, std::string* wrong);

struct InstanceSettings {
  std::multimap<std::string, std::string> keys;  // by name; several of one name: rotation
  Proxies trusted_proxies;
};

InstanceSettings ReadInstance(std::string_view json, std::string* wrong);

}  // namespace teal::http

#endif

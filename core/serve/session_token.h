// Tokens that let whoever has one read the status and the result of one session, for a time, without a key: a browser
// behind an open route asks so how its task is doing.
//
// A token is `<expiry>.<mac>`: seconds since 1970 in decimal, and the HMAC-SHA-256 (RFC 2104) of `<sid>.<expiry>` in
// lower-case hexadecimal digits. Its key is the HMAC-SHA-256 of `teal session token` under the host's own key, so that
// tokens die with that key, and hosts that have it from one file take each other's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/sha256.h"

namespace teal::serve {

inline constexpr uint64_t kTokenSeconds = 24 * 3600;  // how long a token is good

// Immutable; thread-safe.
class SessionTokens {
 public:
  explicit SessionTokens(std::string_view own_key);

  std::string Make(std::string_view sid, uint64_t now_unix_s) const;
  // Whether it is of that session and not over. Takes the same time for any token of a length.
  bool Allows(std::string_view token, std::string_view sid, uint64_t now_unix_s) const;

 private:
  std::string MacOf(std::string_view sid, std::string_view expiry) const;
  Sha256 key_{};
};

}  // namespace teal::serve

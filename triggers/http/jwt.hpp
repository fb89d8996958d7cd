// Tokens of an OIDC issuer: a JSON Web Token in Authorization: Bearer, signed by RS256, ES256 or EdDSA (RFC 7515, 7518,
// 7519, 8037). Everything here is pure: keys are brought by issuers.hpp. Thread-safe.
#ifndef TEAL_HTTP_JWT_HPP
#define TEAL_HTTP_JWT_HPP

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth.hpp"

struct evp_pkey_st;

namespace teal::http {

inline constexpr uint64_t kClockSkewS = 30;         // that an issuer's clock may differ by
inline constexpr size_t kTokenBytesMax = 8 * 1024;  // what a header can hold
inline constexpr int kRsaBitsMin = 2048;

struct SigningKey {
  std::string algorithm;  // RS256, ES256 or EdDSA: what the kind of key fits, and no other
  std::shared_ptr<evp_pkey_st> key;
};
// By `kid`; a set with one key without a `kid` has it under "".
using KeySet = std::map<std::string, SigningKey>;

// The keys of a JWKS (RFC 7517) that can check tokens; others in it are left out. nullopt: it is no JWKS.
std::optional<KeySet> ReadKeySet(std::string_view json);

struct Token {
  std::string algorithm;
  std::string key_id;
  std::string claims_json;
  std::string_view signed_part;  // of the text that was read
  std::string signature;
};

// What a request shows: nothing (401), or what is no token that could be checked (403).
std::optional<Answer> ReadToken(const std::string& authorization, Token* out);

// Whether `token` is signed by `key`, from this issuer, for this audience, and valid now. The caller is its `sub`.
Verdict CheckToken(const Token& token, const SigningKey& key, const std::string& issuer, const std::string& audience,
                   uint64_t now_s);

Verdict WrongToken(const std::string& why);

}  // namespace teal::http

#endif

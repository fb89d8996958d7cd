#include "core/serve/session_token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <charconv>

namespace teal::serve {
namespace {

Sha256 HmacOf(std::string_view key, std::string_view text) {
  Sha256 mac{};
  unsigned int size = mac.size();
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), mac.data(), &size);
  return mac;
}

}  // namespace

SessionTokens::SessionTokens(std::string_view own_key) : key_(HmacOf(own_key, "teal session token")) {}

std::string SessionTokens::MacOf(std::string_view sid, std::string_view expiry) const {
  const std::string_view key(reinterpret_cast<const char*>(key_.data()), key_.size());
  return Hex(HmacOf(key, std::string(sid) + "." + std::string(expiry)));
}

std::string SessionTokens::Make(std::string_view sid, uint64_t now_unix_s) const {
  const std::string expiry = std::to_string(now_unix_s + kTokenSeconds);
  return expiry + "." + MacOf(sid, expiry);
}

bool SessionTokens::Allows(std::string_view token, std::string_view sid, uint64_t now_unix_s) const {
  const size_t dot = token.find('.');
  if (dot == std::string_view::npos) return false;
  const std::string_view expiry = token.substr(0, dot);
  const std::string_view mac = token.substr(dot + 1);
  const std::string wanted = MacOf(sid, expiry);
  if (mac.size() != wanted.size() || CRYPTO_memcmp(mac.data(), wanted.data(), wanted.size()) != 0) return false;
  uint64_t until = 0;  // what follows was written by Make
  std::from_chars(expiry.data(), expiry.data() + expiry.size(), until);
  return now_unix_s < until;
}

}  // namespace teal::serve

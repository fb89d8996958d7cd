#include "plugins/local/sha256.hpp"

#include <nettle/sha2.h>

#include <array>
#include <cstdint>

namespace teal::local {

std::string Sha256Hex(std::string_view data) {
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, data.size(), reinterpret_cast<const uint8_t*>(data.data()));
  std::array<uint8_t, SHA256_DIGEST_SIZE> digest{};
  sha256_digest(&context, digest.size(), digest.data());
  std::string hex;
  hex.reserve(2 * digest.size());
  for (const uint8_t byte : digest) {
    hex.push_back("0123456789abcdef"[byte >> 4u]);
    hex.push_back("0123456789abcdef"[byte & 15u]);
  }
  return hex;
}

}  // namespace teal::local

#include "triggers/s3/sha256.hpp"

#include <nettle/sha2.h>

namespace teal::s3 {

Digest DigestOf(std::initializer_list<std::string_view> parts) {
  sha256_ctx context;
  sha256_init(&context);
  for (const std::string_view part : parts) {
    uint8_t size[8];
    for (int i = 0; i < 8; ++i) size[i] = static_cast<uint8_t>(uint64_t{part.size()} >> (8 * i));
    sha256_update(&context, sizeof size, size);
    sha256_update(&context, part.size(), reinterpret_cast<const uint8_t*>(part.data()));
  }
  Digest digest;
  sha256_digest(&context, digest.size(), digest.data());
  return digest;
}

std::string HexOf(const Digest& digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const uint8_t byte : digest) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

}  // namespace teal::s3

// Bytes as text and back, and the hashes AWS wants. All functions: pure, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace teal::aws {

using Sha256Digest = std::array<uint8_t, 32>;

Sha256Digest Sha256(std::string_view text);
Sha256Digest HmacSha256(std::string_view key, std::string_view text);
inline std::string_view AsText(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string Hex(std::string_view bytes);  // lower case

void AppendBase64(std::string& out, std::string_view bytes);
std::optional<std::string> FromBase64(std::string_view text);

// RFC 3986: everything but A-Z a-z 0-9 - . _ ~ becomes %XX; '/' too unless `keep_slash`.
std::string UriEncode(std::string_view text, bool keep_slash);

// Random bytes of the operating system; throws std::runtime_error if there are none.
void RandomBytes(uint8_t* out, std::size_t size);

// "2026-11-21T11:32:49Z" (fractions allowed) as seconds since 1970, as AWS writes the expiry of credentials.
std::optional<uint64_t> ParseTimestamp(std::string_view text);

}  // namespace teal::aws

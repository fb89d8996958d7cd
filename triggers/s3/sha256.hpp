// SHA-256 by Nettle, of parts that each carry their size, so that no two lists of parts run together.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace teal::s3 {

using Digest = std::array<uint8_t, 16>;  // the first half of the hash: 128 bits tell any two apart

Digest DigestOf(std::initializer_list<std::string_view> parts);
std::string HexOf(const Digest& digest);

}  // namespace teal::s3

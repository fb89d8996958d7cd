// SHA-256 (FIPS 180-4), through Nettle.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace teal {

using Sha256 = std::array<uint8_t, 32>;

Sha256 Sha256Of(std::string_view bytes);
// 64 lower-case hexadecimal digits.
std::string Hex(const Sha256& digest);

}  // namespace teal

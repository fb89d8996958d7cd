// CRC-32C (Castagnoli, reflected, start and end inverted), as RFC 3720 appendix B.4 has it. Thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

namespace teal::local {

// Of `data` behind what gave `before`: Crc32c(b, Crc32c(a)) is that of a and b joined.
uint32_t Crc32c(std::string_view data, uint32_t before = 0);

}  // namespace teal::local

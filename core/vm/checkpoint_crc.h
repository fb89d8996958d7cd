// CRC-32C (Castagnoli), which closes every checkpoint: finds every damage of up to 32 bits in a row, and any other with
// probability 1 - 2^-32, at a tenth of the time of a cryptographic hash. It guards against damage, not against forgery.
#pragma once

#include <cstdint>
#include <string_view>

namespace teal::vm {

// Done by the processor where it can (SSE 4.2), else by tables.
uint32_t Crc32c(std::string_view bytes);
uint32_t TableCrc32c(std::string_view bytes);

}  // namespace teal::vm

#include "plugins/local/crc32c.hpp"

#include <array>
#include <cstring>

namespace teal::local {
namespace {

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0x82f63b78u : 0u);
    table[i] = crc;
  }
  return table;
}
constexpr auto kTable = MakeTable();

uint32_t ByTable(const char* at, std::size_t size, uint32_t crc) {
  for (; size > 0; --size) crc = kTable[(crc ^ static_cast<uint8_t>(*at++)) & 0xffu] ^ (crc >> 8);
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t ByInstruction(const char* at, std::size_t size, uint32_t crc) {
  uint64_t wide = crc;
  for (; size >= 8; size -= 8, at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, at, 8);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  crc = static_cast<uint32_t>(wide);
  for (; size > 0; --size) crc = __builtin_ia32_crc32qi(crc, static_cast<unsigned char>(*at++));
  return crc;
}
#endif

}  // namespace

uint32_t Crc32c(std::string_view data, uint32_t before) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return ~ByInstruction(data.data(), data.size(), ~before);
#endif
  return ~ByTable(data.data(), data.size(), ~before);
}

}  // namespace teal::local

#include "core/kit/text.h"

#include <array>

namespace teal::kit {

std::string Show(std::string_view bytes) {
  static constexpr std::size_t kShown = 60;
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : bytes.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
      out += c;
    } else {
      out += "\\x";
      out += kDigits[byte >> 4u];
      out += kDigits[byte & 15u];
    }
  }
  out += '"';
  if (bytes.size() > kShown) out += Text("… (", bytes.size(), " bytes)");
  return out;
}

std::string Show(const teal_version& version) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const uint8_t byte : version.opaque) {
    if (out.empty() && byte == 0) continue;
    if (out.size() >= 24) break;
    out += kDigits[byte >> 4u];
    out += kDigits[byte & 15u];
  }
  return out.empty() ? "none" : out;
}

std::string StatusName(teal_status status) {
  static constexpr std::array<const char*, 15> kNames = {
      "OK",      "CONFLICT",  "NOT_FOUND", "INVALID", "UNSUPPORTED", "TOO_LARGE", "THROTTLED", "UNAVAILABLE",
      "TIMEOUT", "CANCELLED", "DENIED",    "CORRUPT", "CLOSED",      "NO_MEMORY", "INTERNAL"};
  if (status < 0 || static_cast<std::size_t>(status) >= kNames.size()) return Text("status ", status);
  return kNames[static_cast<std::size_t>(status)];
}

bool IsUtf8(std::string_view bytes) {
  std::size_t i = 0;
  while (i < bytes.size()) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    const std::size_t size = lead < 0x80          ? 1
                             : (lead >> 5u) == 6  ? 2
                             : (lead >> 4u) == 14 ? 3
                             : (lead >> 3u) == 30 ? 4
                                                  : 0;
    if (size == 0 || i + size > bytes.size()) return false;
    uint32_t point = size == 1 ? lead : lead & (0xFFu >> (size + 1));
    for (std::size_t k = 1; k < size; ++k) {
      const auto next = static_cast<unsigned char>(bytes[i + k]);
      if ((next & 0xC0u) != 0x80u) return false;
      point = (point << 6u) | (next & 0x3Fu);
    }
    static constexpr std::array<uint32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
    if (point < kLeast[size] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return false;
    i += size;
  }
  return true;
}

}  // namespace teal::kit

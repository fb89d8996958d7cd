#include "core/vm/string_text.h"

#include <cassert>
#include <cstring>

#include "core/vm/value_walk.h"

namespace teal::vm {

char32_t FrontScalar(std::string_view utf8, size_t* bytes) {
  assert(!utf8.empty());
  auto byte = [utf8](size_t i) { return static_cast<char32_t>(static_cast<uint8_t>(utf8[i])); };
  char32_t first = byte(0);
  if (first < 0x80) {
    *bytes = 1;
    return first;
  }
  if (first < 0xE0) {
    *bytes = 2;
    return (first & 0x1F) << 6 | (byte(1) & 0x3F);
  }
  if (first < 0xF0) {
    *bytes = 3;
    return (first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
  }
  *bytes = 4;
  return (first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
}

void AppendScalar(char32_t scalar, std::string* out) {
  assert(scalar <= 0x10FFFF && (scalar < 0xD800 || scalar > 0xDFFF));
  auto add = [out](char32_t byte) { out->push_back(static_cast<char>(static_cast<uint8_t>(byte))); };
  if (scalar < 0x80) {
    add(scalar);
  } else if (scalar < 0x800) {
    add(0xC0 | scalar >> 6);
    add(0x80 | (scalar & 0x3F));
  } else if (scalar < 0x10000) {
    add(0xE0 | scalar >> 12);
    add(0x80 | (scalar >> 6 & 0x3F));
    add(0x80 | (scalar & 0x3F));
  } else {
    add(0xF0 | scalar >> 18);
    add(0x80 | (scalar >> 12 & 0x3F));
    add(0x80 | (scalar >> 6 & 0x3F));
    add(0x80 | (scalar & 0x3F));
  }
}

bool IsSpace(char32_t c) {
  if (c <= 0x20) return c == 0x20 || (c >= 0x09 && c <= 0x0D);
  if (c < 0x1680) return c == 0x85 || c == 0xA0;
  return c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

std::string_view TrimSpace(std::string_view utf8) {
  while (!utf8.empty()) {
    size_t bytes;
    if (!IsSpace(FrontScalar(utf8, &bytes))) break;
    utf8.remove_prefix(bytes);
  }
  while (!utf8.empty()) {
    size_t at = utf8.size() - 1;
    while ((static_cast<uint8_t>(utf8[at]) & 0xC0) == 0x80) at--;
    size_t bytes;
    if (!IsSpace(FrontScalar(utf8.substr(at), &bytes))) break;
    utf8 = utf8.substr(0, at);
  }
  return utf8;
}

size_t FindPart(std::string_view text, std::string_view part, size_t from) {
  assert(!part.empty() && from <= text.size());
  // std::string_view::find would go back to the place behind a false start: memmem does not.
  const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  if (found == nullptr) {
    CountWork(text.size() - from + part.size());
    return std::string_view::npos;
  }
  const auto at = static_cast<size_t>(static_cast<const char*>(found) - text.data());
  CountWork(at - from + part.size());
  return at;
}

}  // namespace teal::vm

// Classes of characters, for the lexer and the decoding of literals.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace teal::lang {

enum CharClass : uint8_t { kCharWord = 1, kCharDigit = 2, kCharBlank = 4, kCharHex = 8 };

struct CharTable {
  std::array<uint8_t, 256> bits{};

  constexpr CharTable() {
    for (int c = 'a'; c <= 'z'; ++c) bits[static_cast<size_t>(c)] = kCharWord;
    for (int c = 'A'; c <= 'Z'; ++c) bits[static_cast<size_t>(c)] = kCharWord;
    bits['_'] = kCharWord;
    for (int c = '0'; c <= '9'; ++c) bits[static_cast<size_t>(c)] = kCharDigit | kCharHex;
    for (int c = 'a'; c <= 'f'; ++c) bits[static_cast<size_t>(c)] |= kCharHex;
    for (int c = 'A'; c <= 'F'; ++c) bits[static_cast<size_t>(c)] |= kCharHex;
    bits[' '] = bits['\t'] = bits['\r'] = kCharBlank;
  }
};
inline constexpr CharTable kCharTable;

inline bool HasClass(char c, uint8_t classes) {
  return (kCharTable.bits[static_cast<uint8_t>(c)] & classes) != 0;
}
inline bool IsDigit(char c) {
  return HasClass(c, kCharDigit);
}
inline bool IsHexDigit(char c) {
  return HasClass(c, kCharHex);
}
inline bool BeginsWord(char c) {
  return HasClass(c, kCharWord);
}  // a letter or `_`
inline bool IsWordChar(char c) {
  return HasClass(c, kCharWord | kCharDigit);
}

}  // namespace teal::lang

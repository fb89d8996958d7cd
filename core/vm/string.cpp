// Strings, bytes, symbols, secrets: bytes behind a header; UTF-8 where they are text.
#include <algorithm>
#include <array>

#include "core/base/mutant.h"
#include "core/vm/value.h"
#include "core/vm/value_inline.h"
#include "core/vm/value_walk.h"

namespace teal::vm {
namespace {

inline constexpr uint64_t kHighBits = 0x8080808080808080u;

bool IsAscii(const char* p, size_t n) {
  uint64_t bits = 0;
  uint64_t word;
  for (; n >= 8; p += 8, n -= 8) {
    std::memcpy(&word, p, 8);
    bits |= word;
  }
  for (; n > 0; p++, n--) bits |= static_cast<uint8_t>(*p);
  return (bits & kHighBits) == 0;
}

bool IsContinuation(char c) {
  return (static_cast<uint8_t>(c) & 0xC0) == 0x80;
}

// Precondition: valid UTF-8.
uint64_t CountScalars(const char* p, size_t n) {
  if (IsAscii(p, n) || TEAL_MUTANT("length_counts_bytes")) return n;
  uint64_t count = 0;
  for (size_t i = 0; i < n; i++) count += IsContinuation(p[i]) ? 0u : 1u;
  return count;
}

// Where scalar value `index` starts when counting from byte `from`; the end when there are not that many.
uint64_t ByteOffset(const String* s, uint64_t from, uint64_t index) {
  const char* p = s->data();
  uint64_t i = from;
  for (; index > 0 && i < s->size; index--) {
    i++;
    while (i < s->size && IsContinuation(p[i])) i++;
  }
  CountWork(i - from);
  return i;
}

Value NewString(Tag tag, const char* bytes, uint64_t size, uint64_t length, uint64_t capacity) {
  assert(capacity >= size);
  String* s = NewObject<String>(tag, capacity);
  s->size = size;
  s->length = length;
  s->capacity = capacity;
  if (size > 0) std::memcpy(s->data(), bytes, size);
  return Value::Adopt(s);
}

// The strings of one ASCII character are constants: taking a string apart allocates nothing.
Value AsciiCharacter(uint8_t c) {
  static const std::array<Value, 128>* const all = [] {
    auto* made = new std::array<Value, 128>;
    for (size_t i = 0; i < made->size(); i++) {
      char byte = static_cast<char>(i);
      (*made)[i] = NewString(Tag::kString, &byte, 1, 1, 1);
      MakeImmortal((*made)[i]);
    }
    return made;
  }();
  assert(c < 128);
  return (*all)[c];
}

}  // namespace

Value MakeString(std::string_view utf8) {
  assert(IsValidUtf8(utf8));
  return NewString(Tag::kString, utf8.data(), utf8.size(), CountScalars(utf8.data(), utf8.size()), utf8.size());
}
Value MakeSymbol(std::string_view name) {
  assert(IsValidUtf8(name));
  return NewString(Tag::kSymbol, name.data(), name.size(), CountScalars(name.data(), name.size()), name.size());
}
Value MakeBytes(std::string_view bytes) {
  return NewString(Tag::kBytes, bytes.data(), bytes.size(), bytes.size(), bytes.size());
}
Value MakeSecret(std::string_view name) {
  assert(IsValidUtf8(name));
  return NewString(Tag::kSecret, name.data(), name.size(), CountScalars(name.data(), name.size()), name.size());
}

bool IsValidUtf8(std::string_view bytes) {
  const auto* p = reinterpret_cast<const uint8_t*>(bytes.data());
  size_t n = bytes.size();
  size_t i = 0;
  while (i < n) {
    if (n - i >= 8) {
      uint64_t word;
      std::memcpy(&word, p + i, 8);
      if ((word & kHighBits) == 0) {
        i += 8;
        continue;
      }
    }
    uint8_t c = p[i];
    if (c < 0x80) {
      i++;
      continue;
    }
    size_t more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
    if (c < 0xC2 || c > 0xF4 || n - i <= more) return false;
    uint8_t second = p[i + 1];
    uint8_t least = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;  // no overlong forms
    uint8_t most = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;   // no surrogates, nothing past U+10FFFF
    if (second < least || second > most) return false;
    for (size_t k = 2; k <= more; k++) {
      if ((p[i + k] & 0xC0) != 0x80) return false;
    }
    i += more + 1;
  }
  return true;
}

Value StringAppend(Value string, std::string_view utf8) {
  String* s = string.As<String>();
  assert(s->tag == Tag::kString || s->tag == Tag::kBytes);
  assert(s->size + utf8.size() <= kStringBytesMax);
  if (utf8.empty()) return string;
  uint64_t size = s->size + utf8.size();
  uint64_t length = s->length + (s->tag == Tag::kBytes ? utf8.size() : CountScalars(utf8.data(), utf8.size()));
  if (!s->Sole()) {
    string = NewString(s->tag, s->data(), s->size, s->length, size + size / 2);
    s = string.As<String>();
  } else if (size > s->capacity) {
    assert(utf8.data() + utf8.size() <= s->data() || utf8.data() >= s->data() + s->size);
    uint64_t capacity = std::max(size, s->capacity * 2);
    s = static_cast<String*>(static_cast<Object*>(string.Release()));
    s = static_cast<String*>(Reallocate(s, sizeof(String) + capacity));
    s->capacity = capacity;
    string = Value::Adopt(s);
  }
  std::memcpy(s->data() + s->size, utf8.data(), utf8.size());
  s->size = size;
  s->length = length;
  s->hash.store(0, std::memory_order_relaxed);
  return string;
}

Value StringSlice(const Value& string, uint64_t from, uint64_t to) {
  const String* s = string.As<String>();
  assert(from <= to && to <= s->length);
  if (from == 0 && to == s->length) return string;
  if (s->ascii()) {
    if (to - from == 1 && s->tag == Tag::kString) return AsciiCharacter(static_cast<uint8_t>(s->data()[from]));
    return NewString(s->tag, s->data() + from, to - from, to - from, to - from);
  }
  uint64_t begin = ByteOffset(s, 0, from);
  uint64_t end = ByteOffset(s, begin, to - from);
  return NewString(s->tag, s->data() + begin, end - begin, to - from, end - begin);
}

Value StringAt(const Value& string, uint64_t index) {
  const String* s = string.As<String>();
  assert(index < s->length);
  if (s->tag == Tag::kBytes) return Value::Int(static_cast<uint8_t>(s->data()[index]));
  if (s->ascii()) return AsciiCharacter(static_cast<uint8_t>(s->data()[index]));
  uint64_t position = ByteOffset(s, 0, index);
  return StringNext(*s, &position);
}

Value StringNext(const String& string, uint64_t* position) {
  uint64_t begin = *position;
  assert(begin < string.size && !IsContinuation(string.data()[begin]));
  uint64_t end = begin + 1;
  while (end < string.size && IsContinuation(string.data()[end])) end++;
  *position = end;
  if (end - begin == 1) return AsciiCharacter(static_cast<uint8_t>(string.data()[begin]));
  return NewString(Tag::kString, string.data() + begin, end - begin, 1, end - begin);
}

}  // namespace teal::vm

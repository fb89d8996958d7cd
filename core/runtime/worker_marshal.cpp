#include "core/runtime/worker_marshal.h"

#include <bit>
#include <cassert>
#include <cstring>
#include <limits>

namespace teal::runtime {

static_assert(std::endian::native == std::endian::little, "fixed-width fields are copied as they are in memory");

// ---- Writing

void MarshalWriter::Fixed32(uint32_t value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out_->append(bytes, sizeof bytes);
}

void MarshalWriter::Fixed64(uint64_t value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out_->append(bytes, sizeof bytes);
}

void MarshalWriter::Int(int64_t value) {
  if (value >= std::numeric_limits<int32_t>::min() && value <= std::numeric_limits<int32_t>::max()) {
    out_->push_back('i');
    Fixed32(static_cast<uint32_t>(static_cast<int32_t>(value)));
    return;
  }
  // Digits of 15 bits, the least first; their count carries the sign. The highest must not be zero.
  uint64_t rest = value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  uint16_t digits[5];
  int32_t count = 0;
  for (; rest != 0; rest >>= 15) digits[count++] = static_cast<uint16_t>(rest & 0x7fff);
  out_->push_back('l');
  Fixed32(static_cast<uint32_t>(value < 0 ? -count : count));
  for (int32_t i = 0; i < count; i++) {
    out_->push_back(static_cast<char>(digits[i] & 0xff));
    out_->push_back(static_cast<char>(digits[i] >> 8));
  }
}

void MarshalWriter::Float(double value) {
  out_->push_back('g');
  Fixed64(std::bit_cast<uint64_t>(value));
}

void MarshalWriter::Text(std::string_view utf8) {
  assert(utf8.size() <= 0x7fffffff);
  out_->push_back('u');
  Fixed32(static_cast<uint32_t>(utf8.size()));
  out_->append(utf8);
}

void MarshalWriter::Bytes(std::string_view bytes) {
  assert(bytes.size() <= 0x7fffffff);
  out_->push_back('s');
  Fixed32(static_cast<uint32_t>(bytes.size()));
  out_->append(bytes);
}

void MarshalWriter::ListHead(uint32_t count) {
  out_->push_back('[');
  Fixed32(count);
}

void MarshalWriter::TupleHead(uint32_t count) {
  out_->push_back('(');
  Fixed32(count);
}

void MarshalWriter::Id(uint64_t value) {
  out_->push_back('I');
  Fixed64(value);
}

void MarshalWriter::PatchId(std::string* out, size_t at, uint64_t value) {
  assert(at + 9 <= out->size() && (*out)[at] == 'I');
  std::memcpy(out->data() + at + 1, &value, sizeof value);
}

// ---- Reading

bool MarshalReader::Take(size_t count, std::string_view* bytes) {
  if (failed_ || bytes_.size() - at_ < count) return Fail();
  *bytes = bytes_.substr(at_, count);
  at_ += count;
  return true;
}

bool MarshalReader::Expect(char type) {
  if (Peek() != type) return Fail();
  at_++;
  return true;
}

bool MarshalReader::Fixed32(uint32_t* value) {
  std::string_view bytes;
  if (!Take(sizeof *value, &bytes)) return false;
  std::memcpy(value, bytes.data(), sizeof *value);
  return true;
}

bool MarshalReader::None() {
  return Expect('N');
}

bool MarshalReader::Bool(bool* value) {
  const char type = Peek();
  *value = type == 'T';
  return Expect(type == 'T' ? 'T' : 'F');
}

bool MarshalReader::Int(int64_t* value, bool* fits) {
  *fits = true;
  *value = 0;
  const char type = Peek();
  uint32_t head = 0;
  std::string_view bytes;
  if (type == 'I') {
    if (!Expect('I') || !Take(sizeof *value, &bytes)) return false;
    std::memcpy(value, bytes.data(), sizeof *value);
    return true;
  }
  if (!Expect(type == 'l' ? 'l' : 'i') || !Fixed32(&head)) return false;
  if (type == 'i') {
    *value = static_cast<int32_t>(head);
    return true;
  }
  const int64_t signed_count = static_cast<int32_t>(head);
  const size_t count = static_cast<size_t>(signed_count < 0 ? -signed_count : signed_count);
  if (!Take(count * 2, &bytes)) return false;
  uint64_t magnitude = 0;
  for (size_t i = count; i-- > 0;) {
    const uint64_t digit = static_cast<uint64_t>(static_cast<unsigned char>(bytes[2 * i])) |
                           static_cast<uint64_t>(static_cast<unsigned char>(bytes[2 * i + 1])) << 8;
    if (digit > 0x7fff) return Fail();
    if (magnitude >> 49 != 0) *fits = false;
    magnitude = magnitude << 15 | digit;
  }
  const uint64_t limit = uint64_t{1} << 63;
  if (signed_count < 0 ? magnitude > limit : magnitude >= limit) *fits = false;
  if (*fits) *value = static_cast<int64_t>(signed_count < 0 ? uint64_t{0} - magnitude : magnitude);
  return true;
}

bool MarshalReader::Float(double* value) {
  std::string_view bytes;
  if (!Expect('g') || !Take(sizeof *value, &bytes)) return false;
  std::memcpy(value, bytes.data(), sizeof *value);
  return true;
}

bool MarshalReader::Text(std::string_view* utf8) {
  uint32_t size = 0;
  return Expect('u') && Fixed32(&size) && Take(size, utf8);
}

bool MarshalReader::Bytes(std::string_view* bytes) {
  uint32_t size = 0;
  return Expect('s') && Fixed32(&size) && Take(size, bytes);
}

bool MarshalReader::SequenceHead(uint32_t* count) {
  const char type = Peek();
  if (!Expect(type == '(' ? '(' : '[') || !Fixed32(count)) return false;
  // Each part takes a byte at least: a count that cannot be true must not make a caller reserve memory for it.
  return *count <= bytes_.size() - at_ || Fail();
}

bool MarshalReader::DictHead() {
  return Expect('{');
}
bool MarshalReader::DictEnd() {
  return Expect('0');
}

// ---- UTF-8

namespace {

// Length of the valid sequence at the front of `text`, 0 if there is none. Precondition: `text` is not empty.
size_t SequenceLength(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto follows = [&](size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!follows(1) || !follows(2)) return 0;
    if (first == 0xe0 && byte(1) < 0xa0) return 0;   // overlong
    if (first == 0xed && byte(1) >= 0xa0) return 0;  // surrogate
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!follows(1) || !follows(2) || !follows(3)) return 0;
    if (first == 0xf0 && byte(1) < 0x90) return 0;   // overlong
    if (first == 0xf4 && byte(1) >= 0x90) return 0;  // above U+10FFFF
    return 4;
  }
  return 0;
}

// Number of bytes at the front that are ASCII, counted by eights.
size_t AsciiPrefix(std::string_view text) {
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, sizeof word);
    if ((word & 0x8080808080808080u) != 0) break;
  }
  while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) i++;
  return i;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (true) {
    text.remove_prefix(AsciiPrefix(text));
    if (text.empty()) return true;
    const size_t length = SequenceLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
}

std::string ToUtf8(std::string_view text) {
  if (IsUtf8(text)) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    out.append(length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, length));
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace teal::runtime

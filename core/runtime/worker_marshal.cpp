#include "core/runtime/worker_marshal.h"

#include <bit>
#include <cassert>
#include <cstring>
#include <limits>

#include "core/vm/value.h"

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

std::string ToUtf8(std::string_view text) {
  if (vm::IsValidUtf8(text)) return std::string(text);
  std::string out;
  while (!text.empty()) {
    size_t length = 1;
    while (length <= 4 && !vm::IsValidUtf8(text.substr(0, length))) length++;
    const bool valid = length <= 4;
    out.append(valid ? text.substr(0, length) : std::string_view("\xef\xbf\xbd"));
    text.remove_prefix(valid ? length : 1);
  }
  return out;
}

}  // namespace teal::runtime

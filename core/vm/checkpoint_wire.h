// The Protobuf wire format, written and read by hand: the few forms that state.proto needs, canonical only.
// Reading never throws and never reads past the end; the first thing wrong is kept, with its offset.
#pragma once

#include <bit>
#include <cassert>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

namespace teal::vm::wire {

enum Type : uint32_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

constexpr uint32_t Key(uint32_t field, Type type) {
  return field << 3 | type;
}
constexpr uint32_t VarintSize(uint64_t v) {
  return (static_cast<uint32_t>(std::bit_width(v | 1)) + 6) / 7;
}
constexpr uint64_t ZigZag(int64_t v) {
  return static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63);
}
constexpr int64_t UnZigZag(uint64_t v) {
  return static_cast<int64_t>(v >> 1 ^ (~(v & 1) + 1));
}

// A growing buffer whose first kilobyte costs no allocation.
class Out {
 public:
  Out() = default;
  ~Out() {
    if (data_ != first_) std::free(data_);
  }
  Out(const Out&) = delete;
  Out& operator=(const Out&) = delete;

  void Byte(uint8_t b) {
    Reserve(1);
    data_[size_++] = static_cast<char>(b);
  }
  void Varint(uint64_t v) {
    Reserve(10);
    while (v >= 0x80) {
      data_[size_++] = static_cast<char>(v | 0x80);
      v >>= 7;
    }
    data_[size_++] = static_cast<char>(v);
  }
  void Fixed32(uint32_t v) {
    for (int i = 0; i < 4; i++) Byte(static_cast<uint8_t>(v >> 8 * i));
  }
  void Fixed64(uint64_t v) {
    for (int i = 0; i < 8; i++) Byte(static_cast<uint8_t>(v >> 8 * i));
  }
  void Bytes(const void* bytes, size_t n) {
    if (n == 0) return;
    Reserve(n);
    std::memcpy(data_ + size_, bytes, n);
    size_ += n;
  }
  // A field that is left out when it has its default value.
  void Field(uint32_t field, uint64_t v) {
    if (v == 0) return;
    Varint(Key(field, kVarint));
    Varint(v);
  }
  void Field(uint32_t field, std::string_view bytes) {
    if (bytes.empty()) return;
    Varint(Key(field, kLength));
    Varint(bytes.size());
    Bytes(bytes.data(), bytes.size());
  }

  size_t size() const { return size_; }
  std::string_view view() const { return {data_, size_}; }

 private:
  void Reserve(size_t n) {
    if (capacity_ - size_ < n) [[unlikely]]
      Grow(n);
  }
  void Grow(size_t n) {
    size_t capacity = capacity_ * 2 > size_ + n ? capacity_ * 2 : size_ + n;
    void* grown = data_ == first_ ? std::malloc(capacity) : std::realloc(data_, capacity);
    if (grown == nullptr) throw std::bad_alloc();
    if (data_ == first_) std::memcpy(grown, first_, size_);
    data_ = static_cast<char*>(grown);
    capacity_ = capacity;
  }

  char first_[1024];
  char* data_ = first_;
  size_t size_ = 0;
  size_t capacity_ = sizeof first_;
};

// Size of a field as Out::Field writes it.
constexpr uint64_t FieldSize(uint32_t field, uint64_t v) {
  return v == 0 ? 0 : VarintSize(Key(field, kVarint)) + VarintSize(v);
}

class In {
 public:
  explicit In(std::string_view bytes) : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()) {}

  bool ok() const { return error_ == nullptr; }
  const char* error() const { return error_; }
  size_t error_offset() const { return error_offset_; }
  size_t offset() const { return static_cast<size_t>(at_ - begin_); }
  size_t remaining() const { return static_cast<size_t>(end_ - at_); }

  // `what`: a literal. Only the first one counts. Always false.
  bool Fail(const char* what) {
    if (error_ == nullptr) {
      error_ = what;
      error_offset_ = offset();
    }
    at_ = end_;
    return false;
  }

  // Goes over the key if it is the next one.
  bool Take(uint32_t key) {
    assert(key < 1u << 14);
    if (key < 0x80) {
      if (at_ == end_ || static_cast<uint8_t>(*at_) != key) return false;
      at_++;
      return true;
    }
    if (remaining() < 2 || static_cast<uint8_t>(at_[0]) != ((key & 0x7f) | 0x80) ||
        static_cast<uint8_t>(at_[1]) != key >> 7) {
      return false;
    }
    at_ += 2;
    return true;
  }
  bool Varint(uint64_t* v) {
    if (at_ != end_ && static_cast<uint8_t>(*at_) < 0x80) [[likely]] {
      *v = static_cast<uint8_t>(*at_++);
      return true;
    }
    *v = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) return Fail("the bytes end inside a number");
      uint8_t b = static_cast<uint8_t>(*at_++);
      if (shift == 63 && b > 1) return Fail("a number has more than 64 bits");
      *v |= static_cast<uint64_t>(b & 0x7f) << shift;
      if (b < 0x80) return b != 0 || Fail("a number is longer than it need be");
    }
    return Fail("a number has more than 64 bits");
  }
  bool Varint32(uint32_t* v) {
    uint64_t wide = 0;
    if (!Varint(&wide)) return false;
    if (wide > UINT32_MAX) return Fail("a number has more than 32 bits");
    *v = static_cast<uint32_t>(wide);
    return true;
  }
  bool Fixed32(uint32_t* v) {
    if (remaining() < 4) return Fail("the bytes end inside a number");
    *v = 0;
    for (int i = 0; i < 4; i++) *v |= static_cast<uint32_t>(static_cast<uint8_t>(*at_++)) << 8 * i;
    return true;
  }
  bool Fixed64(uint64_t* v) {
    if (remaining() < 8) return Fail("the bytes end inside a number");
    *v = 0;
    for (int i = 0; i < 8; i++) *v |= static_cast<uint64_t>(static_cast<uint8_t>(*at_++)) << 8 * i;
    return true;
  }
  // A length and as many bytes.
  bool Bytes(std::string_view* bytes) {
    uint64_t n = 0;
    if (!Varint(&n)) return false;
    if (n > remaining()) return Fail("a length is beyond the end");
    *bytes = {at_, static_cast<size_t>(n)};
    at_ += n;
    return true;
  }
  // Fields as Out::Field writes them: absent gives the default value, which must not be written out.
  bool Field(uint32_t field, uint64_t* v) {
    *v = 0;
    if (!Take(Key(field, kVarint))) return ok();
    return Varint(v) && (*v != 0 || Fail("a default value is written out"));
  }
  bool Field(uint32_t field, uint32_t* v) {
    uint64_t wide = 0;
    if (!Field(field, &wide)) return false;
    if (wide > UINT32_MAX) return Fail("a number has more than 32 bits");
    *v = static_cast<uint32_t>(wide);
    return true;
  }
  bool Field(uint32_t field, std::string_view* bytes) {
    *bytes = {};
    if (!Take(Key(field, kLength))) return ok();
    return Bytes(bytes) && (!bytes->empty() || Fail("a default value is written out"));
  }

  // A message inside: Enter gives its end, to which Leave must find us come.
  bool Enter(const char** outer) {
    uint64_t n = 0;
    if (!Varint(&n)) return false;
    if (n > remaining()) return Fail("a length is beyond the end");
    *outer = end_;
    end_ = at_ + n;
    return true;
  }
  bool Leave(const char* outer) {
    bool whole = at_ == end_ && ok();
    if (!whole) Fail("a field that is not known or not in order");
    end_ = outer;
    if (!ok()) at_ = end_;
    return whole;
  }
  bool AtEnd() { return ok() && (at_ == end_ || Fail("a field that is not known or not in order")); }

 private:
  const char* begin_;
  const char* at_;
  const char* end_;
  const char* error_ = nullptr;
  size_t error_offset_ = 0;
};

}  // namespace teal::vm::wire

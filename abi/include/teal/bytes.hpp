// What both sides of the border share in C++: bytes as views, versions, slots of tables. Header only, no exceptions.
#ifndef TEAL_BYTES_HPP
#define TEAL_BYTES_HPP

#include <teal/abi.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace teal {

// A view of `text`, which must outlive it. Empty text gives NULL, as the border wants it.
inline teal_bytes Bytes(std::string_view text) noexcept {
  if (text.empty()) return {nullptr, 0};
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// A view of what `bytes` points to.
inline std::string_view View(teal_bytes bytes) noexcept {
  if (bytes.size == 0) return {};
  return {reinterpret_cast<const char*>(bytes.data), static_cast<std::size_t>(bytes.size)};
}

inline std::string Copy(teal_bytes bytes) {
  return std::string(View(bytes));
}

inline bool SameVersion(const teal_version& a, const teal_version& b) noexcept {
  return std::memcmp(a.opaque, b.opaque, sizeof a.opaque) == 0;
}

inline constexpr teal_version kAbsent{};

// Whether a table or a struct that may grow reaches as far as `field` and has something there:
// Has(*table, table->watch). For fields that are numbers use Reaches. (LIFE rules of docs/abi.md)
template <typename Struct, typename Field>
bool Reaches(const Struct& table, const Field& field) noexcept {
  const auto offset =
      static_cast<std::size_t>(reinterpret_cast<const char*>(&field) - reinterpret_cast<const char*>(&table));
  return table.struct_size >= offset + sizeof field;
}
template <typename Struct, typename Pointer>
bool Has(const Struct& table, const Pointer& field) noexcept {
  return Reaches(table, field) && field != nullptr;
}

// Copies an out-struct to the caller's, writing no more than the smaller of the two; the caller's struct_size stays.
template <typename Struct>
void GiveOut(Struct* out, Struct value) noexcept {
  value.struct_size = out->struct_size;
  std::memcpy(static_cast<void*>(out), &value, std::min<std::size_t>(out->struct_size, sizeof value));
}

// Reads a struct of the other side that may be shorter or longer than ours: what it lacks is zero.
template <typename Struct>
Struct TakeIn(const Struct* in) noexcept {
  Struct value{};
  std::memcpy(static_cast<void*>(&value), in, std::min<std::size_t>(in->struct_size, sizeof value));
  return value;
}

}  // namespace teal

#endif

#include "plugins/k8s/wire.hpp"

#include <bit>
#include <cassert>

namespace teal::k8s {
namespace {

static_assert(std::endian::native == std::endian::little, "the border is for little-endian hosts");

constexpr uint64_t kTopBit = uint64_t{1} << 63;

// Of pg_type, fixed for ever.
constexpr int32_t kByteaOid = 17;
constexpr int32_t kInt8Oid = 20;
constexpr int32_t kInt4Oid = 23;
constexpr int32_t kTextOid = 25;

void Append32(std::string& out, int32_t value) {
  const uint32_t swapped = __builtin_bswap32(static_cast<uint32_t>(value));
  out.append(reinterpret_cast<const char*>(&swapped), sizeof swapped);
}

void Append64(std::string& out, int64_t value) {
  const uint64_t swapped = __builtin_bswap64(static_cast<uint64_t>(value));
  out.append(reinterpret_cast<const char*>(&swapped), sizeof swapped);
}

// Dimensions, whether there are NULLs, the type, then of the one dimension its size and lower bound.
std::string ArrayHead(std::size_t size, bool nulls, int32_t type) {
  std::string out;
  Append32(out, size == 0 ? 0 : 1);
  Append32(out, nulls ? 1 : 0);
  Append32(out, type);
  if (size != 0) {
    Append32(out, static_cast<int32_t>(size));
    Append32(out, 1);
  }
  return out;
}

template <typename Item>
std::string ArrayOfBytes(std::span<const Item> values, int32_t type) {
  std::size_t size = 20;
  for (const Item& value : values) size += 4 + value.size();
  std::string out = ArrayHead(values.size(), false, type);
  out.reserve(size);
  for (const Item& value : values) {
    Append32(out, static_cast<int32_t>(value.size()));
    out.append(value);
  }
  return out;
}

}  // namespace

void Params::Own(std::string bytes) {
  Data(owned_.emplace_back(std::move(bytes)));
}

void Params::Int(int32_t value) {
  std::string out;
  Append32(out, value);
  Own(std::move(out));
}

void Params::Long(int64_t value) {
  std::string out;
  Append64(out, value);
  Own(std::move(out));
}

void Params::Data(std::string_view value) {
  values_.push_back(value.data() == nullptr ? "" : value.data());  // libpq takes NULL for SQL's NULL
  lengths_.push_back(static_cast<int>(value.size()));
  formats_.push_back(1);
}

void Params::NoData() {
  values_.push_back(nullptr);
  lengths_.push_back(0);
  formats_.push_back(1);
}

void Params::Ints(std::span<const int32_t> values) {
  std::string out = ArrayHead(values.size(), false, kInt4Oid);
  for (const int32_t value : values) {
    Append32(out, 4);
    Append32(out, value);
  }
  Own(std::move(out));
}

void Params::Longs(std::span<const std::optional<int64_t>> values) {
  bool nulls = false;
  for (const auto& value : values) nulls = nulls || !value;
  std::string out = ArrayHead(values.size(), nulls, kInt8Oid);
  for (const auto& value : values) {
    if (value) {
      Append32(out, 8);
      Append64(out, *value);
    } else {
      Append32(out, -1);
    }
  }
  Own(std::move(out));
}

void Params::Datas(std::span<const std::string_view> values) {
  Own(ArrayOfBytes(values, kByteaOid));
}

void Params::Texts(std::span<const std::string> values) {
  Own(ArrayOfBytes(values, kTextOid));
}

int32_t IntAt(const PGresult* result, int row, int column) {
  assert(PQgetlength(result, row, column) == 4);
  uint32_t raw = 0;
  std::memcpy(&raw, PQgetvalue(result, row, column), sizeof raw);
  return static_cast<int32_t>(__builtin_bswap32(raw));
}

int64_t LongAt(const PGresult* result, int row, int column) {
  assert(PQgetlength(result, row, column) == 8);
  uint64_t raw = 0;
  std::memcpy(&raw, PQgetvalue(result, row, column), sizeof raw);
  return static_cast<int64_t>(__builtin_bswap64(raw));
}

std::string_view DataAt(const PGresult* result, int row, int column) {
  return {PQgetvalue(result, row, column), static_cast<std::size_t>(PQgetlength(result, row, column))};
}

bool NullAt(const PGresult* result, int row, int column) {
  return PQgetisnull(result, row, column) != 0;
}

int64_t Flipped(uint64_t value) {
  return static_cast<int64_t>(value ^ kTopBit);
}

uint64_t Unflipped(int64_t value) {
  return static_cast<uint64_t>(value) ^ kTopBit;
}

std::optional<int64_t> StoredTime(uint64_t unix_ns) {
  if (unix_ns == 0) return std::nullopt;
  return Flipped(unix_ns);
}

uint64_t TimeAt(const PGresult* result, int row, int column) {
  return NullAt(result, row, column) ? 0 : Unflipped(LongAt(result, row, column));
}

}  // namespace teal::k8s

// PostgreSQL's binary formats, as libpq takes parameters and gives columns: integers in network order, bytea as it is,
// arrays of one dimension. Not thread-safe.
#pragma once

#include <libpq-fe.h>
#include <teal/abi.h>
#include <teal/bytes.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace teal::k8s {

struct ResultDeleter {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ResultDeleter>;

// The parameters of one statement, in order.
class Params {
 public:
  void Int(int32_t value);
  void Long(int64_t value);
  void Data(std::string_view value);  // not copied: it outlives this object
  void NoData();                      // NULL
  void Ints(std::span<const int32_t> values);
  void Longs(std::span<const std::optional<int64_t>> values);
  void Datas(std::span<const std::string_view> values);
  void Texts(std::span<const std::string> values);

  int count() const { return static_cast<int>(values_.size()); }
  const char* const* values() const { return values_.data(); }
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }

 private:
  void Own(std::string bytes);

  std::deque<std::string> owned_;
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
};

// A column of a row in binary format.
int32_t IntAt(const PGresult* result, int row, int column);
int64_t LongAt(const PGresult* result, int row, int column);
std::string_view DataAt(const PGresult* result, int row, int column);  // empty if NULL; lives as long as the result
bool NullAt(const PGresult* result, int row, int column);

// Times: unsigned order as bigint's order; 0 = NULL = never.
std::optional<int64_t> StoredTime(uint64_t unix_ns);
uint64_t TimeAt(const PGresult* result, int row, int column);
// All unsigned numbers, in order.
int64_t Flipped(uint64_t value);
uint64_t Unflipped(int64_t value);

}  // namespace teal::k8s

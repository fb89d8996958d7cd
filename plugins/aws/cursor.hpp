// Cursors: a byte that says of which call, then the place to go on from. At most 2,063 bytes. Pure, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "plugins/aws/records.hpp"

namespace teal::aws {

// The sort key of the last record given.
std::string ScanCursor(std::string_view sort);
std::optional<std::string> ParseScanCursor(std::string_view cursor);

// Where a walk through the due index stands: the part of the index it is in, and the last record seen there; no key: at
// that part's beginning.
struct DueCursor {
  uint32_t part = 0;
  std::string partition;
  std::string sort;
  uint64_t due_unix_ns = 0;
};
std::string ToText(const DueCursor& cursor);
std::optional<DueCursor> ParseDueCursor(std::string_view text);

inline Error WrongCursor() {
  return {TEAL_INVALID, "the cursor is not one that this call of this store gave"};
}

}  // namespace teal::aws

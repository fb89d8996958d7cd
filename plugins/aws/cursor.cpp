#include "plugins/aws/cursor.hpp"

namespace teal::aws {
namespace {

constexpr char kScan = 's';
constexpr char kDue = 'd';
constexpr std::size_t kDueHead =
    1 + 1 + 8 + 2;  // kind, part, due time, size of the partition; then both parts of the key

void AppendBig(std::string& out, uint64_t number, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift & 255);
}

uint64_t Big(std::string_view bytes) {
  uint64_t number = 0;
  for (const char c : bytes) number = number << 8 | static_cast<uint8_t>(c);
  return number;
}

}  // namespace

std::string ScanCursor(std::string_view sort) {
  return kScan + std::string(sort);
}

std::optional<std::string> ParseScanCursor(std::string_view cursor) {
  if (cursor.size() < 2 || cursor.size() > 1 + kKeyBytesMax || cursor[0] != kScan) return std::nullopt;
  return std::string(cursor.substr(1));
}

std::string ToText(const DueCursor& cursor) {
  std::string out(1, kDue);
  AppendBig(out, cursor.part, 1);
  AppendBig(out, cursor.due_unix_ns, 8);
  AppendBig(out, cursor.partition.size(), 2);
  return out + cursor.partition + cursor.sort;
}

std::optional<DueCursor> ParseDueCursor(std::string_view text) {
  if (text.size() < kDueHead || text.size() > kDueHead + 2 * kKeyBytesMax || text[0] != kDue) return std::nullopt;
  DueCursor out;
  out.part = static_cast<uint32_t>(Big(text.substr(1, 1)));
  out.due_unix_ns = Big(text.substr(2, 8));
  const uint64_t partition = Big(text.substr(10, 2));
  text.remove_prefix(kDueHead);
  if (out.part >= kIndexParts || partition > text.size()) return std::nullopt;
  out.partition = std::string(text.substr(0, partition));
  out.sort = std::string(text.substr(partition));
  if (out.partition.empty() != out.sort.empty()) return std::nullopt;
  return out;
}

}  // namespace teal::aws

#include "plugins/common/memory_input.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace teal::plugin {
namespace {

bool WellFormed(const teal_key& key) {
  return key.partition.size != 0 && key.sort.size != 0 && key.partition.data != nullptr && key.sort.data != nullptr;
}

bool WellFormed(const teal_op& op) {
  if (!WellFormed(op.key) || op.condition > TEAL_IF_VERSION) return false;
  if (op.value.size != 0 && op.value.data == nullptr) return false;
  if (op.condition != TEAL_IF_VERSION && !SameVersion(op.expected, kAbsent)) return false;
  if (op.kind == TEAL_PUT) return true;
  if (op.kind != TEAL_DELETE && op.kind != TEAL_CHECK) return false;
  if (op.value.size != 0 || op.due_unix_ns != 0 || op.expires_unix_ns != 0) return false;
  return op.kind == TEAL_DELETE || op.condition != TEAL_IF_ANY;
}

template <typename Item, typename KeyOf>
bool Distinct(const Item* items, uint64_t count, KeyOf key_of) {
  if (count < 2) return true;
  std::vector<std::pair<std::string_view, std::string_view>> keys;
  keys.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const teal_key& key = key_of(items[i]);
    keys.emplace_back(View(key.partition), View(key.sort));
  }
  std::sort(keys.begin(), keys.end());
  return std::adjacent_find(keys.begin(), keys.end()) == keys.end();
}

Error Over(const std::string& what, uint64_t has, const std::string& limit, uint64_t most) {
  return {TEAL_TOO_LARGE, what + " is " + std::to_string(has) + ", over " + limit + " of " + std::to_string(most)};
}

}  // namespace

// The arrays are looked at only up to a bound far above every limit, so that a wild count is refused by TooLarge.
bool WellFormed(const teal_op* ops, uint64_t count) {
  if (count == 0 || ops == nullptr) return false;
  if (count > (1 << 20)) return true;
  for (uint64_t i = 0; i < count; ++i) {
    if (!WellFormed(ops[i])) return false;
  }
  return Distinct(ops, count, [](const teal_op& op) -> const teal_key& { return op.key; });
}

bool WellFormed(const teal_key* keys, uint64_t count) {
  if (count == 0 || keys == nullptr) return false;
  if (count > (1 << 20)) return true;
  for (uint64_t i = 0; i < count; ++i) {
    if (!WellFormed(keys[i])) return false;
  }
  return Distinct(keys, count, [](const teal_key& key) -> const teal_key& { return key; });
}

std::optional<Error> TooLarge(const MemoryLimits& limits, std::string_view what, uint64_t key_part_bytes) {
  if (key_part_bytes <= limits.key_bytes_max) return std::nullopt;
  return Over("the size of the " + std::string(what) + " in bytes", key_part_bytes, "key_bytes_max",
              limits.key_bytes_max);
}

std::optional<Error> TooLarge(const MemoryLimits& limits, const teal_key* keys, uint64_t count) {
  if (count > limits.get_keys_max) return Over("the number of keys", count, "get_keys_max", limits.get_keys_max);
  for (uint64_t i = 0; i < count; ++i) {
    if (auto error = TooLarge(limits, "key's partition", keys[i].partition.size)) return error;
    if (auto error = TooLarge(limits, "key's sort part", keys[i].sort.size)) return error;
  }
  return std::nullopt;
}

std::optional<Error> TooLarge(const MemoryLimits& limits, const teal_op* ops, uint64_t count) {
  if (count > limits.commit_ops_max) {
    return Over("the number of operations", count, "commit_ops_max", limits.commit_ops_max);
  }
  uint64_t bytes = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const teal_op& op = ops[i];
    if (auto error = TooLarge(limits, "key's partition", op.key.partition.size)) return error;
    if (auto error = TooLarge(limits, "key's sort part", op.key.sort.size)) return error;
    if (op.value.size > limits.value_bytes_max) {
      return Over("the size of a value in bytes", op.value.size, "value_bytes_max", limits.value_bytes_max);
    }
    bytes += op.key.partition.size + op.key.sort.size + op.value.size;
  }
  if (bytes <= limits.commit_bytes_max) return std::nullopt;
  return Over("the size of a commit in bytes", bytes, "commit_bytes_max", limits.commit_bytes_max);
}

uint32_t ShardOf(std::string_view partition, std::string_view sort, uint32_t shards) {
  uint64_t hash = 0xcbf29ce484222325u;
  const auto add = [&hash](uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3u; };
  for (int shift = 0; shift < 32; shift += 8) add(static_cast<uint8_t>(partition.size() >> shift));
  for (const char c : partition) add(static_cast<uint8_t>(c));
  for (const char c : sort) add(static_cast<uint8_t>(c));
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdu;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53u;
  return static_cast<uint32_t>((hash ^ (hash >> 33)) % shards);
}

teal_memory_caps Caps(const MemoryLimits& limits, uint64_t features) {
  teal_memory_caps caps{};
  caps.struct_size = sizeof caps;
  caps.features = features;
  caps.key_bytes_max = limits.key_bytes_max;
  caps.value_bytes_max = limits.value_bytes_max;
  caps.commit_ops_max = limits.commit_ops_max;
  caps.commit_bytes_max = limits.commit_bytes_max;
  caps.get_keys_max = limits.get_keys_max;
  caps.scan_records_max = limits.scan_records_max;
  caps.blob_bytes_max = limits.blob_bytes_max;
  return caps;
}

}  // namespace teal::plugin

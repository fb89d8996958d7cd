// What every memory checks before it does anything: the shape of operations (a host's mistake, TEAL_INVALID at once)
// and their sizes (a user's, TEAL_TOO_LARGE with words through `done`); and the one way keys are spread over shards.
// All functions: pure, any thread.
#pragma once

#include <teal/abi.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <teal/bytes.hpp>
#include <teal/plugin.hpp>

namespace teal::plugin {

// Bytes, or counts where the name says so. What `caps` gives.
struct MemoryLimits {
  uint64_t key_bytes_max = 1024;  // of each part
  uint64_t value_bytes_max = 1 << 20;
  uint64_t commit_ops_max = 1024;
  uint64_t commit_bytes_max = 4 << 20;
  uint64_t get_keys_max = 1024;
  uint64_t scan_records_max = 1024;
  uint64_t blob_bytes_max = uint64_t{1} << 34;
};

inline constexpr uint64_t kPageBytes = 4 << 20;  // a page ends with the record that passes it

// Whether a correct host could have sent this: known kinds and conditions, non-empty and distinct keys, no field set
// that its kind does not carry. (CALL-10)
bool WellFormed(const teal_op* ops, uint64_t count);
bool WellFormed(const teal_key* keys, uint64_t count);

// The limit passed, in words, or nothing. (MEM-18)
std::optional<Error> TooLarge(const MemoryLimits& limits, const teal_op* ops, uint64_t count);
std::optional<Error> TooLarge(const MemoryLimits& limits, const teal_key* keys, uint64_t count);
std::optional<Error> TooLarge(const MemoryLimits& limits, std::string_view what, uint64_t key_part_bytes);

// The shard a key belongs to. Never changes: cursors and other processes rely on it. FNV-1a over the length of the
// partition, partition and sort, mixed by the finaliser of MurmurHash3 so that few shards are even, too.
uint32_t ShardOf(std::string_view partition, std::string_view sort, uint32_t shards);

teal_memory_caps Caps(const MemoryLimits& limits, uint64_t features);

}  // namespace teal::plugin

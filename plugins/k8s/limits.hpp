// What the plugin takes, and why no more. Sizes in bytes.
#pragma once

#include <cstdint>

#include "plugins/common/memory_input.hpp"

namespace teal::k8s {

inline constexpr plugin::MemoryLimits kLimits = {
    // Both parts stand in one entry of the primary key's index, which may have 2,704 bytes.
    .key_bytes_max = 1024,    .value_bytes_max = 1 << 20,
    .commit_ops_max = 1000,   .commit_bytes_max = 16 << 20,
    .get_keys_max = 256,  // an answer has at most 256 MiB
    .scan_records_max = 1000, .blob_bytes_max = uint64_t{16} << 30,
};
static_assert(2 * kLimits.key_bytes_max + 64 <= 2704);

inline constexpr uint64_t kIdempotencyKeyMax = 64;
inline constexpr uint64_t kCursorMax = 4096;

inline constexpr int32_t kChunkBytes = 256 << 10;  // of a blob, a row each
inline constexpr uint64_t kChunksAStatement = 16;  // written at once
static_assert(kLimits.blob_bytes_max / kChunkBytes < INT32_MAX);

inline constexpr uint64_t kPendingMax = 100'000;  // calls, beyond which a call is told to come later

// Commits that share a transaction.
inline constexpr uint64_t kBatchCommitsMax = 64;
inline constexpr uint64_t kBatchBytesMax = 1 << 20;

}  // namespace teal::k8s

// Records as items of the table. The format of the table is in README.md; this is the one place that reads and writes
// it. Pure, any thread.
#pragma once

#include <teal/abi.h>

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "plugins/aws/encoding.hpp"
#include "plugins/aws/result.hpp"

namespace teal::aws {

inline constexpr char kIndexName[] = "due";
inline constexpr uint32_t kIndexParts =
    64;  // part keys of the due index; a change would lose what is in tables already

// Item and request limits of DynamoDB, less what the names of attributes and the numbers take.
inline constexpr uint64_t kKeyBytesMax = 1024;               // of a sort key; a partition key may have 2,048
inline constexpr uint64_t kInlineBytesMax = 350 << 10;       // of 400 KB an item
inline constexpr uint64_t kTransactionBytesMax = 3'500'000;  // of 4 MB; keys and values of all operations
inline constexpr uint64_t kTransactionOpsMax = 100;

struct Spilled {
  uint64_t size = 0;
  Sha256Digest digest{};
};

struct StoredRecord {
  std::string partition;
  std::string sort;
  std::string value;
  teal_version version{};
  uint64_t due_unix_ns = 0;
  uint64_t expires_unix_ns = 0;
  std::optional<Spilled> spilled;  // the value is in S3 and not in `value`

  teal_record ToAbi() const;
};

// A version: 16 bytes that name the commit (of its idempotency key, or random), 15 random bytes, and one that says
// whether the value is in S3. The operations of a commit share it but for the last byte. It never comes back for a key,
// since the random bytes are new for whatever may be applied twice.
teal_version NewVersion(std::string_view idempotency_key);
teal_version WithSpilled(teal_version version, bool spilled);
bool HasSpilled(const teal_version& version);
bool SameCommit(const teal_version& a, const teal_version& b);
inline std::string_view AsText(const teal_version& version) {
  return {reinterpret_cast<const char*>(version.opaque), sizeof version.opaque};
}

// {"pk":{"B":"…"},"sk":{"B":"…"}}
void AppendKey(std::string& json, std::string_view partition, std::string_view sort);
// The whole item of a put.
void AppendItem(std::string& json, const teal_op& op, const teal_version& version, const Spilled* spilled);
// ,"ConditionExpression":… with its values; nothing for TEAL_IF_ANY
void AppendCondition(std::string& json, const teal_op& op);

// An item as DynamoDB gives it. TEAL_CORRUPT if it is none of ours.
Result<StoredRecord> ParseItem(const nlohmann::json& item);
// Only the keys and, where it has one, the due time: what the index gives.
Result<StoredRecord> ParseIndexItem(const nlohmann::json& item);

// The bytes of attribute `name`, or nothing.
std::optional<std::string> BinaryOf(const nlohmann::json& item, const char* name);

}  // namespace teal::aws

// get, scan and scan_due. Loop thread only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/aws/values.hpp"

namespace teal::aws {

struct Page {
  std::vector<StoredRecord> records;
  std::string next;  // empty = no more
};

inline constexpr uint64_t kGetKeysMax = 100;  // of BatchGetItem
inline constexpr uint64_t kScanRecordsMax = 1000;

class Reads {
 public:
  Reads(DynamoDb& dynamodb, Values& values, const Config& config)
      : dynamodb_(dynamodb), values_(values), config_(config) {}

  // Views live until the page is there; sizes have been checked.
  Task<Result<Page>> Get(Operation& operation, std::span<const teal_key> keys);
  Task<Result<Page>> Scan(Operation& operation, std::string_view partition, std::string_view prefix, uint64_t limit,
                          std::string_view cursor);

 private:
  Task<Result<std::vector<StoredRecord>>> Batch(Operation& operation, std::span<const teal_key> keys);
  // Fills the values that are in S3; what is gone meanwhile is left out.
  Task<std::optional<Error>> LoadAll(Operation& operation, std::vector<StoredRecord>& records);

  DynamoDb& dynamodb_;
  Values& values_;
  const Config& config_;
};

}  // namespace teal::aws

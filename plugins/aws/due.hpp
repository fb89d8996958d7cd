// scan_due over the table's index: 64 parts by a hash of the key, each in the order of due times. The shards a caller
// asks for are groups of parts, or, above 64, pieces of one. Loop thread only.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "plugins/aws/cursor.hpp"
#include "plugins/aws/reads.hpp"

namespace teal::aws {

struct DueShard {
  uint32_t shard = 0;
  uint32_t shards = 1;
  std::vector<uint32_t> Parts() const;
  bool Has(const StoredRecord& record) const;  // of a record in one of its parts
};

class DueIndex {
 public:
  DueIndex(DynamoDb& dynamodb, const Config& config) : dynamodb_(dynamodb), config_(config) {}

  // The first page has the earliest of all parts. Where that is not all, its cursor begins a walk part by part, which
  // gives every record, those of the first page a second time.
  Task<Result<Page>> Scan(Operation& operation, DueShard shard, uint64_t until_unix_ns, uint64_t limit,
                          std::string_view cursor);

 private:
  struct Piece {
    std::vector<StoredRecord> records;
    std::optional<DueCursor> next;  // where the part goes on
  };
  Task<Result<Piece>> Query(Operation& operation, DueShard shard, DueCursor from, uint64_t until_unix_ns,
                            uint64_t limit);
  Task<Result<Page>> First(Operation& operation, DueShard shard, uint64_t until_unix_ns, uint64_t limit);
  Task<Result<Page>> Walk(Operation& operation, DueShard shard, DueCursor from, uint64_t until_unix_ns, uint64_t limit);

  DynamoDb& dynamodb_;
  const Config& config_;
};

}  // namespace teal::aws

// Values too large for an item stand in S3 as objects of their own, written before the item that names them and removed
// after the item that named them is gone. An object's name follows from the record's version and key, so each write has
// its own and none is ever changed. Loop thread only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plugins/aws/dynamodb.hpp"
#include "plugins/aws/records.hpp"
#include "plugins/aws/s3.hpp"

namespace teal::aws {

class Values {
 public:
  Values(DynamoDb& dynamodb, S3* s3, const Config& config) : dynamodb_(dynamodb), s3_(s3), config_(config) {}

  bool offered() const { return s3_ != nullptr; }
  std::string ObjectKey(const teal_version& version, std::string_view partition, std::string_view sort) const;

  Task<Status> Put(Operation& operation, const teal_op& op, const teal_version& version, Spilled& out);
  // Removes the object of a record that is no more, if it had one. What fails is logged: it costs space only.
  Task<bool> Remove(Operation& operation, const StoredRecord& record);
  Task<bool> Remove(Operation& operation, std::string object);

  // Fills the value of a record that has it in S3. Where the record has moved on meanwhile it is read again; nothing if
  // it is no longer there.
  Task<Result<std::optional<StoredRecord>>> Load(Operation& operation, StoredRecord record);
  // The record as it is now, value and all.
  Task<Result<std::optional<StoredRecord>>> Read(Operation& operation, std::string_view partition,
                                                 std::string_view sort);
  // The same, with a spilled value left where it is.
  Task<Result<std::optional<StoredRecord>>> ReadItem(Operation& operation, std::string_view partition,
                                                     std::string_view sort);

 private:
  DynamoDb& dynamodb_;
  S3* const s3_;
  const Config& config_;
};

}  // namespace teal::aws

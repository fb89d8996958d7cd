// The table itself: made if asked for, and looked at before it is used. Loop thread only.
#pragma once

#include "plugins/aws/dynamodb.hpp"

namespace teal::aws {

struct TableFacts {
  bool expiry = false;  // items with a passed `ttl` are removed by DynamoDB
};

// Waits until table and index are ACTIVE. TEAL_INVALID for a table of another shape, in words that name what differs.
Task<Result<TableFacts>> PrepareTable(Operation& operation, DynamoDb& dynamodb, const Config& config);

}  // namespace teal::aws

// Commits: one record by a condition of its own, several by a transaction. What is safe to send again, and what an
// answer that was lost means, is decided here and nowhere else:
//
//   * Each write stores its version (records.hpp), so that a record found in the way tells whose write stands: the own
//     version found is success. (ERR-3)
//   * After a request whose outcome is unknown the same request is sent again only where it can be applied at most
//   once: on
//     an exact version, which never comes back, or in a transaction, whose token DynamoDB remembers for ten minutes.
//     Others are answered by a look at the record: own version there, or OUTCOME_UNKNOWN.
//   * Once a request may have been applied or may still be, nothing but the own version is proof: never CONFLICT.
//   * The instance remembers idempotency keys whose outcome it could not tell, so that the host's repeat of such a
//   commit
//     is held to the same.
// Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "plugins/aws/values.hpp"

namespace teal::aws {

struct CommitOutcome {
  std::optional<Error> error;
  uint32_t failed_op = 0;
  std::vector<teal_version> versions;
  std::optional<StoredRecord> found;  // on CONFLICT
};

class Commits {
 public:
  Commits(DynamoDb& dynamodb, Values& values, const Config& config)
      : dynamodb_(dynamodb), values_(values), config_(config) {}

  // Sizes have been checked; `ops` lives until the outcome is there.
  Task<CommitOutcome> Commit(Operation& operation, std::span<const teal_op> ops, std::string_view idempotency_key);

 private:
  struct Write;  // one commit under way
  struct Doubt {
    teal_version version;
    uint64_t until_unix_ns;  // for so long the same transaction may be sent again
  };

  Task<CommitOutcome> Check(Operation& operation, const teal_op& op);
  Task<CommitOutcome> One(Operation& operation, Write& write);
  Task<CommitOutcome> Many(Operation& operation, Write& write);
  // Puts what does not fit into its item, or into the transaction, into S3.
  Task<Status> Spill(Operation& operation, Write& write);
  // Finds the objects that a successful commit is to remove.
  Task<Status> FindReplaced(Operation& operation, Write& write);
  Task<CommitOutcome> Applied(Operation& operation, Write& write, teal_version version);
  Task<CommitOutcome> Conflict(Operation& operation, Write& write, uint32_t failed_op, const Json* item);
  // Nothing more can be sent: the record itself may still tell.
  Task<CommitOutcome> GiveUp(Operation& operation, Write& write, const Error& why);
  static bool IsOwn(const Write& write, std::size_t i, const Json* item);
  std::optional<Doubt> Recall(std::string_view idempotency_key, uint64_t now);
  void Remember(const Write& write);

  DynamoDb& dynamodb_;
  Values& values_;
  const Config& config_;
  std::unordered_map<std::string, Doubt> doubts_;
  std::deque<std::pair<uint64_t, std::string>> doubts_by_age_;
};

}  // namespace teal::aws

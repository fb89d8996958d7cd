// What an answer of DynamoDB or S3, or its absence, means for the request that was sent. Pure, any thread.
#pragma once

#include <cstdint>
#include <string>

#include "plugins/aws/http.hpp"

namespace teal::aws {

enum class Trouble {
  kNone,
  kThrottled,    // refused for its rate; not applied
  kContention,   // another transaction holds a record (TransactionConflict); not applied
  kInProgress,   // the same transaction is still being worked on; unknown
  kUnreachable,  // never sent; not applied
  kLost,         // no answer, a broken one, or an error of the service itself: unknown
  kCredentials,  // expired or unknown keys; not applied; others may be had
  kDenied,       // not applied
  kCondition,    // a condition did not hold; not applied
  kCancelled,    // a transaction was cancelled; the reasons say why; not applied
  kNoTable,      // table or bucket is not there; not applied
  kNotFound,     // S3: no such object
  kExists,       // S3: If-None-Match found one
  kRange,        // S3: the range begins past the end
  kTooLarge,     // not applied
  kStopped,      // the operation was cancelled, closed or late; outcome as the error says
  kOther,        // refused for good; not applied
};

struct ServiceError {
  Trouble trouble = Trouble::kNone;
  Error error;  // as the caller of the plugin is to see it
  uint64_t retry_after_ns = 0;
};

// Whether sending the same request again may help. Where the outcome is unknown the caller decides whether it may.
bool Retryable(Trouble trouble);
bool Unknown(const ServiceError& failure);

// `action` as IAM names it, "dynamodb:PutItem"; `resource` as the user knows it, "table teal".
ServiceError FromTransport(Error error, const std::string& action);
ServiceError FromDynamoDb(const HttpResponse& response, const std::string& type, const std::string& message,
                          const std::string& action, const std::string& resource);
ServiceError FromS3(const HttpResponse& response, const std::string& action, const std::string& resource);

}  // namespace teal::aws

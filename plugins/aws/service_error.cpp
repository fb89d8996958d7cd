#include "plugins/aws/service_error.hpp"

#include <array>
#include <string_view>
#include <utility>

#include "plugins/aws/xml.hpp"

namespace teal::aws {
namespace {

struct Known {
  std::string_view type;
  Trouble trouble;
};

// "Common errors" and "Error handling with DynamoDB" of AWS's documentation.
constexpr std::array kDynamoDb{
    Known{"ConditionalCheckFailedException", Trouble::kCondition},
    Known{"TransactionCanceledException", Trouble::kCancelled},
    Known{"TransactionConflictException", Trouble::kContention},
    Known{"TransactionInProgressException", Trouble::kInProgress},
    Known{"ProvisionedThroughputExceededException", Trouble::kThrottled},
    Known{"ThrottlingException", Trouble::kThrottled},
    Known{"RequestLimitExceeded", Trouble::kThrottled},
    Known{"LimitExceededException", Trouble::kThrottled},
    Known{"ResourceInUseException", Trouble::kOther},
    Known{"ResourceNotFoundException", Trouble::kNoTable},
    Known{"TableNotFoundException", Trouble::kNoTable},
    Known{"AccessDeniedException", Trouble::kDenied},
    Known{"ExpiredTokenException", Trouble::kCredentials},
    Known{"ExpiredToken", Trouble::kCredentials},
    Known{"UnrecognizedClientException", Trouble::kCredentials},
    Known{"InvalidClientTokenId", Trouble::kCredentials},
    Known{"InvalidSignatureException", Trouble::kCredentials},
    Known{"IncompleteSignatureException", Trouble::kDenied},
    Known{"MissingAuthenticationTokenException", Trouble::kDenied},
    Known{"MissingAuthenticationToken", Trouble::kDenied},
    Known{"ItemCollectionSizeLimitExceededException", Trouble::kTooLarge},
    Known{"InternalServerError", Trouble::kLost},
    Known{"InternalFailure", Trouble::kLost},
    Known{"ServiceUnavailable", Trouble::kLost},
    Known{"ServiceUnavailableException", Trouble::kLost},
    Known{"ReplicatedWriteConflictException", Trouble::kContention},
};

// "Error responses" of S3's documentation.
constexpr std::array kS3{
    Known{"NoSuchKey", Trouble::kNotFound},
    Known{"NoSuchBucket", Trouble::kNoTable},
    Known{"PreconditionFailed", Trouble::kExists},
    Known{"InvalidRange", Trouble::kRange},
    Known{"ConditionalRequestConflict", Trouble::kContention},
    Known{"OperationAborted", Trouble::kContention},
    Known{"SlowDown", Trouble::kThrottled},
    Known{"SlowDownRead", Trouble::kThrottled},
    Known{"SlowDownWrite", Trouble::kThrottled},
    Known{"AccessDenied", Trouble::kDenied},
    Known{"SignatureDoesNotMatch", Trouble::kCredentials},
    Known{"InvalidAccessKeyId", Trouble::kCredentials},
    Known{"ExpiredToken", Trouble::kCredentials},
    Known{"InvalidToken", Trouble::kCredentials},
    Known{"EntityTooLarge", Trouble::kTooLarge},
    Known{"InternalError", Trouble::kLost},
    Known{"ServiceUnavailable", Trouble::kLost},
    Known{"RequestTimeout", Trouble::kLost},
    Known{"RequestTimeTooSkewed", Trouble::kDenied},
};

template <typename Table>
Trouble Find(const Table& table, std::string_view type) {
  for (const Known& known : table) {
    if (known.type == type) return known.trouble;
  }
  return Trouble::kNone;
}

// An answer whose words are unknown says by its number alone whether the service took the request; only 4xx says it
// did not, and 429 may come from something between that saw the answer.
Trouble ByStatus(uint32_t status) {
  if (status == 401 || status == 403) return Trouble::kDenied;
  if (status / 100 == 4 && status != 408 && status != 429) return Trouble::kOther;
  return Trouble::kLost;
}

teal_status CodeOf(Trouble trouble, uint32_t status) {
  switch (trouble) {
    case Trouble::kThrottled:
    case Trouble::kContention:
    case Trouble::kInProgress:
      return TEAL_THROTTLED;
    case Trouble::kLost:
      return status == 429 ? TEAL_THROTTLED : TEAL_UNAVAILABLE;
    case Trouble::kUnreachable:
      return TEAL_UNAVAILABLE;
    case Trouble::kCredentials:
    case Trouble::kDenied:
      return TEAL_DENIED;
    case Trouble::kCondition:
    case Trouble::kCancelled:
    case Trouble::kExists:
      return TEAL_CONFLICT;
    case Trouble::kNoTable:
      return TEAL_UNAVAILABLE;
    case Trouble::kNotFound:
    case Trouble::kRange:
      return TEAL_NOT_FOUND;
    case Trouble::kTooLarge:
      return TEAL_TOO_LARGE;
    default:
      return TEAL_INTERNAL;
  }
}

std::string Words(Trouble trouble, const std::string& action, const std::string& resource) {
  const std::string what = action + " on " + resource;
  switch (trouble) {
    case Trouble::kThrottled:
      return what + " is throttled; raise its capacity or slow down";
    case Trouble::kContention:
      return what + " meets other writes of the same records";
    case Trouble::kInProgress:
      return what + ": the same transaction is still in progress";
    case Trouble::kCredentials:
      return what + ": AWS does not accept the credentials";
    case Trouble::kDenied:
      return what + " is denied; allow " + action;
    case Trouble::kNoTable:
      return what + ": it does not exist in this region; create it, or see `create_table`";
    case Trouble::kTooLarge:
      return what + " is too large";
    case Trouble::kLost:
      return what + ": the service failed";
    default:
      return what + " was refused";
  }
}

ServiceError Make(Trouble trouble, const HttpResponse& response, const std::string& type, const std::string& message,
                  const std::string& action, const std::string& resource) {
  ServiceError out;
  out.trouble = trouble;
  out.retry_after_ns = response.RetryAfterNs();
  out.error.code = CodeOf(trouble, response.status);
  out.error.message = Words(trouble, action, resource) + " (" + (type.empty() ? "no error code" : type) + ")";
  if (!message.empty()) out.error.message += ": " + message;
  out.error.vendor_code = response.status;
  out.error.retry_after_ns = out.retry_after_ns;
  const bool unknown = trouble == Trouble::kLost || trouble == Trouble::kInProgress;
  out.error.outcome = unknown ? TEAL_OUTCOME_UNKNOWN : TEAL_NOT_APPLIED;
  return out;
}

}  // namespace

bool Retryable(Trouble trouble) {
  switch (trouble) {
    case Trouble::kThrottled:
    case Trouble::kContention:
    case Trouble::kInProgress:
    case Trouble::kUnreachable:
    case Trouble::kLost:
    case Trouble::kCredentials:
      return true;
    default:
      return false;
  }
}

bool Unknown(const ServiceError& failure) {
  return failure.error.outcome == TEAL_OUTCOME_UNKNOWN;
}

ServiceError FromTransport(Error error, const std::string& action) {
  ServiceError out;
  const bool stopped = error.code == TEAL_CANCELLED || error.code == TEAL_CLOSED;
  const bool tried = error.code == TEAL_UNAVAILABLE || error.code == TEAL_TIMEOUT;
  out.trouble = stopped                                 ? Trouble::kStopped
                : !tried                                ? Trouble::kOther
                : error.outcome == TEAL_OUTCOME_UNKNOWN ? Trouble::kLost
                                                        : Trouble::kUnreachable;
  out.retry_after_ns = error.retry_after_ns;
  out.error = std::move(error);
  if (!stopped) out.error.message = action + ": " + out.error.message;
  return out;
}

ServiceError FromDynamoDb(const HttpResponse& response, const std::string& type, const std::string& message,
                          const std::string& action, const std::string& resource) {
  Trouble trouble = Find(kDynamoDb, type);
  if (trouble == Trouble::kNone) trouble = ByStatus(response.status);
  const bool oversized = type == "ValidationException" && (message.find("size has exceeded") != std::string::npos ||
                                                           message.find("size exceeded") != std::string::npos);
  if (oversized) trouble = Trouble::kTooLarge;
  return Make(trouble, response, type, message, action, resource);
}

ServiceError FromS3(const HttpResponse& response, const std::string& action, const std::string& resource) {
  const std::string type = XmlText(response.body, "Code");
  Trouble trouble = Find(kS3, type);
  // An answer to HEAD has no body, nor have some of those in between.
  if (trouble == Trouble::kNone && type.empty()) {
    if (response.status == 404) trouble = Trouble::kNotFound;
    if (response.status == 412) trouble = Trouble::kExists;
    if (response.status == 416) trouble = Trouble::kRange;
    if (response.status == 403) trouble = Trouble::kDenied;
  }
  if (trouble == Trouble::kNone) trouble = ByStatus(response.status);
  return Make(trouble, response, type, XmlText(response.body, "Message"), action, resource);
}

}  // namespace teal::aws

#include "plugins/aws/dynamodb.hpp"

#include "plugins/aws/backoff.hpp"
#include "plugins/aws/endpoints.hpp"

namespace teal::aws {
namespace {

constexpr uint64_t kAnswerBytesMax = 48 << 20;  // 16 MB of items, as base64 in JSON

std::string Text(const Json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

// "com.amazonaws.dynamodb.v20120810#ThrottlingException" → "ThrottlingException"
std::string ErrorType(const Json& body) {
  const std::string type = Text(body, "__type");
  const std::size_t mark = type.rfind('#');
  return mark == std::string::npos ? type : type.substr(mark + 1);
}

}  // namespace

DynamoDb::DynamoDb(CredentialCache& credentials, const Config& config)
    : credentials_(credentials),
      config_(config),
      url_(DynamoDbEndpoint(config) + "/"),
      resource_("table " + config.table) {}

Task<Answer> DynamoDb::Once(Operation& operation, std::string action, const std::string& body) {
  Answer answer;
  auto credentials = co_await credentials_.Get(operation);
  if (!credentials) {
    answer.failure = {operation.Stopped() ? Trouble::kStopped : Trouble::kDenied, credentials.error(), 0};
    if (answer.failure.error.code == TEAL_UNAVAILABLE) answer.failure.trouble = Trouble::kUnreachable;
    co_return answer;
  }
  HttpRequest request;
  request.url = url_;
  request.headers = {{"Content-Type", "application/x-amz-json-1.0"}, {"X-Amz-Target", "DynamoDB_20120810." + action}};
  request.body = body;
  request.response_bytes_max = kAnswerBytesMax;
  request.timeout_ns = config_.request_timeout_ns;
  request.credentials = *credentials;
  request.signing.region = config_.region;
  request.signing.service = "dynamodb";
  auto response = co_await Send(operation, request);
  const std::string name = "dynamodb:" + action;
  if (!response) {
    answer.failure = FromTransport(std::move(response.error()), name);
    co_return answer;
  }
  answer.body = Json::parse(response->body, nullptr, false);
  if (answer.body.is_discarded()) answer.body = nullptr;
  if (response->status == 200 && answer.body.is_object()) co_return answer;
  std::string message = Text(answer.body, "message");
  if (message.empty()) message = Text(answer.body, "Message");
  if (response->status == 200) {  // cut, or from something that is not DynamoDB: the request may have been applied
    response->status = 502;
    message = "the answer is no JSON";
  }
  answer.failure = FromDynamoDb(*response, ErrorType(answer.body), message, name, resource_);
  if (answer.failure.trouble == Trouble::kCredentials) credentials_.Refused(*credentials);
  co_return answer;
}

Task<Answer> DynamoDb::Read(Operation& operation, std::string action, const std::string& body) {
  Backoff backoff(config_.attempts);
  for (;;) {
    Answer answer = co_await Once(operation, action, body);
    answer.failure.error.outcome = TEAL_NOT_APPLIED;
    if (answer.ok()) co_return answer;
    const bool again = co_await backoff.Again(operation, answer.failure);
    if (again) continue;
    Error& error = answer.failure.error;
    const Error stopped = operation.WhyStopped();
    if (operation.Stopped() && stopped.code != TEAL_TIMEOUT) error = stopped;
    if (error.code == TEAL_THROTTLED && error.retry_after_ns == 0) error.retry_after_ns = backoff.next_ns();
    co_return answer;
  }
}

}  // namespace teal::aws

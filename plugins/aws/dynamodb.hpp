// Requests to DynamoDB (API version 2012-08-10, JSON 1.0). Loop thread only.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>

#include "plugins/aws/credentials.hpp"
#include "plugins/aws/service_error.hpp"

namespace teal::aws {

using Json = nlohmann::json;

// An answer, or why there is none. `body` of a failure is the error's own JSON, or null.
struct Answer {
  ServiceError failure;
  Json body;
  bool ok() const { return failure.trouble == Trouble::kNone; }
};

class DynamoDb {
 public:
  DynamoDb(CredentialCache& credentials, const Config& config);

  // One request, sent once. `action` is "PutItem" …; `body` lives until the answer.
  Task<Answer> Once(Operation& operation, std::string action, const std::string& body);
  // The same for requests that change nothing: sent again as long as that may help.
  Task<Answer> Read(Operation& operation, std::string action, const std::string& body);

 private:
  CredentialCache& credentials_;
  const Config& config_;
  const std::string url_;
  const std::string resource_;
};

}  // namespace teal::aws

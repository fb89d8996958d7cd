// Requests over teal.host.http/1 as something a coroutine can await. Never retries: who asks knows what is safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/aws/operation.hpp"
#include "plugins/aws/result.hpp"
#include "plugins/aws/sigv4.hpp"
#include "plugins/aws/task.hpp"

namespace teal::aws {

struct Credentials {
  SigningKeys keys;
  uint64_t expires_unix_s = 0;  // 0 = never
};

struct HttpHeader {
  std::string name;
  std::string value;
};

struct HttpRequest {
  std::string method = "POST";
  std::string url;  // path and query encoded
  std::vector<HttpHeader> headers;
  std::string_view body;  // lives until the answer is there
  uint64_t response_bytes_max = 0;
  uint64_t timeout_ns = 0;  // 0 = the service's own
  // Signed where `credentials` are given, at the moment each attempt is sent.
  std::shared_ptr<const Credentials> credentials;
  SigningOptions signing;
};

struct HttpResponse {
  uint32_t status = 0;
  std::vector<HttpHeader> headers;  // names in lower case
  std::string body;
  std::string_view Header(std::string_view name) const;  // "" if there is none
  // The header Retry-After in nanoseconds; 0 if there is none or it is no number of seconds.
  uint64_t RetryAfterNs() const;
};

// Any answer of the server is a success. The error of a failure has the outcome as the service saw it.
Task<Result<HttpResponse>> Send(Operation& operation, const HttpRequest& request);

// What stands between "://" and the path, and whether the URL begins with http:// or https:// at all.
bool SplitUrl(std::string_view url, std::string_view& host, std::string_view& path, std::string_view& query);

}  // namespace teal::aws

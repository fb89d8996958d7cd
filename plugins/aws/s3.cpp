#include "plugins/aws/s3.hpp"

#include <algorithm>

#include "plugins/aws/backoff.hpp"
#include "plugins/aws/encoding.hpp"
#include "plugins/aws/endpoints.hpp"
#include "plugins/aws/xml.hpp"

namespace teal::aws {
namespace {

constexpr uint64_t kHeaderSlack = 1 << 16;

Status Done(S3Answer answer) {
  if (answer.ok()) return Nothing{};
  return std::move(answer.failure.error);
}

// Whether as many bytes came as the headers say; a body that was cut is no answer.
bool WholeBody(const HttpResponse& response) {
  const std::string_view length = response.Header("content-length");
  return length.empty() || length == std::to_string(response.body.size());
}

}  // namespace

S3::S3(CredentialCache& credentials, const Config& config)
    : credentials_(credentials), config_(config), url_(BucketUrl(config) + "/"), resource_("bucket " + config.bucket) {}

Task<S3Answer> S3::Once(Operation& operation, const S3Request& request) {
  S3Answer answer;
  const std::string name = "s3:" + request.action;
  auto credentials = co_await credentials_.Get(operation);
  if (!credentials) {
    answer.failure = {operation.Stopped() ? Trouble::kStopped : Trouble::kDenied, credentials.error(), 0};
    co_return answer;
  }
  HttpRequest http;
  http.method = request.method;
  http.url = url_ + UriEncode(request.key, true) + (request.query.empty() ? "" : "?" + request.query);
  http.headers = request.headers;
  http.body = request.body;
  http.response_bytes_max = request.response_bytes_max;
  http.timeout_ns = config_.request_timeout_ns;
  http.credentials = *credentials;
  http.signing.region = config_.region;
  http.signing.service = "s3";
  http.signing.normalize_path = false;
  http.signing.double_encode_path = false;
  http.signing.add_payload_hash = true;
  auto response = co_await Send(operation, http);
  if (!response) {
    answer.failure = FromTransport(std::move(response.error()), name);
    co_return answer;
  }
  answer.response = std::move(*response);
  if (answer.response.status / 100 == 2 && !WholeBody(answer.response)) answer.response.status = 502;
  if (answer.response.status / 100 == 2) co_return answer;
  answer.failure = FromS3(answer.response, name, resource_);
  if (answer.failure.trouble == Trouble::kCredentials) credentials_.Refused(*credentials);
  co_return answer;
}

Task<S3Answer> S3::Do(Operation& operation, const S3Request& request) {
  Backoff backoff(config_.attempts);
  for (;;) {
    S3Answer answer = co_await Once(operation, request);
    if (answer.ok()) co_return answer;
    const bool again = co_await backoff.Again(operation, answer.failure);
    if (again) continue;
    const Error stopped = operation.WhyStopped();
    if (operation.Stopped() && stopped.code != TEAL_TIMEOUT) answer.failure.error = stopped;
    co_return answer;
  }
}

Task<Status> S3::Put(Operation& operation, std::string key, std::string_view body, bool only_if_absent) {
  S3Request request{"PUT", "PutObject", std::move(key), "", {{"Content-Type", "application/octet-stream"}}, body};
  if (only_if_absent) request.headers.push_back({"If-None-Match", "*"});
  S3Answer answer = co_await Do(operation, request);
  if (answer.failure.trouble == Trouble::kExists) co_return Nothing{};
  co_return Done(std::move(answer));
}

Task<Status> S3::Delete(Operation& operation, std::string key) {
  const S3Request request{"DELETE", "DeleteObject", std::move(key), "", {}, {}};
  S3Answer answer = co_await Do(operation, request);
  if (answer.failure.trouble == Trouble::kNotFound) co_return Nothing{};
  co_return Done(std::move(answer));
}

Task<Result<std::string>> S3::Get(Operation& operation, std::string key, uint64_t offset, uint64_t size) {
  // A range names its last byte, so nothing cannot be asked for; one byte tells whether the object is there.
  const uint64_t asked = std::max<uint64_t>(size, 1);
  const uint64_t last = offset > UINT64_MAX - asked ? UINT64_MAX : offset + asked - 1;
  S3Request request{"GET", "GetObject", std::move(key), "", {}, {}};
  request.headers.push_back({"Range", "bytes=" + std::to_string(offset) + "-" + std::to_string(last)});
  request.response_bytes_max = std::min(asked, UINT64_MAX - kHeaderSlack) + kHeaderSlack;
  S3Answer answer = co_await Do(operation, request);
  if (answer.failure.trouble == Trouble::kRange) co_return std::string();
  if (!answer.ok()) co_return std::move(answer.failure.error);
  std::string& body = answer.response.body;
  if (answer.response.status == 200)
    body.erase(0, std::min<uint64_t>(offset, body.size()));  // the range was passed over
  body.resize(std::min<uint64_t>(body.size(), size));
  co_return std::move(body);
}

Task<Result<std::string>> S3::CreateUpload(Operation& operation, std::string key) {
  const S3Request request{
      "POST", "PutObject", std::move(key), "uploads=", {{"Content-Type", "application/octet-stream"}}, {}};
  S3Answer answer = co_await Do(operation, request);
  if (!answer.ok()) co_return std::move(answer.failure.error);
  std::string id = XmlText(answer.response.body, "UploadId");
  if (id.empty()) co_return Error{TEAL_INTERNAL, "s3:PutObject: the answer names no upload"};
  co_return std::move(id);
}

Task<Result<std::string>> S3::UploadPart(Operation& operation, std::string key, std::string upload, uint32_t number,
                                         std::string_view body) {
  const S3Request request{"PUT",
                          "PutObject",
                          std::move(key),
                          "partNumber=" + std::to_string(number) + "&uploadId=" + UriEncode(upload, false),
                          {},
                          body};
  S3Answer answer = co_await Do(operation, request);
  if (!answer.ok()) co_return std::move(answer.failure.error);
  co_return std::string(answer.response.Header("etag"));
}

Task<Status> S3::CompleteUpload(Operation& operation, std::string key, std::string upload,
                                std::vector<std::string> etags) {
  std::string body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (std::size_t i = 0; i < etags.size(); ++i) {
    body +=
        "<Part><ETag>" + XmlEscape(etags[i]) + "</ETag><PartNumber>" + std::to_string(i + 1) + "</PartNumber></Part>";
  }
  body += "</CompleteMultipartUpload>";
  const S3Request request{"POST",
                          "PutObject",
                          key,
                          "uploadId=" + UriEncode(upload, false),
                          {{"Content-Type", "application/xml"}, {"If-None-Match", "*"}},
                          body};
  Backoff backoff(config_.attempts);
  bool unknown = false;
  for (;;) {
    S3Answer answer = co_await Once(operation, request);
    // S3 begins to answer 200 before it is done; an error then stands in the body.
    if (answer.ok() && answer.response.body.find("<Error>") != std::string::npos) {
      answer.response.status = 500;
      answer.failure = FromS3(answer.response, "s3:PutObject", resource_);
    }
    if (answer.ok()) co_return Nothing{};
    if (answer.failure.trouble == Trouble::kExists) {
      (void)co_await AbortUpload(operation, key, upload);
      co_return Nothing{};
    }
    // The upload is gone once a lost request has completed it.
    const bool gone = XmlText(answer.response.body, "Code") == "NoSuchUpload";
    if (gone && unknown) {
      auto there = co_await Get(operation, key, 0, 1);
      if (there) co_return Nothing{};
    }
    unknown = unknown || Unknown(answer.failure);
    const bool again = co_await backoff.Again(operation, answer.failure);
    if (again) continue;
    if (unknown) answer.failure.error.outcome = TEAL_OUTCOME_UNKNOWN;
    co_return Done(std::move(answer));
  }
}

Task<Status> S3::AbortUpload(Operation& operation, std::string key, std::string upload) {
  const S3Request request{"DELETE", "AbortMultipartUpload", std::move(key), "uploadId=" + UriEncode(upload, false), {},
                          {}};
  S3Answer answer = co_await Do(operation, request);
  co_return Done(std::move(answer));
}

}  // namespace teal::aws

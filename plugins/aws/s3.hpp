// Requests to S3: objects whole, in ranges and in parts. Loop thread only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plugins/aws/credentials.hpp"
#include "plugins/aws/service_error.hpp"

namespace teal::aws {

struct S3Answer {
  ServiceError failure;
  HttpResponse response;
  bool ok() const { return failure.trouble == Trouble::kNone; }
};

struct S3Request {
  std::string method;
  std::string action;  // as IAM names it, without "s3:"
  std::string key;     // plain; encoded when sent
  std::string query;   // encoded
  std::vector<HttpHeader> headers;
  std::string_view body;
  uint64_t response_bytes_max = 1 << 20;
};

class S3 {
 public:
  S3(CredentialCache& credentials, const Config& config);

  // Sent again as long as that may help: all that this plugin asks of S3 may be done twice.
  Task<S3Answer> Do(Operation& operation, const S3Request& request);

  // `only_if_absent`: what is there stays, and that is a success.
  Task<Status> Put(Operation& operation, std::string key, std::string_view body, bool only_if_absent);
  // An absent object is fine.
  Task<Status> Delete(Operation& operation, std::string key);
  // At most `size` bytes from `offset`; shorter only at the end. TEAL_NOT_FOUND if there is no such object.
  Task<Result<std::string>> Get(Operation& operation, std::string key, uint64_t offset, uint64_t size);

  Task<Result<std::string>> CreateUpload(Operation& operation, std::string key);  // its id
  // The part's ETag. Every part but the last has at least 5 MiB.
  Task<Result<std::string>> UploadPart(Operation& operation, std::string key, std::string upload, uint32_t number,
                                       std::string_view body);
  Task<Status> CompleteUpload(Operation& operation, std::string key, std::string upload,
                              std::vector<std::string> etags);
  Task<Status> AbortUpload(Operation& operation, std::string key, std::string upload);

 private:
  Task<S3Answer> Once(Operation& operation, const S3Request& request);
  CredentialCache& credentials_;
  const Config& config_;
  const std::string url_;
  const std::string resource_;
};

}  // namespace teal::aws

// AWS Signature Version 4 (docs.aws.amazon.com, "Create a signed AWS API request"), with HMAC-SHA-256.
// All functions: pure, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace teal::aws {

struct SigningKeys {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // empty = none
};

struct SigningHeader {
  std::string name;
  std::string value;
};

struct SigningRequest {
  std::string_view method;
  std::string_view path;               // as sent, before the '?'; empty is taken as "/"
  std::string_view query;              // as sent, after the '?'
  std::vector<SigningHeader> headers;  // all that are to be signed, Host among them; names in any case
  std::string payload_hash;            // SHA-256 of the body in hex, or "UNSIGNED-PAYLOAD"
};

struct SigningOptions {
  std::string region;
  std::string service;
  uint64_t time_unix_s = 0;
  bool normalize_path = true;      // S3 signs paths as they are
  bool double_encode_path = true;  // S3 does not
  bool sign_session_token = true;  // false: the token is added after the signature
  bool add_payload_hash = false;   // header form: x-amz-content-sha256, which S3 wants
  uint64_t expires_s = 3600;       // of the query form
};

// The steps, each as the standard words them; kept for the test vectors.
struct Signature {
  std::string canonical_request;
  std::string string_to_sign;
  std::string signature;  // hex
  // Header form: what is to be added to the request, Authorization last.
  std::vector<SigningHeader> headers;
  // Query form: the query to be sent.
  std::string query;
};

Signature SignHeaders(SigningRequest request, const SigningKeys& keys, const SigningOptions& options);
Signature SignQuery(SigningRequest request, const SigningKeys& keys, const SigningOptions& options);

}  // namespace teal::aws

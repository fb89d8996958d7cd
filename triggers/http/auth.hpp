// Whether a request may: keys and signed bodies. Thread-safe.
#ifndef TEAL_HTTP_AUTH_HPP
#define TEAL_HTTP_AUTH_HPP

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "message.hpp"
#include "request.hpp"

namespace teal::http {

struct Verdict {
  std::optional<Answer> refusal;  // 401: no proof came; 403: a wrong one
  Caller caller;                  // without a refusal
};

// x-teal-key against all keys, in a time that does not tell how near it came.
Verdict CheckKey(const Request& request, const std::multimap<std::string, std::string>& keys);

// X-Hub-Signature-256: "sha256=" and the HMAC of the body in hexadecimal.
Verdict HasSignature(const Request& request);
Verdict CheckSignature(const Request& request, std::string_view secret);

}  // namespace teal::http

#endif

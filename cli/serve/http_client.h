// HTTP/1.1 to one host, one request at a time: what the commands need, no more. Blocks. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace teal::cli {

inline constexpr uint64_t kSecondNs = 1'000'000'000;

struct HostAddress {
  bool tls = false;
  std::string host;  // a name or an address, without brackets
  std::string port = "8787";
  std::string certificate_file;  // PEM; the certificate the host is known to have, besides what the system trusts
};
// Of "http://127.0.0.1:8787" or https. kInvalid: it is neither.
Result<HostAddress> ParseHostUrl(const std::string& url);

struct HttpRequest {
  std::string method = "GET";
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  uint64_t silence_ns_max = 0;  // without a byte from the host; 0: 30 s
};
struct HttpResponse {
  int status = 0;
  std::string body;  // of a stream: nothing
};

// SIGINT during a call ends it with this message.
inline constexpr char kInterruptedMessage[] = "interrupted";

class HttpClient {
 public:
  explicit HttpClient(HostAddress address);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // on_text: takes the body as it comes where the status is 200; false ends the call. Empty: the body is gathered.
  // kUnavailable: the host cannot be reached, broke off or was silent; its certificate is not to be trusted.
  Result<HttpResponse> Call(const HttpRequest& request, const std::function<bool(std::string_view)>& on_text = {});

 private:
  struct Wire;
  Status Connect(uint64_t silence_ns_max);
  Result<HttpResponse> Exchange(const std::string& text, const std::function<bool(std::string_view)>& on_text);

  const HostAddress address_;
  std::unique_ptr<Wire> wire_;  // null: not connected
};

}  // namespace teal::cli

#include "core/host/http/exchange.h"

#include <fcntl.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/host/call.h"

namespace teal::host::http {
namespace {

bool IsToken(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

// Whether it is a control character of ASCII.
bool IsControl(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
}

bool IsHeaderValue(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return IsControl(c) && c != '\t'; });
}

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r' || text.back() == '\n')) {
    text.remove_suffix(1);
  }
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  return text;
}

// "https://host:port" of a URL, without a user's name and password.
std::string OriginOf(std::string_view url) {
  const size_t begin = url.find("://") + 3;
  const size_t end = std::min(url.find_first_of("/?#", begin), url.size());
  std::string_view authority = url.substr(begin, end - begin);
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  return std::string(url.substr(0, begin)) + std::string(authority);
}

// A child of the host must not inherit a connection.
curl_socket_t OpenSocket(void*, curlsocktype, curl_sockaddr* address) {
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

long Milliseconds(uint64_t ns) {
  constexpr uint64_t kMax = 1'000'000'000;  // milliseconds; eleven days
  return static_cast<long>(std::clamp<uint64_t>((ns + 999'999) / 1'000'000, 1, kMax));
}

}  // namespace

Exchange::Exchange(const teal_host* its_host, const teal_call* its_call, const teal_http_request* its_request)
    : host(its_host), call(its_call) {
  std::memcpy(&request, its_request, std::min<size_t>(its_request->struct_size, sizeof request));
  request.struct_size = sizeof request;
  if (request.connect_timeout_ns == 0) request.connect_timeout_ns = kConnectNsDefault;
  if (request.timeout_ns == 0) request.timeout_ns = kTimeoutNsDefault;
  if (request.response_bytes_max == 0) request.response_bytes_max = kResponseBytesDefault;
}

Exchange::~Exchange() {
  curl_slist_free_all(list_);
}

std::string Exchange::Check() {
  method_ = ViewOf(request.method);
  url_ = ViewOf(request.url);
  if (!IsToken(method_)) return "the method is no HTTP method";
  const bool http = ::strncasecmp(url_.c_str(), "http://", 7) == 0;
  const bool https = ::strncasecmp(url_.c_str(), "https://", 8) == 0;
  const bool clean = std::none_of(url_.begin(), url_.end(), [](char c) { return IsControl(c) || c == ' '; });
  if (!http && !https) return "the URL must begin with http:// or https://";
  if (!clean || url_.size() > kUrlBytesMax) return "the URL has a space or control character in it, or is over 64 KiB";
  origin = OriginOf(url_);
  if (origin.size() <= (https ? 8 : 7)) return "the URL names no host";
  if (request.header_count > kRequestHeadersMax) return "the request has more than 256 headers";
  for (uint64_t i = 0; i < request.header_count; ++i) {
    const std::string_view name = ViewOf(request.headers[i].name);
    const std::string_view value = ViewOf(request.headers[i].value);
    if (!IsToken(name) || !IsHeaderValue(value)) {
      return "header " + std::to_string(i) + " has a character that no header may have";
    }
    if (SameName(name, "transfer-encoding") ||
        (SameName(name, "content-length") && Trimmed(value) != std::to_string(request.body.size))) {
      return "the header " + std::string(name) + " contradicts the body; leave it out";
    }
  }
  return {};
}

bool Exchange::AddLine(std::string_view name, std::string_view value) {
  if (!IsToken(name) || !IsHeaderValue(value)) return false;
  if (SameName(name, "content-length")) return true;  // curl writes it
  value = Trimmed(value);
  // How curl wants a header without a value.
  lines.push_back(value.empty() ? std::string(name) + ";" : std::string(name) + ": " + std::string(value));
  return true;
}

teal_status Exchange::Sign(uint64_t now_unix_ns) {
  sent_before = sent_before || sent;
  sent = false;
  again = false;
  too_large_ = false;
  bad_line_ = false;
  lines.clear();
  headers_.clear();
  header_bytes_ = 0;
  body_.clear();
  status_ = 0;
  words_[0] = '\0';
  for (uint64_t i = 0; i < request.header_count; ++i) {
    AddLine(ViewOf(request.headers[i].name), ViewOf(request.headers[i].value));
  }
  if (request.sign == nullptr) return TEAL_OK;
  const auto add = [](void* self, teal_header header) {
    auto* const exchange = static_cast<Exchange*>(self);
    if (!exchange->AddLine(ViewOf(header.name), ViewOf(header.value))) exchange->bad_line_ = true;
  };
  const teal_status status = request.sign(request.sign_ctx, &request, now_unix_ns, add, this);
  return status == TEAL_OK && bad_line_ ? TEAL_INVALID : status;
}

bool Exchange::Prepare(CURL* handle, uint64_t ns_max) {
  easy = handle;
  curl_slist_free_all(list_);
  list_ = nullptr;
  const auto has = [&](std::string_view name) {
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
      return SameName(std::string_view(line).substr(0, line.find_first_of(":;")), name);
    });
  };
  // What curl would add by itself and nobody asked for.
  std::vector<const char*> all;
  for (const std::string& line : lines) all.push_back(line.c_str());
  if (!has("accept")) all.push_back("Accept:");
  if (!has("content-type")) all.push_back("Content-Type:");
  if (!has("expect")) all.push_back("Expect:");
  for (const char* const line : all) {
    curl_slist* const longer = curl_slist_append(list_, line);
    if (longer == nullptr) return false;
    list_ = longer;
  }

  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = good && curl_easy_setopt(easy, option, value) == CURLE_OK;
  };
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_URL, url_.c_str());
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_ERRORBUFFER, words_);
  set(CURLOPT_HTTPHEADER, list_);
  set(CURLOPT_OPENSOCKETFUNCTION, &OpenSocket);
  set(CURLOPT_HEADERFUNCTION, &Exchange::OnHeader);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &Exchange::OnBody);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_PREREQFUNCTION, &Exchange::OnRequest);
  set(CURLOPT_PREREQDATA, this);
  set(CURLOPT_TIMEOUT_MS, Milliseconds(std::min(request.timeout_ns, ns_max)));
  set(CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(std::min({request.connect_timeout_ns, request.timeout_ns, ns_max})));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  // The library does not look at these by itself.
  if (const char* const file = std::getenv("SSL_CERT_FILE"); file != nullptr && file[0] != '\0')
    set(CURLOPT_CAINFO, file);
  if (const char* const folder = std::getenv("SSL_CERT_DIR"); folder != nullptr && folder[0] != '\0') {
    set(CURLOPT_CAPATH, folder);
  }
  const bool body = request.body.size > 0 || method_ == "POST" || method_ == "PUT" || method_ == "PATCH";
  if (body) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDS, request.body.size > 0 ? reinterpret_cast<const char*>(request.body.data) : "");
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size));
  } else if (method_ == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else {
    set(CURLOPT_HTTPGET, 1L);
  }
  set(CURLOPT_CUSTOMREQUEST, method_.c_str());
  return good;
}

// Called when the connection stands, before the first byte of the request. curl calls it again when a kept connection
// turned out dead and it would send the request once more; that must not happen behind the caller's back.
int Exchange::OnRequest(void* self, char*, char*, int, int) {
  auto* const exchange = static_cast<Exchange*>(self);
  if (exchange->sent && !exchange->safe()) {
    exchange->again = true;
    return CURL_PREREQFUNC_ABORT;
  }
  exchange->sent = true;
  return CURL_PREREQFUNC_OK;
}

size_t Exchange::OnHeader(char* data, size_t size, size_t count, void* self) {
  auto* const exchange = static_cast<Exchange*>(self);
  const std::string_view line(data, size * count);
  if (line.rfind("HTTP/", 0) == 0) {  // of the answer itself, or of a "100 Continue" before it
    exchange->headers_.clear();
    exchange->header_bytes_ = 0;
    return line.size();
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  exchange->header_bytes_ += line.size();
  if (exchange->header_bytes_ > kResponseHeaderBytesMax || exchange->headers_.size() >= kResponseHeadersMax) {
    exchange->too_large_ = true;
    return 0;
  }
  std::string name(Trimmed(line.substr(0, colon)));
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  exchange->headers_.emplace_back(std::move(name), Trimmed(line.substr(colon + 1)));
  return line.size();
}

size_t Exchange::OnBody(char* data, size_t size, size_t count, void* self) {
  auto* const exchange = static_cast<Exchange*>(self);
  const size_t bytes = size * count;
  if (exchange->body_.size() + bytes > exchange->request.response_bytes_max) {
    exchange->too_large_ = true;
    return 0;
  }
  exchange->body_.append(data, bytes);
  return bytes;
}

Outcome Exchange::Read(CURLcode code) {
  Outcome outcome;
  const std::string words = words_[0] != '\0' ? words_ : curl_easy_strerror(code);
  const auto end = [&](teal_status status, const std::string& message, bool may_retry) {
    outcome.code = status;
    outcome.message = message;
    outcome.may_retry = may_retry;
  };
  if (too_large_) {
    end(TEAL_TOO_LARGE, origin + ": the answer is larger than " + std::to_string(request.response_bytes_max) + " bytes",
        false);
  } else if (again) {
    end(TEAL_UNAVAILABLE, origin + ": the connection was closed while the request was sent", true);
  } else {
    switch (code) {
      case CURLE_OK: {
        long status = 0;
        curl_off_t retry_after_s = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after_s);
        status_ = static_cast<uint32_t>(status);
        constexpr curl_off_t kMaxS = 1'000'000'000;
        outcome.retry_after_ns = static_cast<uint64_t>(std::clamp<curl_off_t>(retry_after_s, 0, kMaxS)) * 1'000'000'000;
        break;
      }
      case CURLE_OPERATION_TIMEDOUT:
        end(TEAL_TIMEOUT, origin + ": " + words, true);
        break;
      case CURLE_URL_MALFORMAT:
      case CURLE_UNSUPPORTED_PROTOCOL:
        end(TEAL_INVALID, "the URL cannot be used: " + words, false);
        break;
      case CURLE_OUT_OF_MEMORY:
        end(TEAL_NO_MEMORY, "out of memory", false);
        break;
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CACERT_BADFILE:
        end(TEAL_UNAVAILABLE,
            origin + ": its certificate is not trusted: " + words + "; a CA of your own goes into SSL_CERT_FILE",
            false);
        break;
      default:
        end(TEAL_UNAVAILABLE, origin + ": " + words, true);
    }
  }
  return outcome;
}

void Exchange::Replace(uint32_t new_status, const std::string& retry_after, const std::string& new_body) {
  status_ = new_status;
  headers_.clear();
  if (!retry_after.empty()) headers_.emplace_back("retry-after", retry_after);
  body_ = new_body;
}

void Exchange::EndWithAnswer() {
  std::vector<teal_header> headers;
  headers.reserve(headers_.size());
  for (const auto& [name, value] : headers_) headers.push_back({BytesOf(name), BytesOf(value)});
  teal_http_response response{};
  response.struct_size = sizeof response;
  response.status = status_;
  response.headers = headers.data();
  response.header_count = headers.size();
  response.body = BytesOf(body_);
  response.attempts = attempts;
  End(call, &response);
}

void Exchange::EndWithError(teal_status code, std::string_view message, uint64_t retry_after_ns) {
  const bool unknown = sent || sent_before;
  const teal_error error = MakeError(code, message, unknown ? TEAL_OUTCOME_UNKNOWN : TEAL_NOT_APPLIED, retry_after_ns);
  call->done(call->done_ctx, &error, nullptr);
}

}  // namespace teal::host::http

#include "cli/serve/http_client.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <csignal>
#include <optional>

#include "core/host/file.h"

namespace teal::cli {
namespace {

// poll of one descriptor, with SIGINT let through: who keeps it blocked otherwise misses none that comes just before.
int Poll(pollfd* waits, int ms) {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  ::sigdelset(&mask, SIGINT);
  const timespec time{ms / 1000, ms % 1000 * 1'000'000L};
  return ::ppoll(waits, 1, ms < 0 ? nullptr : &time, &mask);
}

namespace http = boost::beast::http;
using Parser = http::response_parser<http::string_body>;

constexpr uint64_t kSilenceNs = 30 * kSecondNs;
constexpr int kConnectMs = 5000;
constexpr uint64_t kBodyBytesMax = 256u << 20;

Failure Unreachable(const HostAddress& address, const std::string& why) {
  const std::string host = address.host.find(':') == std::string::npos ? address.host : "[" + address.host + "]";
  return Fail(FailureCode::kUnavailable, "the host at " + std::string(address.tls ? "https" : "http") + "://" + host +
                                             ":" + address.port + " cannot be reached: " + why);
}

std::string TlsReason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "TLS failed" : std::string("TLS: ") + reason;
}

// The first of the host's addresses that takes a connection.
Result<host::UniqueFd> Open(const HostAddress& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found); error != 0) {
    return Unreachable(address, ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, &::freeaddrinfo);
  std::string why = "it has no address";
  for (const addrinfo* place = found; place != nullptr; place = place->ai_next) {
    host::UniqueFd fd(::socket(place->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) continue;
    int error = ::connect(fd.get(), place->ai_addr, place->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      pollfd waits{fd.get(), POLLOUT, 0};
      const int ready = Poll(&waits, kConnectMs);
      socklen_t size = sizeof error;
      if (ready < 0) return Fail(FailureCode::kUnavailable, kInterruptedMessage);
      error = ready == 0 ? ETIMEDOUT : 0;
      if (ready > 0) ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error != 0) {
      why = host::ErrnoText(error);
      continue;
    }
    const int yes = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
  }
  return Unreachable(address, why);
}

using Context = std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)>;

Result<Context> ClientContext(const HostAddress& address) {
  Context context(::SSL_CTX_new(::TLS_client_method()), &::SSL_CTX_free);
  if (context == nullptr) return Unreachable(address, TlsReason());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_default_verify_paths(context.get());
  ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (!address.certificate_file.empty()) {
    if (::SSL_CTX_load_verify_locations(context.get(), address.certificate_file.c_str(), nullptr) != 1) {
      return Unreachable(address, "its certificate " + address.certificate_file + " cannot be read");
    }
    // The certificate itself is trusted, not only those who might have signed it.
    ::X509_VERIFY_PARAM_set_flags(::SSL_CTX_get0_param(context.get()), X509_V_FLAG_PARTIAL_CHAIN);
  }
  return context;
}

}  // namespace

struct HttpClient::Wire {
  host::UniqueFd fd;
  int silence_ms = 0;
  Context context{nullptr, &::SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&::SSL_free)> tls{nullptr, &::SSL_free};

  // Empty: the socket is ready for `events`.
  std::string Await(short events) const {
    pollfd waits{fd.get(), events, 0};
    const int ready = Poll(&waits, silence_ms);
    if (ready > 0) return "";
    if (ready < 0 && errno == EINTR) return kInterruptedMessage;
    return ready == 0 ? "it does not answer" : host::ErrnoText(errno);
  }

  // Carries one operation of OpenSSL out: > 0 bytes, 0: the other side has ended; < 0 with *why.
  template <typename Operation>
  int Tls(const Operation& operation, std::string* why) {
    for (;;) {
      ERR_clear_error();
      const int result = operation(tls.get());
      if (result > 0) return result;
      const int error = ::SSL_get_error(tls.get(), result);
      if (error == SSL_ERROR_ZERO_RETURN) return 0;
      if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        *why = Await(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT);
        if (why->empty()) continue;
        return -1;
      }
      const long verified = ::SSL_get_verify_result(tls.get());
      *why = verified != X509_V_OK
                 ? std::string("its certificate is not to be trusted: ") + ::X509_verify_cert_error_string(verified)
                 : TlsReason();
      return -1;
    }
  }

  int Read(char* bytes, size_t size, std::string* why) {
    if (tls != nullptr) {
      return Tls([&](SSL* ssl) { return ::SSL_read(ssl, bytes, static_cast<int>(size)); }, why);
    }
    for (;;) {
      const ssize_t got = ::recv(fd.get(), bytes, size, 0);
      if (got >= 0) return static_cast<int>(got);
      if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        *why = host::ErrnoText(errno);
        return -1;
      }
      if (*why = Await(POLLIN); !why->empty()) return -1;
    }
  }

  bool Write(std::string_view text, std::string* why) {
    while (!text.empty()) {
      int sent = -1;
      if (tls != nullptr) {
        sent = Tls([&](SSL* ssl) { return ::SSL_write(ssl, text.data(), static_cast<int>(text.size())); }, why);
        if (sent <= 0) return false;
      } else {
        sent = static_cast<int>(::send(fd.get(), text.data(), std::min<size_t>(text.size(), 1 << 20), MSG_NOSIGNAL));
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
          *why = host::ErrnoText(errno);
          return false;
        }
        if (sent < 0 && !(*why = Await(POLLOUT)).empty()) return false;
        sent = std::max(sent, 0);
      }
      text.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
};

Result<HostAddress> ParseHostUrl(const std::string& url) {
  HostAddress address;
  std::string rest;
  if (url.starts_with("http://")) {
    rest = url.substr(7);
    address.port = "80";
  } else if (url.starts_with("https://")) {
    rest = url.substr(8);
    address.port = "443";
    address.tls = true;
  }
  if (!rest.empty() && rest.back() == '/') rest.pop_back();
  const size_t end = rest.starts_with('[') ? rest.find(']') : std::string::npos;
  const size_t colon = rest.find(':', end == std::string::npos ? 0 : end);
  address.host = end == std::string::npos ? rest.substr(0, colon) : rest.substr(1, end - 1);
  if (colon != std::string::npos) address.port = rest.substr(colon + 1);
  const bool good = !address.host.empty() && rest.find_first_of("/?#@ ") == std::string::npos &&
                    !address.port.empty() && address.port.size() <= 5 &&
                    address.port.find_first_not_of("0123456789") == std::string::npos;
  if (good) return address;
  return Fail(FailureCode::kInvalid, "\"" + url + "\" is no address of a host: write http://127.0.0.1:8787");
}

HttpClient::HttpClient(HostAddress address) : address_(std::move(address)) {}
HttpClient::~HttpClient() = default;

Status HttpClient::Connect(uint64_t silence_ns_max) {
  const uint64_t silence = silence_ns_max == 0 ? kSilenceNs : silence_ns_max;
  if (wire_ != nullptr) {
    wire_->silence_ms = static_cast<int>(silence / 1'000'000);
    return Unit{};
  }
  Result<host::UniqueFd> fd = Open(address_);
  if (!fd) return fd.failure();
  auto wire = std::make_unique<Wire>();
  wire->fd = std::move(*fd);
  wire->silence_ms = static_cast<int>(silence / 1'000'000);
  if (address_.tls) {
    Result<Context> context = ClientContext(address_);
    if (!context) return context.failure();
    wire->context = std::move(*context);
    wire->tls.reset(::SSL_new(wire->context.get()));
    SSL* const tls = wire->tls.get();
    ::SSL_set_fd(tls, wire->fd.get());
    SSL_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    unsigned char binary[16];
    const bool is_address = ::inet_pton(AF_INET, address_.host.c_str(), binary) == 1 ||
                            ::inet_pton(AF_INET6, address_.host.c_str(), binary) == 1;
    if (is_address) {
      ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(tls), address_.host.c_str());
    } else {
      std::string name = address_.host;
      ::SSL_ctrl(tls, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
      ::SSL_set1_host(tls, address_.host.c_str());
    }
    std::string why;
    if (wire->Tls([](SSL* ssl) { return ::SSL_connect(ssl); }, &why) <= 0) {
      if (why == kInterruptedMessage) return Fail(FailureCode::kUnavailable, why);
      return Unreachable(address_, why.empty() ? "it ended the connection" : why);
    }
  }
  wire_ = std::move(wire);
  return Unit{};
}

Result<HttpResponse> HttpClient::Exchange(const std::string& text,
                                          const std::function<bool(std::string_view)>& on_text) {
  std::string why;
  const auto failed = [&]() -> Failure {
    wire_.reset();
    if (why == kInterruptedMessage) return Fail(FailureCode::kUnavailable, why);
    return Unreachable(address_, why);
  };
  if (!wire_->Write(text, &why)) return failed();
  Parser parser;
  parser.eager(true);
  parser.body_limit(kBodyBytesMax);
  std::string in;
  char bytes[16384];
  boost::system::error_code error;
  const auto streams = [&] { return on_text && parser.is_header_done() && parser.get().result_int() == 200; };
  while (!parser.is_done()) {
    const int got = wire_->Read(bytes, sizeof bytes, &why);
    if (got < 0) return failed();
    if (got == 0) {
      parser.put_eof(error);
      if (!error && parser.is_done()) break;
      why = "it ended the connection before its answer was whole";
      return failed();
    }
    in.append(bytes, static_cast<size_t>(got));
    for (size_t used = 1; used > 0 && !in.empty() && !parser.is_done(); in.erase(0, used)) {
      used = parser.put(boost::asio::buffer(in), error);
      if (error && error != http::error::need_more) {
        why = "its answer is no HTTP: " + error.message();
        return failed();
      }
    }
    if (!streams() || parser.get().body().empty()) continue;
    const std::string part = std::move(parser.get().body());
    parser.get().body().clear();
    if (!on_text(part)) {
      wire_.reset();
      return HttpResponse{200, ""};
    }
  }
  HttpResponse response{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
  if (!parser.get().keep_alive()) wire_.reset();
  return response;
}

Result<HttpResponse> HttpClient::Call(const HttpRequest& request,
                                      const std::function<bool(std::string_view)>& on_text) {
  if (const Status connected = Connect(request.silence_ns_max); !connected) return connected.failure();
  const std::string host = address_.host.find(':') == std::string::npos ? address_.host : "[" + address_.host + "]";
  std::string text =
      request.method + " " + request.target + " HTTP/1.1\r\nHost: " + host + ":" + address_.port + "\r\n";
  for (const auto& [name, value] : request.headers) text += name + ": " + value + "\r\n";
  if (request.method != "GET") text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return Exchange(text + "\r\n" + request.body, on_text);
}

}  // namespace teal::cli

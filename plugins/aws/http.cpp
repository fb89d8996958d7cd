#include "plugins/aws/http.hpp"

#include <algorithm>
#include <charconv>
#include <new>

#include "plugins/aws/encoding.hpp"

namespace teal::aws {
namespace {

// One request on its way: owns what the service reads until its `done`.
class Flight final : public Wait {
 public:
  Flight(Operation& operation, const HttpRequest& request) : operation_(operation), request_(request) {}

  bool await_ready() const noexcept { return false; }

  void await_suspend(std::coroutine_handle<> handle) {
    ready_.handle = handle;
    Context& context = operation_.context();
    headers_.reserve(request_.headers.size());
    for (const HttpHeader& header : request_.headers) headers_.push_back({Bytes(header.name), Bytes(header.value)});
    id_ = context.next_http_id++;
    call_ = {sizeof call_, 0, id_, operation_.deadline_unix_ns(), Bytes(operation_.traceparent()), {}, &Done, this};
    const bool is_signed = request_.credentials != nullptr;
    raw_ = {sizeof raw_,
            0,
            Bytes(request_.method),
            Bytes(request_.url),
            headers_.data(),
            headers_.size(),
            Bytes(request_.body),
            0,
            request_.timeout_ns,
            request_.response_bytes_max,
            is_signed ? &Sign : nullptr,
            this};
    operation_.Add(this);
    const teal_status status = context.http->send(context.host, &call_, &raw_);
    if (status == TEAL_OK) return;
    failed_ = true;
    error_ = {status, "the HTTP service refused a request to " + std::string(Host())};
    context.loop.Post(ready_);
  }

  Result<HttpResponse> await_resume() {
    operation_.Remove(this);
    if (failed_) return std::move(error_);
    return std::move(response_);
  }

  void Interrupt() override { operation_.context().http->cancel(operation_.context().host, id_); }

 private:
  std::string_view Host() const {
    std::string_view host, path, query;
    SplitUrl(request_.url, host, path, query);
    return host;
  }

  static void TEAL_CALL Done(void* ctx, const teal_error* error, const void* result) {
    auto* const self = static_cast<Flight*>(ctx);
    try {
      self->Take(error, result);
    } catch (...) {
      self->failed_ = true;
      self->error_.code = TEAL_NO_MEMORY;
      self->error_.outcome = TEAL_OUTCOME_UNKNOWN;
      self->error_.message.clear();
    }
    self->operation_.context().loop.Post(self->ready_);
  }

  void Take(const teal_error* error, const void* result) {
    if (error != nullptr) {
      const teal_error in = TakeIn(error);
      failed_ = true;
      error_ = {in.code, std::string(in.message, strnlen(in.message, sizeof in.message)), in.outcome, in.retry_after_ns,
                in.vendor_code};
      return;
    }
    const auto in = TakeIn(static_cast<const teal_http_response*>(result));
    response_.status = in.status;
    for (uint64_t i = 0; i < in.header_count; ++i) {
      response_.headers.push_back({Copy(in.headers[i].name), Copy(in.headers[i].value)});
    }
    response_.body = Copy(in.body);
  }

  // On a thread of the service, while the request is held still.
  static teal_status TEAL_CALL Sign(void* ctx, const teal_http_request*, uint64_t now_unix_ns, teal_header_fn add,
                                    void* add_ctx) {
    return plugin::Guard([&] {
      const auto* const self = static_cast<const Flight*>(ctx);
      const HttpRequest& request = self->request_;
      SigningRequest signing;
      std::string_view host;
      if (!SplitUrl(request.url, host, signing.path, signing.query)) return TEAL_INVALID;
      signing.method = request.method;
      signing.headers.push_back({"Host", std::string(host)});
      for (const HttpHeader& header : request.headers) signing.headers.push_back({header.name, header.value});
      signing.payload_hash = Hex(AsText(Sha256(request.body)));
      SigningOptions options = request.signing;
      options.time_unix_s = now_unix_ns / 1'000'000'000;
      const Signature signature = SignHeaders(std::move(signing), request.credentials->keys, options);
      for (const SigningHeader& header : signature.headers) add(add_ctx, {Bytes(header.name), Bytes(header.value)});
      return TEAL_OK;
    });
  }

  Operation& operation_;
  const HttpRequest& request_;
  uint64_t id_ = 0;
  teal_call call_{};
  teal_http_request raw_{};
  std::vector<teal_header> headers_;
  Loop::Ready ready_{};
  bool failed_ = false;
  Error error_;
  HttpResponse response_;
};

}  // namespace

std::string_view HttpResponse::Header(std::string_view name) const {
  for (const HttpHeader& header : headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

uint64_t HttpResponse::RetryAfterNs() const {
  const std::string_view text = Header("retry-after");
  uint64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return 0;
  return std::min<uint64_t>(seconds, 3600) * 1'000'000'000;
}

bool SplitUrl(std::string_view url, std::string_view& host, std::string_view& path, std::string_view& query) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string_view name = url.substr(0, scheme);
  if (name != "http" && name != "https") return false;
  url.remove_prefix(scheme + 3);
  const std::size_t slash = std::min(url.find_first_of("/?"), url.size());
  host = url.substr(0, slash);
  url.remove_prefix(slash);
  const std::size_t mark = std::min(url.find('?'), url.size());
  path = url.substr(0, mark);
  query = mark < url.size() ? url.substr(mark + 1) : std::string_view();
  return !host.empty();
}

Task<Result<HttpResponse>> Send(Operation& operation, const HttpRequest& request) {
  if (operation.Stopped()) co_return operation.WhyStopped();
  Flight flight(operation, request);
  Result<HttpResponse> response = co_await flight;
  if (!response.ok() && operation.Stopped() && response.error().code != TEAL_TIMEOUT) {
    Error why = operation.WhyStopped();
    why.outcome = response.error().outcome;
    co_return why;
  }
  co_return response;
}

}  // namespace teal::aws

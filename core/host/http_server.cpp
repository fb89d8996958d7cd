#include "core/host/http_server.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/host/call.h"
#include "core/host/services.h"

namespace teal::host {
namespace {

constexpr uint64_t kAnswerHeadersMax = 256;
constexpr std::array<std::string_view, 8> kOfTheConnection = {
    "connection", "content-length", "date", "keep-alive", "trailer", "transfer-encoding", "upgrade", "te"};

// A struct of the plugin's that may be shorter or longer than ours.
template <typename Struct>
Struct TakeIn(const Struct* in) {
  Struct out{};
  std::memcpy(static_cast<void*>(&out), in, std::min<size_t>(in->struct_size, sizeof out));
  return out;
}

// RFC 9110, section 5.6.2.
bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool IsFieldValue(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || c == '\t';
  });
}

bool IsOfTheConnection(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return std::find(kOfTheConnection.begin(), kOfTheConnection.end(), lower) != kOfTheConnection.end();
}

std::optional<ServerAnswer> Read(const teal_http_answer& in) {
  if (in.status < 200 || in.status > 599 || in.header_count > kAnswerHeadersMax) return std::nullopt;
  ServerAnswer out;
  out.status = static_cast<int>(in.status);
  for (uint64_t i = 0; i < in.header_count; ++i) {
    const std::string_view name = ViewOf(in.headers[i].name);
    const std::string_view value = ViewOf(in.headers[i].value);
    if (!IsToken(name) || !IsFieldValue(value) || IsOfTheConnection(name)) return std::nullopt;
    out.headers.emplace_back(name, value);
  }
  out.body = ViewOf(in.body);
  return out;
}

ServerAnswer Stopped() {
  ServerAnswer answer;
  answer.status = 503;
  answer.headers = {{"content-type", "application/json"}, {"retry-after", "1"}};
  answer.body =
      R"({"error":{"kind":"unavailable","message":"the host is stopping","hint":"try again when it is back"}})";
  return answer;
}

ServerAnswer NobodyListens() {
  ServerAnswer answer;
  answer.status = 404;
  answer.headers = {{"content-type", "application/json"}};
  answer.body = R"({"error":{"kind":"not_found","message":"there is nothing at this path"}})";
  return answer;
}

// `call` with the request as the border has it.
template <typename Call>
void WithArrival(uint64_t token, const ArrivedRequest& request, std::string_view body, uint32_t flags,
                 const Call& call) {
  std::vector<teal_header> headers;
  headers.reserve(request.headers.size());
  for (const auto& [name, value] : request.headers) headers.push_back({BytesOf(name), BytesOf(value)});
  teal_arrival arrival{};
  arrival.struct_size = sizeof arrival;
  arrival.flags = flags | (request.tls ? TEAL_ARRIVAL_TLS : 0);
  arrival.token = token;
  arrival.method = BytesOf(request.method);
  arrival.target = BytesOf(request.target);
  arrival.headers = headers.data();
  arrival.header_count = headers.size();
  arrival.body = BytesOf(body);
  arrival.source_address = BytesOf(request.source_address);
  call(&arrival);
}

HttpServer* ServerOf(const teal_host* host) {
  Services* const services = host == nullptr ? nullptr : ContextOf(host).services;
  return services == nullptr ? nullptr : services->http_server();
}

teal_status TEAL_CALL ListenSlot(const teal_host* host, const teal_http_handler* handler) {
  HttpServer* const server = ServerOf(host);
  return server == nullptr ? TEAL_UNSUPPORTED : server->Listen(host, handler);
}
void TEAL_CALL UnlistenSlot(const teal_host* host) {
  if (HttpServer* const server = ServerOf(host)) server->Unlisten(host);
}
teal_status TEAL_CALL AnswerSlot(const teal_host* host, uint64_t token, const teal_http_answer* answer) {
  HttpServer* const server = ServerOf(host);
  return server == nullptr ? TEAL_UNSUPPORTED : server->Answer(host, token, answer);
}

}  // namespace

bool HttpServer::IsListened() const {
  const std::lock_guard lock(mutex_);
  return owner_ != nullptr && !leaving_;
}

std::optional<teal_http_handler> HttpServer::Enter() {
  const std::lock_guard lock(mutex_);
  if (owner_ == nullptr || leaving_) return std::nullopt;
  ++inside_;
  return handler_;
}

void HttpServer::Exit() {
  const std::lock_guard lock(mutex_);
  if (--inside_ == 0) none_inside_.notify_all();
}

HttpServer::Verdict HttpServer::Arrive(const ArrivedRequest& request, uint64_t body_bytes_max, AnswerFn answer) {
  Verdict verdict;
  verdict.body_bytes_max = body_bytes_max;
  const std::optional<teal_http_handler> handler = Enter();
  if (!handler) {
    verdict.answer = NobodyListens();
    return verdict;
  }
  {
    const std::lock_guard lock(mutex_);
    verdict.token = ++last_token_;
    Pending& pending = pending_[verdict.token];
    pending.answer = std::move(answer);
    pending.in_head = true;
  }
  if (handler->head != nullptr) {
    WithArrival(verdict.token, request, {}, 0,
                [&](const teal_arrival* arrival) { handler->head(handler->ctx, arrival, &verdict.body_bytes_max); });
    verdict.body_bytes_max = std::min(verdict.body_bytes_max, body_bytes_max);
  }
  {
    const std::lock_guard lock(mutex_);
    // Unlisten waits for the calls under way: the entry is still there.
    const auto found = pending_.find(verdict.token);
    found->second.in_head = false;
    if (found->second.refusal) {
      verdict.answer = std::move(found->second.refusal);
      pending_.erase(found);
    }
  }
  Exit();
  return verdict;
}

void HttpServer::Deliver(uint64_t token, const ArrivedRequest& request, std::string_view body, bool too_large) {
  const std::optional<teal_http_handler> handler = Enter();
  if (!handler) return;  // unlisten has answered it
  bool open = false;
  {
    const std::lock_guard lock(mutex_);
    open = pending_.contains(token);
  }
  if (open && handler->request != nullptr) {
    WithArrival(token, request, body, too_large ? TEAL_ARRIVAL_TOO_LARGE : 0,
                [&](const teal_arrival* arrival) { handler->request(handler->ctx, arrival); });
  }
  Exit();
}

void HttpServer::Leave(uint64_t token) {
  const std::optional<teal_http_handler> handler = Enter();
  if (!handler) return;
  bool was_open = false;
  {
    const std::lock_guard lock(mutex_);
    was_open = pending_.erase(token) > 0;
  }
  if (was_open && handler->gone != nullptr) handler->gone(handler->ctx, token);
  Exit();
}

teal_status HttpServer::Listen(const teal_host* owner, const teal_http_handler* handler) {
  if (handler == nullptr || handler->struct_size < sizeof(teal_http_handler)) return TEAL_INVALID;
  const std::lock_guard lock(mutex_);
  if (owner_ != nullptr) return TEAL_INVALID;
  owner_ = owner;
  handler_ = TakeIn(handler);
  return TEAL_OK;
}

void HttpServer::Unlisten(const teal_host* owner) {
  std::unordered_map<uint64_t, Pending> open;
  {
    std::unique_lock lock(mutex_);
    if (owner_ != owner || leaving_) return;
    leaving_ = true;
    none_inside_.wait(lock, [this] { return inside_ == 0; });
    leaving_ = false;
    owner_ = nullptr;
    open.swap(pending_);
  }
  for (auto& [token, pending] : open) pending.answer(Stopped());
}

teal_status HttpServer::Answer(const teal_host* owner, uint64_t token, const teal_http_answer* answer) {
  if (answer == nullptr) return TEAL_INVALID;
  std::optional<ServerAnswer> read = Read(TakeIn(answer));
  AnswerFn give;
  {
    const std::lock_guard lock(mutex_);
    const auto found = owner_ == owner ? pending_.find(token) : pending_.end();
    if (found == pending_.end() || found->second.refusal) return TEAL_NOT_FOUND;
    if (!read) return TEAL_INVALID;
    if (found->second.in_head) {
      found->second.refusal = std::move(read);
      return TEAL_OK;
    }
    give = std::move(found->second.answer);
    pending_.erase(found);
  }
  give(std::move(*read));
  return TEAL_OK;
}

const teal_http_server* HttpServerTable() {
  static const teal_http_server table = {sizeof table, 0, ListenSlot, UnlistenSlot, AnswerSlot};
  return &table;
}

}  // namespace teal::host

#include "issuers.hpp"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "text.hpp"

namespace teal::http {
namespace {

// "host:port" of an https URL; empty: it is none.
std::string HostOf(std::string_view url) {
  constexpr std::string_view kHttps = "https://";
  if (!url.starts_with(kHttps)) return "";
  url.remove_prefix(kHttps.size());
  url = url.substr(0, url.find_first_of("/?#"));
  return url.find('@') == std::string_view::npos ? Lower(url) : "";
}

FoundKey Unknown() {
  return {std::nullopt, WrongToken("the token is signed by a key that its issuer does not name").refusal};
}

FoundKey Unavailable() {
  Answer answer = ErrorAnswer(503, "unavailable", "the issuer's keys cannot be had now");
  answer.headers.emplace_back("retry-after", "5");
  return {std::nullopt, std::move(answer)};
}

}  // namespace

// A request on its way, alive until it is done.
struct Issuers::Flight {
  teal_call call{};
  teal_http_request request{};
  std::string url;
  std::string issuer;
  bool is_discovery = false;
  Issuers* self = nullptr;
};

Issuers::Issuers(const teal_host* host, std::function<void(std::function<void()>)> post)
    : host_(host), http_(static_cast<const teal_http*>(host->service(host, TEAL_HTTP_ID))), post_(std::move(post)) {}

std::optional<SigningKey> Issuers::Known(const std::string& issuer, const std::string& key_id) {
  const std::lock_guard lock(mutex_);
  Issuer& known = issuers_[issuer];
  const auto at = known.keys.find(key_id);
  if (at == known.keys.end()) return std::nullopt;
  const bool old = host_->now_unix_ns(host_) > known.fetched_unix_ns + kKeysOldNs;
  if (old && !known.fetching && MayFetch(known)) Fetch(issuer);
  return at->second;
}

bool Issuers::MayFetch(const Issuer& issuer) const {
  const uint64_t again = issuer.fetched_unix_ns == issuer.tried_unix_ns ? kFetchAgainNs : kFetchRetryNs;
  return issuer.tried_unix_ns == 0 || host_->now_unix_ns(host_) > issuer.tried_unix_ns + again;
}

void Issuers::Find(const std::string& issuer, const std::string& key_id, std::function<void(FoundKey)> done) {
  FoundKey found;
  {
    const std::lock_guard lock(mutex_);
    Issuer& known = issuers_[issuer];
    if (const auto at = known.keys.find(key_id); at != known.keys.end()) {
      found.key = at->second;
    } else if (!known.fetching && !MayFetch(known)) {
      found = known.fetched_unix_ns == known.tried_unix_ns ? Unknown() : Unavailable();
    } else if (http_ == nullptr || known.waiters.size() >= kFetchWaitersMax) {
      found = Unavailable();
    } else {
      known.waiters.push_back({key_id, std::move(done)});
      if (!known.fetching) Fetch(issuer);
      return;
    }
  }
  done(std::move(found));
}

void Issuers::Fetch(const std::string& issuer) {
  Issuer& known = issuers_[issuer];
  known.fetching = true;
  known.tried_unix_ns = host_->now_unix_ns(host_);
  const std::string base = issuer.ends_with('/') ? issuer.substr(0, issuer.size() - 1) : issuer;
  post_([this, issuer, url = base + "/.well-known/openid-configuration"] { Get(issuer, url, true); });
}

void Issuers::Get(const std::string& issuer, const std::string& url, bool is_discovery) {
  if (!fetches_.Enter()) return;
  auto flight = std::make_unique<Flight>();
  flight->url = url;
  flight->issuer = issuer;
  flight->is_discovery = is_discovery;
  flight->self = this;
  flight->call.struct_size = sizeof flight->call;
  flight->call.done = OnDone;
  flight->call.done_ctx = flight.get();
  flight->request.struct_size = sizeof flight->request;
  flight->request.flags = TEAL_HTTP_SAFE;
  flight->request.method = Bytes("GET");
  flight->request.url = Bytes(flight->url);
  flight->request.timeout_ns = kFetchTimeoutNs;
  flight->request.response_bytes_max = kKeySetBytesMax;
  flight->call.deadline_unix_ns = host_->now_unix_ns(host_) + 2 * kFetchTimeoutNs;
  {
    const std::lock_guard lock(mutex_);
    flight->call.op_id = ++last_op_;
    open_ops_.push_back(last_op_);
  }
  Flight* const raw = flight.release();  // OnDone deletes it
  const teal_status status = http_->send(host_, &raw->call, &raw->request);
  if (status == TEAL_OK) return;
  delete raw;
  fetches_.Leave();
  End(issuer, std::nullopt, "the host refused the request");
}

// On a thread of the host: only hands on.
void TEAL_CALL Issuers::OnDone(void* ctx, const teal_error* error, const void* result) {
  const std::unique_ptr<Flight> flight(static_cast<Flight*>(ctx));
  Issuers& self = *flight->self;
  uint32_t status = 0;
  std::string body;
  if (error == nullptr) {
    const auto response = TakeIn(static_cast<const teal_http_response*>(result));
    status = response.status;
    body = Copy(response.body);
  }
  {
    const std::lock_guard lock(self.mutex_);
    std::erase(self.open_ops_, flight->call.op_id);
  }
  plugin::Guard([&] {
    self.post_([&self, issuer = flight->issuer, is_discovery = flight->is_discovery, status, body = std::move(body)] {
      self.OnAnswer(issuer, is_discovery, status, body);
    });
    return TEAL_OK;
  });
  self.fetches_.Leave();
}

void Issuers::OnAnswer(const std::string& issuer, bool is_discovery, uint32_t status, const std::string& body) {
  if (status != 200) return End(issuer, std::nullopt, "it answered with status " + std::to_string(status));
  if (!is_discovery) {
    std::optional<KeySet> keys = ReadKeySet(body);
    const std::string why = keys ? "" : "its keys are no JWKS";
    return End(issuer, std::move(keys), why);
  }
  const auto json = IsJson(body) ? nlohmann::json::parse(body, nullptr, false) : nlohmann::json();
  const auto text = [&](const char* key) {
    return json.is_object() && json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : "";
  };
  if (text("issuer") != issuer) return End(issuer, std::nullopt, "its discovery document names another issuer");
  const std::string url = text("jwks_uri");
  if (HostOf(url).empty() || HostOf(url) != HostOf(issuer)) {
    return End(issuer, std::nullopt, "its jwks_uri is not https on the issuer's own host");
  }
  Get(issuer, url, false);
}

void Issuers::End(const std::string& issuer, std::optional<KeySet> keys, const std::string& why) {
  std::vector<std::pair<std::function<void(FoundKey)>, FoundKey>> calls;
  {
    const std::lock_guard lock(mutex_);
    Issuer& known = issuers_[issuer];
    known.fetching = false;
    if (keys) {
      known.keys = std::move(*keys);
      known.fetched_unix_ns = known.tried_unix_ns;
    }
    for (Waiter& waiter : known.waiters) {
      FoundKey found;
      const auto at = known.keys.find(waiter.key_id);
      if (at != known.keys.end()) found.key = at->second;
      if (!found.key) found = why.empty() ? Unknown() : Unavailable();
      calls.emplace_back(std::move(waiter.done), std::move(found));
    }
    known.waiters.clear();
  }
  if (!why.empty()) {
    const std::string text = "the keys of the issuer " + issuer + " cannot be had: " + why;
    host_->log(host_, TEAL_LOG_WARNING, Bytes(text), {});
  }
  for (auto& [done, found] : calls) done(std::move(found));
}

void Issuers::Close() {
  fetches_.Close();
  std::vector<uint64_t> open;
  {
    const std::lock_guard lock(mutex_);
    open = open_ops_;
  }
  for (const uint64_t op : open) http_->cancel(host_, op);
  fetches_.Wait();
}

}  // namespace teal::http

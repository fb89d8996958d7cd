#include "instance.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>

#include "answers.hpp"
#include "text.hpp"

namespace teal::http {
namespace {

constexpr auto kExpireEvery = std::chrono::milliseconds(200);  // while a request waits for credit
constexpr auto kLookEvery = std::chrono::milliseconds(20);     // at the host's clock, while something waits for it

Answer Later(const std::string& why, uint64_t seconds) {
  Answer answer = ErrorAnswer(503, "unavailable", why);
  answer.headers.emplace_back("retry-after", std::to_string(std::max<uint64_t>(seconds, 1)));
  return answer;
}

Answer Stopped() {
  return Later("this route is being stopped; repeat the request with the same Idempotency-Key", 1);
}

plugin::Error NoToken() {
  return {TEAL_NOT_FOUND, "there is no event of this token: it was settled, or its trigger was stopped"};
}

// The host's reply as the answer to the request.
Answer AnswerTo(uint32_t status, const std::string& headers_json, const std::string& body, const std::string& sid) {
  if (status == 200) return AnswerOf(body, sid);
  Answer answer;
  answer.status = status >= 200 && status <= 599 ? static_cast<int>(status) : 500;
  answer.headers = {{"content-type", "application/json"}, {"cache-control", "no-store"}};
  answer.body = body;
  const auto headers = nlohmann::json::parse(headers_json, nullptr, false);
  for (const char* const name : {"location", "retry-after"}) {
    if (!headers.is_object() || !headers.contains(name) || !headers[name].is_string()) continue;
    const std::string value = headers[name].get<std::string>();
    if (IsSendable(name, value)) answer.headers.emplace_back(name, value);
  }
  return answer;
}

}  // namespace

std::unique_ptr<Instance> Instance::Open(const teal_host* host, std::string_view config, plugin::Error* error) {
  std::string wrong;
  InstanceSettings settings = ReadInstance(config, &wrong);
  if (wrong.empty()) return std::make_unique<Instance>(host, std::move(settings));
  *error = {TEAL_INVALID, wrong};
  return nullptr;
}

Instance::Instance(const teal_host* host, InstanceSettings settings)
    : host_(host),
      settings_(std::move(settings)),
      server_(static_cast<const teal_http_server*>(host->service(host, TEAL_HTTP_SERVER_ID))),
      issuers_(host, [this](std::function<void()> task) { Post(std::move(task)); }) {}

Instance::~Instance() {
  Close();
}

void Instance::Close() {
  calls_.Close();
  bool listened = false;
  {
    const std::lock_guard lock(mutex_);
    listened = std::exchange(listens_, false);
    closing_ = true;
    wake_.notify_all();
  }
  if (listened) server_->unlisten(host_);
  issuers_.Close();
  if (timer_.joinable()) timer_.join();
  calls_.Wait();
}

std::optional<plugin::Error> Instance::Validate(Instance*, std::string_view config) {
  std::string wrong;
  ReadTrigger(config, &wrong);
  if (wrong.empty()) return std::nullopt;
  return plugin::Error{TEAL_INVALID, wrong};
}

bool Instance::Listen() {
  const std::lock_guard lock(mutex_);
  if (listens_) return true;
  teal_http_handler handler{};
  handler.struct_size = sizeof handler;
  handler.ctx = this;
  handler.head = [](void* ctx, const teal_arrival* head, uint64_t* body_bytes_max) {
    plugin::Guard([&] {
      static_cast<Instance*>(ctx)->OnHead(*head, body_bytes_max);
      return TEAL_OK;
    });
  };
  handler.request = [](void* ctx, const teal_arrival* request) {
    plugin::Guard([&] {
      static_cast<Instance*>(ctx)->OnRequest(*request);
      return TEAL_OK;
    });
  };
  handler.gone = [](void* ctx, uint64_t token) {
    plugin::Guard([&] {
      static_cast<Instance*>(ctx)->OnGone(token);
      return TEAL_OK;
    });
  };
  if (server_->listen(host_, &handler) != TEAL_OK) return false;
  listens_ = true;
  // It blocks all signals from its first moment on. (LIFE rules)
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  timer_ = std::thread([this] { Run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return true;
}

void Instance::Start(plugin::Done done, std::string id, std::string config, teal_emit_fn emit, void* ctx) {
  std::string wrong;
  const auto started = std::make_shared<Trigger>();
  started->settings = ReadTrigger(config, &wrong);
  if (!wrong.empty()) return done.Fail({TEAL_INVALID, wrong});
  if (server_ == nullptr || !Has(*server_, server_->answer)) {
    return done.Fail({TEAL_UNSUPPORTED, "this host has no listener for requests; run teal serve"});
  }
  started->id = id;
  started->pattern = started->settings.path;
  started->methods = started->settings.methods;
  started->old_shape = id.starts_with("on_http.");
  if (!desk_.Open(id, emit, ctx)) return done.Fail({TEAL_INVALID, "the trigger " + id + " runs already"});
  if (!routes_.Add(started)) {
    desk_.Close(id);
    return done.Fail({TEAL_INVALID, "another trigger serves " + started->pattern + "; change one of the two"});
  }
  if (!Listen()) {
    routes_.Remove(started);
    desk_.Close(id);
    return done.Fail({TEAL_UNAVAILABLE, "another plugin has the host's listener; leave one of the two out"});
  }
  if (started->settings.auth == Auth::kKey && settings_.keys.empty()) {
    const std::string text = "the route " + started->pattern +
                             " asks for a key and there is none: write `keys:` into teal.yaml, or auth: anonymous";
    host_->log(host_, TEAL_LOG_WARNING, Bytes(text), {});
  }
  {
    const std::lock_guard lock(mutex_);
    triggers_[id] = started;
  }
  done.Ok();
}

void Instance::Stop(plugin::Done done, std::string id) {
  TriggerPtr stopped;
  {
    const std::lock_guard lock(mutex_);
    const auto at = triggers_.find(id);
    if (at != triggers_.end()) {
      stopped = at->second;
      stopped->stopped = true;
      triggers_.erase(at);
    }
  }
  if (stopped == nullptr) return done.Ok();
  routes_.Remove(stopped);
  std::vector<Emission> open = desk_.Close(id);
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [exchange, index] : stopped->waiting) open.push_back({exchange, index, {}});
    stopped->waiting.clear();
    const auto move_out = [&](auto& from) {
      for (auto at = from.begin(); at != from.end();) {
        if (at->second.exchange->trigger != stopped) {
          ++at;
          continue;
        }
        open.push_back(std::move(at->second));
        at = from.erase(at);
      }
    };
    move_out(delayed_);
    move_out(accepted_);
    for (const Emission& emission : open) {
      const std::string& sid = emission.exchange->events[emission.index].sid;
      Conclude(emission, sid.empty() ? Stopped() : AnswerTo(202, "", "{\"sid\":" + JsonString(sid) + "}", sid));
    }
  }
  done.Ok();
}

std::optional<Answer> Instance::Refusal(Exchange& exchange, uint64_t* body_bytes_max) {
  const Request& request = exchange.request;
  const std::optional<std::vector<std::string>> segments = SegmentsOf(request.path);
  if (!segments) return ErrorAnswer(400, "invalid", "the path cannot be decoded");
  Match match = routes_.Find(request.method, *segments);
  if (match.any_route == nullptr) return ErrorAnswer(404, "not_found", "there is nothing at this path");
  exchange.trigger = std::static_pointer_cast<Trigger>(match.route != nullptr ? match.route : match.any_route);
  exchange.parameters = std::move(match.parameters);
  const TriggerSettings& settings = exchange.trigger->settings;
  const Cors* const cors = settings.cors ? &*settings.cors : nullptr;
  const bool declared =
      std::find(settings.methods.begin(), settings.methods.end(), "OPTIONS") != settings.methods.end();
  if (request.method == "OPTIONS" && !declared) {
    // A route for any method lets a browser ask before it asks.
    const bool preflight = request.Has("origin") && request.Has("access-control-request-method");
    if (match.route == nullptr || (cors != nullptr && preflight)) {
      if (match.allow.empty()) match.allow = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
      Answer answer = OptionsAnswer(request, cors, match.allow);
      exchange.trigger = nullptr;  // its headers are whole
      return answer;
    }
  }
  if (match.route == nullptr) {
    Answer answer = ErrorAnswer(405, "bad_method", "this path does not take " + ToUtf8(request.method));
    answer.headers.emplace_back("allow", match.allow);
    return answer;
  }
  Verdict verdict;
  if (settings.auth == Auth::kKey) verdict = CheckKey(request, settings_.keys);
  if (settings.auth == Auth::kHmac) verdict = HasSignature(request);
  if (settings.auth == Auth::kJwt) verdict = CheckBearer(exchange);
  if (verdict.refusal) return std::move(verdict.refusal);
  exchange.caller = std::move(verdict.caller);
  *body_bytes_max = std::min(*body_bytes_max, settings.body_bytes_max);
  return std::nullopt;
}

void Instance::OnHead(const teal_arrival& arrival, uint64_t* body_bytes_max) {
  const auto exchange = std::make_shared<Exchange>();
  std::optional<Answer> refusal;
  if (ReadHead(arrival, &exchange->request)) {
    refusal = Refusal(*exchange, body_bytes_max);
  } else {
    refusal = ErrorAnswer(400, "invalid", "the target of the request is no path");
  }
  exchange->arrived_unix_ns = Now();
  const std::lock_guard lock(mutex_);
  if (refusal) return Send(*exchange, std::move(*refusal));
  requests_.emplace(arrival.token, exchange);
}

void Instance::OnRequest(const teal_arrival& arrival) {
  ExchangePtr exchange;
  {
    const std::lock_guard lock(mutex_);
    const auto at = requests_.find(arrival.token);
    if (at == requests_.end()) return;
    exchange = at->second;
  }
  exchange->too_large = (arrival.flags & TEAL_ARRIVAL_TOO_LARGE) != 0;
  exchange->request.body = Copy(arrival.body);
  if (!exchange->unproved) return Proved(exchange);
  Token token;
  if (std::optional<Answer> refusal = ReadToken(exchange->request.Header("authorization"), &token)) {
    return Refuse(*exchange, std::move(*refusal));
  }
  issuers_.Find(exchange->trigger->settings.issuer, token.key_id, [this, exchange](FoundKey found) {
    if (!found.key) return Refuse(*exchange, std::move(*found.refusal));
    const TriggerSettings& settings = exchange->trigger->settings;
    const std::string authorization = exchange->request.Header("authorization");
    Token again;
    Verdict verdict;
    verdict.refusal = ReadToken(authorization, &again);
    if (!verdict.refusal) {
      verdict = CheckToken(again, *found.key, settings.issuer, settings.audience, Now() / 1'000'000'000);
    }
    if (verdict.refusal) return Refuse(*exchange, std::move(*verdict.refusal));
    exchange->caller = std::move(verdict.caller);
    Proved(exchange);
  });
}

Verdict Instance::CheckBearer(Exchange& exchange) {
  const TriggerSettings& settings = exchange.trigger->settings;
  const std::string authorization = exchange.request.Header("authorization");
  Token token;
  Verdict verdict;
  verdict.refusal = ReadToken(authorization, &token);
  if (verdict.refusal) return verdict;
  const std::optional<SigningKey> key = issuers_.Known(settings.issuer, token.key_id);
  exchange.unproved = !key;
  if (key) return CheckToken(token, *key, settings.issuer, settings.audience, Now() / 1'000'000'000);
  return verdict;
}

void Instance::Proved(const ExchangePtr& exchange) {
  const TriggerSettings& settings = exchange->trigger->settings;
  if (exchange->too_large) {
    return Refuse(
        *exchange,
        ErrorAnswer(413, "too_large", "the body is longer than " + std::to_string(settings.body_bytes_max) + " bytes"));
  }
  if (settings.auth == Auth::kHmac) {
    Verdict verdict = CheckSignature(exchange->request, settings.hmac_secret);
    if (verdict.refusal) return Refuse(*exchange, std::move(*verdict.refusal));
  }
  Take(exchange);
}

void Instance::Refuse(Exchange& exchange, Answer answer) {
  const std::lock_guard lock(mutex_);
  Send(exchange, std::move(answer));
}

void Instance::Take(const ExchangePtr& exchange) {
  const std::string source_ip =
      settings_.trusted_proxies.SourceOf(exchange->request.peer, exchange->request.Header("x-forwarded-for"));
  std::optional<Answer> refusal = Plan(*exchange, source_ip);
  const std::lock_guard lock(mutex_);
  Trigger& trigger = *exchange->trigger;
  if (!refusal && trigger.stopped) refusal = Stopped();
  if (!refusal && trigger.waiting.size() + exchange->events.size() > kWaitingMax) {
    refusal = Later("too many requests of this route wait", 1);
  }
  if (!refusal && exchange->events.empty()) refusal = BatchAnswer(*exchange);
  if (refusal) return Send(*exchange, std::move(*refusal));
  for (size_t i = 0; i < exchange->events.size(); ++i) trigger.waiting.emplace_back(exchange, i);
  Pump(trigger);
  if (trigger.waiting.empty() || waits_) return;
  waits_ = true;
  wake_.notify_all();
}

void Instance::Expire() {
  waits_ = false;
  const uint64_t now = Now();
  for (auto& [id, trigger] : triggers_) {
    while (!trigger->waiting.empty()) {
      const auto [exchange, index] = trigger->waiting.front();
      if (!exchange->over && now < exchange->arrived_unix_ns + kHeldNsMax) break;
      trigger->waiting.pop_front();
      Conclude({exchange, index, {}}, Later("the host has too much to do", 1));
    }
    waits_ = waits_ || !trigger->waiting.empty();
  }
}

void Instance::Pump(Trigger& trigger) {
  while (!trigger.waiting.empty()) {
    const auto [exchange, index] = trigger.waiting.front();
    // Who waits for nothing any more, and was not given to the host yet, has started nothing.
    if (exchange->over) {
      trigger.waiting.pop_front();
      continue;
    }
    const Planned& planned = exchange->events[index];
    const TriggerSettings& settings = trigger.settings;
    const bool at_once = settings.mode == Mode::kAsync || exchange->batch;
    std::string attributes =
        "{\"reply\":{\"timeout_ms\":" + std::to_string(at_once ? 0 : settings.wait_ns / 1'000'000) + "}";
    if (settings.mode == Mode::kStateless) attributes += ",\"mode\":\"stateless\"";
    if (!planned.fingerprint.empty()) attributes += ",\"fingerprint\":" + JsonString(planned.fingerprint);
    attributes += '}';
    const std::string source = "http:" + trigger.id;
    trigger::Event event;
    event.time_unix_ns = exchange->arrived_unix_ns;
    event.source = source;
    event.id = planned.id;
    event.type = planned.type;
    event.data = planned.data;
    event.attributes_json = attributes;
    if (desk_.Emit(trigger.id, event, {exchange, index, {}}) == 0) return;  // no credit
    trigger.waiting.pop_front();
  }
}

void Instance::Credit(std::string_view id, uint64_t count) {
  desk_.AddCredit(id, count);
  const std::lock_guard lock(mutex_);
  const auto at = triggers_.find(id);
  if (at != triggers_.end()) Pump(*at->second);
}

void Instance::Accept(plugin::Done done, uint64_t token, std::string_view sid) {
  auto settled = desk_.Take(token);
  if (!settled) return done.Fail(NoToken());
  {
    const std::lock_guard lock(mutex_);
    settled->kept.exchange->events[settled->kept.index].sid = sid;
    accepted_.emplace(token, std::move(settled->kept));
  }
  done.Ok();
}

void Instance::Reply(plugin::Done done, uint64_t token, uint32_t status, std::string_view headers,
                     std::string_view body, bool more) {
  std::optional<Emission> emission;
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = accepted_.find(token); at != accepted_.end()) {
      emission = std::move(at->second);
      accepted_.erase(at);
    }
  }
  // Without an accept nothing was started, and this says why.
  if (!emission) {
    if (auto settled = desk_.Take(token)) emission = std::move(settled->kept);
  }
  if (!emission) return done.Fail(NoToken());
  emission->pieces += body;
  {
    const std::lock_guard lock(mutex_);
    if (more) {
      accepted_.emplace(token, std::move(*emission));
    } else {
      const std::string& sid = emission->exchange->events[emission->index].sid;
      Conclude(*emission, AnswerTo(status, std::string(headers), emission->pieces, sid));
    }
  }
  done.Ok();
}

void Instance::Reject(plugin::Done done, uint64_t token, uint64_t delay_ns) {
  auto settled = desk_.Take(token);
  if (!settled) return done.Fail(NoToken());
  {
    const std::lock_guard lock(mutex_);
    Emission& emission = settled->kept;
    const uint64_t again = Now() + std::min(delay_ns, kHeldNsMax);
    if (delay_ns > kHeldNsMax || again - emission.exchange->arrived_unix_ns > kHeldNsMax) {
      Conclude(emission, Later("the host cannot take it now", delay_ns / 1'000'000'000));
    } else if (!emission.exchange->over) {
      delayed_.emplace(again, std::move(emission));
      wake_.notify_all();
    }
  }
  done.Ok();
}

void Instance::Run() {
  std::unique_lock lock(mutex_);
  while (!closing_) {
    if (!tasks_.empty()) {
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
      continue;
    }
    // Looking often and asking the host for the time keeps its clock the only one that counts.
    if (!delayed_.empty()) {
      wake_.wait_for(lock, kLookEvery);
    } else if (waits_) {
      wake_.wait_for(lock, kExpireEvery);
    } else {
      wake_.wait(lock);
    }
    if (waits_ && !closing_) Expire();
    while (!closing_ && !delayed_.empty() && delayed_.begin()->first <= Now()) {
      const Emission emission = std::move(delayed_.begin()->second);
      delayed_.erase(delayed_.begin());
      Trigger& trigger = *emission.exchange->trigger;
      trigger.waiting.emplace_front(emission.exchange, emission.index);
      Pump(trigger);
    }
  }
}

void Instance::Post(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (closing_) return;
  tasks_.push_back(std::move(task));
  wake_.notify_all();
}

void Instance::OnGone(uint64_t token) {
  const std::lock_guard lock(mutex_);
  const auto at = requests_.find(token);
  if (at == requests_.end()) return;
  at->second->over = true;
  requests_.erase(at);
}

void Instance::Conclude(const Emission& emission, Answer answer) {
  Exchange& exchange = *emission.exchange;
  Planned& event = exchange.events[emission.index];
  if (event.answer) return;
  event.answer = std::move(answer);
  if (--exchange.open > 0) return;
  Send(exchange, exchange.batch ? BatchAnswer(exchange) : std::move(*event.answer));
}

void Instance::Send(Exchange& exchange, Answer answer) {
  requests_.erase(exchange.request.token);
  if (std::exchange(exchange.over, true)) return;
  if (exchange.trigger != nullptr && exchange.trigger->settings.cors) {
    AddCors(exchange.request, *exchange.trigger->settings.cors, &answer);
  }
  std::vector<teal_header> headers;
  for (const auto& [name, value] : answer.headers) headers.push_back({Bytes(name), Bytes(value)});
  teal_http_answer out{};
  out.struct_size = sizeof out;
  out.status = static_cast<uint32_t>(answer.status);
  out.headers = headers.data();
  out.header_count = headers.size();
  out.body = Bytes(answer.body);
  if (server_->answer(host_, exchange.request.token, &out) != TEAL_INVALID) return;
  const Answer plain = ErrorAnswer(500, "bad_answer", "the answer holds what HTTP does not have");
  const teal_header type{Bytes("content-type"), Bytes("application/json")};
  out.status = 500;
  out.headers = &type;
  out.header_count = 1;
  out.body = Bytes(plain.body);
  server_->answer(host_, exchange.request.token, &out);
}

}  // namespace teal::http

#include "core/host/http/loop.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "core/host/call.h"

namespace teal::host::http {
namespace {

constexpr size_t kHandlesKept = 64;
constexpr auto kNsMax = UINT64_MAX;

// What the call's deadline leaves; kNsMax without one.
uint64_t LeftNs(const Exchange& exchange) {
  const uint64_t deadline = exchange.call->deadline_unix_ns;
  if (deadline == 0) return kNsMax;
  const uint64_t now = exchange.host->now_unix_ns(exchange.host);
  return deadline > now ? deadline - now : 0;
}

}  // namespace

Loop* Loop::Get() {
  static Loop* const loop = []() -> Loop* {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return nullptr;
    auto* const made = new Loop;
    return made->Start() ? made : nullptr;
  }();
  return loop;
}

Loop::Loop() : multi_(curl_multi_init()) {}

bool Loop::Start() {
  if (multi_ == nullptr) return false;
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, kConnectionsMax);
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, kConnectionsOfHostMax);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kConnectionsMax);
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  // OpenSSL frees its tables when the process ends; nothing may be inside it then. Registered after its own handler,
  // this one runs before.
  return std::atexit([] { Get()->Stop(); }) == 0;
}

void Loop::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  curl_multi_wakeup(multi_);
  if (thread_.joinable()) thread_.join();
}

teal_status Loop::Send(const teal_host* host, const teal_call* call, const teal_http_request* request) {
  if (call == nullptr || call->done == nullptr || call->flags != 0 || request == nullptr ||
      (request->flags & ~TEAL_HTTP_SAFE) != 0) {
    return TEAL_INVALID;
  }
  auto exchange = std::make_unique<Exchange>(host, call, request);
  if (const std::string wrong = exchange->Check(); !wrong.empty()) {
    EndWith(call, TEAL_INVALID, wrong);
    return TEAL_OK;
  }
  if (open_.fetch_add(1) >= kCallsMax) {
    open_.fetch_sub(1);
    EndWith(call, TEAL_THROTTLED, "more than 4096 HTTP calls are open; ask less at once");
    return TEAL_OK;
  }
  calls_.fetch_add(1, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    inbox_.push_back(std::move(exchange));
  }
  curl_multi_wakeup(multi_);
  return TEAL_OK;
}

teal_status Loop::Cancel(const teal_host* host, uint64_t op_id) {
  if (op_id == 0) return TEAL_INVALID;
  {
    const std::lock_guard lock(mutex_);
    cancels_.emplace_back(host, op_id);
  }
  curl_multi_wakeup(multi_);
  return TEAL_OK;
}

void Loop::SetFaults(Faults faults) {
  {
    const std::lock_guard lock(mutex_);
    new_faults_ = std::make_unique<Faults>(std::move(faults));
  }
  curl_multi_wakeup(multi_);
}

teal_http_stats Loop::Stats() const {
  return {calls_, attempts_, retries_, connections_, faults_put_in_, open_};
}

void Loop::Run() {
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    TakeIn();
    const Clock::time_point now = Clock::now();
    while (!later_.empty() && later_.begin()->first <= now) {
      Later due = std::move(later_.begin()->second);
      later_.erase(later_.begin());
      if (due.ends)
        Settle(std::move(due.exchange), std::move(due.outcome));
      else
        Begin(std::move(due.exchange));
    }
    int running = 0;
    curl_multi_perform(multi_, &running);
    TakeFinished();
    curl_multi_poll(multi_, nullptr, 0, WaitMs(), nullptr);
  }
}

int Loop::WaitMs() const {
  constexpr int64_t kIdleMs = 10'000;
  if (later_.empty()) return kIdleMs;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(later_.begin()->first - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, kIdleMs));
}

void Loop::TakeIn() {
  std::vector<std::unique_ptr<Exchange>> inbox;
  std::vector<Name> cancels;
  {
    const std::lock_guard lock(mutex_);
    inbox.swap(inbox_);
    cancels.swap(cancels_);
    if (new_faults_) faults_ = std::move(*new_faults_);
    new_faults_.reset();
  }
  for (auto& exchange : inbox) Begin(std::move(exchange));
  // After what came in with them: a cancel never comes before its call.
  for (const Name& name : cancels) Drop(name);
}

void Loop::Begin(std::unique_ptr<Exchange> exchange) {
  const uint64_t left = LeftNs(*exchange);
  if (left == 0) {
    exchange->sent_before = exchange->sent_before || exchange->sent;
    exchange->sent = false;
    open_.fetch_sub(1);
    exchange->EndWithError(TEAL_TIMEOUT, exchange->origin + ": the call's deadline passed before it could be sent", 0);
    return;
  }
  const teal_status signature = exchange->Sign(exchange->host->now_unix_ns(exchange->host));
  if (signature != TEAL_OK) {
    open_.fetch_sub(1);
    exchange->EndWithError(signature, "the request could not be signed", 0);
    return;
  }
  ++exchange->attempts;
  attempts_.fetch_add(1, std::memory_order_relaxed);
  if (exchange->attempts > 1) retries_.fetch_add(1, std::memory_order_relaxed);
  exchange->fault.reset();
  if (!faults_.empty()) {
    const FaultSubject subject{ViewOf(exchange->request.method), ViewOf(exchange->request.url), &exchange->lines};
    exchange->fault = faults_.Next(subject);
    if (exchange->fault) faults_put_in_.fetch_add(1, std::memory_order_relaxed);
    if (exchange->fault && !exchange->fault->Sends()) {
      Fall(std::move(exchange), {});
      return;
    }
  }
  CURL* const easy = Handle();
  if (easy == nullptr || !exchange->Prepare(easy, left) || curl_multi_add_handle(multi_, easy) != CURLM_OK) {
    open_.fetch_sub(1);
    exchange->EndWithError(TEAL_NO_MEMORY, "out of memory", 0);
    if (easy != nullptr) curl_easy_cleanup(easy);
    return;
  }
  running_[easy] = std::move(exchange);
}

void Loop::TakeFinished() {
  int left = 0;
  while (const CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const auto found = running_.find(message->easy_handle);
    std::unique_ptr<Exchange> exchange = std::move(found->second);
    running_.erase(found);
    Outcome outcome = exchange->Read(message->data.result);
    long connections = 0;
    curl_easy_getinfo(exchange->easy, CURLINFO_NUM_CONNECTS, &connections);
    connections_.fetch_add(static_cast<uint64_t>(connections), std::memory_order_relaxed);
    Release(*exchange);
    if (exchange->fault)
      Fall(std::move(exchange), std::move(outcome));
    else
      Settle(std::move(exchange), std::move(outcome));
  }
}

// The attempt ends as its fault wants, perhaps later.
void Loop::Fall(std::unique_ptr<Exchange> exchange, Outcome outcome) {
  const Fault& fault = *exchange->fault;
  const auto end = [&](teal_status code, const char* words, bool sent) {
    exchange->sent = sent;
    outcome = {};
    outcome.code = code;
    outcome.message = exchange->origin + ": " + words;
  };
  switch (fault.kind) {
    case FaultKind::kRefused:
      end(TEAL_UNAVAILABLE, "connection refused (a fault put in)", false);
      break;
    case FaultKind::kTimeoutUnsent:
      end(TEAL_TIMEOUT, "connection timed out (a fault put in)", false);
      break;
    case FaultKind::kLostRequest:
    case FaultKind::kLostAnswer:
      end(TEAL_UNAVAILABLE, "connection reset (a fault put in)", true);
      break;
    case FaultKind::kTimeout:
      end(TEAL_TIMEOUT, "no answer in time (a fault put in)", true);
      break;
    case FaultKind::kStatus:
    case FaultKind::kStatusAfter:
      if (outcome.code != TEAL_OK) break;  // the real world was worse
      exchange->Replace(fault.status, fault.retry_after, fault.body);
      outcome = {};
      outcome.retry_after_ns = std::strtoull(fault.retry_after.c_str(), nullptr, 10) * 1'000'000'000;
      break;
    case FaultKind::kCut:
      if (outcome.code == TEAL_OK && exchange->HasBody())
        end(TEAL_UNAVAILABLE, "the answer was cut off (a fault put in)", true);
      break;
    case FaultKind::kDelay:
      break;
  }
  if (fault.delay_ns == 0) return Settle(std::move(exchange), std::move(outcome));
  const auto at = Clock::now() + std::chrono::nanoseconds(fault.delay_ns);
  later_.emplace(at, Later{std::move(exchange), true, std::move(outcome)});
}

void Loop::Settle(std::unique_ptr<Exchange> exchange, Outcome outcome) {
  const bool answered = outcome.code == TEAL_OK;
  const bool again = exchange->safe() && outcome.may_retry && (!answered || IsRetryStatus(exchange->status()));
  if (again) {
    const auto wait = retry_.Wait(exchange->attempts, outcome.retry_after_ns, LeftNs(*exchange));
    if (wait) {
      later_.emplace(Clock::now() + std::chrono::nanoseconds(*wait), Later{std::move(exchange), false, {}});
      return;
    }
  }
  open_.fetch_sub(1);
  if (answered)
    exchange->EndWithAnswer();
  else
    exchange->EndWithError(outcome.code, outcome.message, outcome.retry_after_ns);
}

void Loop::Drop(const Name& name) {
  const auto is = [&](const Exchange& exchange) {
    return exchange.host == name.first && exchange.call->op_id == name.second;
  };
  std::unique_ptr<Exchange> found;
  for (auto at = running_.begin(); at != running_.end() && !found; ++at) {
    if (!is(*at->second)) continue;
    found = std::move(at->second);
    running_.erase(at);
    Release(*found);
    break;
  }
  for (auto at = later_.begin(); at != later_.end() && !found; ++at) {
    if (!is(*at->second.exchange)) continue;
    found = std::move(at->second.exchange);
    later_.erase(at);
    break;
  }
  if (!found) return;  // it is done
  open_.fetch_sub(1);
  found->EndWithError(TEAL_CANCELLED, found->origin + ": cancelled", 0);
}

// Takes the handle back from curl and from the exchange.
void Loop::Release(Exchange& exchange) {
  curl_multi_remove_handle(multi_, exchange.easy);
  if (handles_.size() < kHandlesKept) {
    curl_easy_reset(exchange.easy);
    handles_.push_back(exchange.easy);
  } else {
    curl_easy_cleanup(exchange.easy);
  }
  exchange.easy = nullptr;
}

CURL* Loop::Handle() {
  CURL* easy = nullptr;
  if (handles_.empty()) {
    easy = curl_easy_init();
  } else {
    easy = handles_.back();
    handles_.pop_back();
  }
  if (easy != nullptr) curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, kConnectionAgeMaxS);
  return easy;
}

}  // namespace teal::host::http

#include "cli/serve/ask.h"

#include <chrono>
#include <thread>

#include "core/vm/json.h"

namespace teal::cli {
namespace {

using vm::Value;

constexpr uint64_t kReturnNs = 30 * kSecondNs;  // a host that was there may be gone so long
constexpr auto kRetryPause = std::chrono::milliseconds(250);
constexpr uint64_t kDeleteSilenceNs = 600 * kSecondNs;  // who deletes looks first whether it is used
constexpr uint64_t kStreamSilenceNs = 60 * kSecondNs;   // it says something every 15 s

uint64_t Now() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

std::optional<Value> Decode(std::string_view json) {
  Value value;
  Value error;
  if (vm::DecodeJson(json, &value, &error)) return value;
  return std::nullopt;
}

// Takes events out of an event stream as its bytes come.
class Events {
 public:
  struct Event {
    std::string name, data, id;
    bool has_id = false;
  };
  // Calls `take` with every whole event; false: it wants no more.
  bool Feed(std::string_view text, const std::function<bool(const Event&)>& take) {
    rest_ += text;
    for (size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n')) {
      const std::string line = rest_.substr(0, end);
      rest_.erase(0, end + 1);
      if (!line.empty()) {
        Line(line);
        continue;
      }
      const Event event = std::exchange(event_, {});
      if ((!event.data.empty() || !event.name.empty()) && !take(event)) return false;
    }
    return true;
  }

 private:
  void Line(const std::string& line) {
    const size_t colon = line.find(':');
    const std::string field = line.substr(0, colon);
    std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
    if (value.starts_with(' ')) value.erase(0, 1);
    if (field == "event") event_.name = value;
    if (field == "data") event_.data += (event_.data.empty() ? "" : "\n") + value;
    if (field == "id") {
      event_.id = value;
      event_.has_id = true;
    }
  }

  std::string rest_;
  Event event_;
};

}  // namespace

Value ValueIn(const Value& hash, std::string_view key) {
  if (hash.tag() != vm::Tag::kHash) return {};
  const Value* found = vm::HashGet(*hash.As<vm::Hash>(), key);
  return found == nullptr ? Value() : *found;
}

std::string_view TextIn(const Value& hash, std::string_view key) {
  if (hash.tag() != vm::Tag::kHash) return {};
  const Value* found = vm::HashGet(*hash.As<vm::Hash>(), key);
  return found != nullptr && found->tag() == vm::Tag::kString ? found->Text() : std::string_view();
}

Ask::Ask(const Globals& globals, HostPlace place)
    : globals_(globals), place_(std::move(place)), client_(place_.address) {}

void Ask::Report(const Failure& failure) {
  if (failure.message == kInterruptedMessage) {
    code_ = kExitInterrupted;
    return;
  }
  code_ = kExitUnreachable;
  ReportError(globals_, failure.message, "start it with teal serve, or name another host in TEAL_HOST");
}

void Ask::ReportRefusal(const Value& answer) {
  const Value error = ValueIn(answer, "error");
  switch (status_) {
    case 400:
    case 413:
    case 422:
      code_ = kExitUsage;
      break;
    case 404:
      code_ = kExitNotFound;
      break;
    case 401:
    case 403:
    case 409:
      code_ = kExitRefused;
      break;
    default:
      code_ = kExitUnreachable;
  }
  std::string message(TextIn(error, "message"));
  if (message.empty()) message = "the host answered " + std::to_string(status_) + " without saying why";
  ReportError(globals_, message, std::string(TextIn(error, "hint")));
}

bool Ask::PauseBeforeRetry(uint64_t* lost_since_ns) {
  if (*lost_since_ns == 0) *lost_since_ns = Now();
  if (!reached_ || Now() - *lost_since_ns > kReturnNs) return false;
  std::this_thread::sleep_for(kRetryPause);
  return true;
}

// patient: the request may be sent again where its outcome is not known.
std::optional<Value> Ask::Carry(HttpRequest request, bool patient) {
  if (!place_.key.empty()) request.headers.emplace_back("x-teal-key", place_.key);
  uint64_t lost_since_ns = 0;
  for (;;) {
    const Result<HttpResponse> response = client_.Call(request);
    if (!response) {
      const bool interrupted = response.failure().message == kInterruptedMessage;
      if (!interrupted && patient && PauseBeforeRetry(&lost_since_ns)) continue;
      Report(response.failure());
      return std::nullopt;
    }
    reached_ = true;
    status_ = response.value().status;
    body_ = response.value().body;
    if (status_ == 503 && patient && PauseBeforeRetry(&lost_since_ns)) continue;
    const std::optional<Value> answer = Decode(body_);
    if (status_ >= 200 && status_ < 300 && answer) return answer;
    ReportRefusal(answer.value_or(Value()));
    return std::nullopt;
  }
}

std::optional<Value> Ask::Get(const std::string& target) {
  return GetSlowly(target, 0);
}

std::optional<Value> Ask::GetSlowly(const std::string& target, uint64_t silence_ns) {
  HttpRequest request;
  request.target = target;
  request.silence_ns_max = silence_ns;
  return Carry(std::move(request), true);
}

std::optional<Value> Ask::Post(const std::string& target, const std::string& json, const std::string& key) {
  return PostSlowly(target, json, key, 0);
}

std::optional<Value> Ask::PostSlowly(const std::string& target, const std::string& json, const std::string& key,
                                     uint64_t silence_ns) {
  HttpRequest request;
  request.method = "POST";
  request.target = target;
  request.body = json;
  request.silence_ns_max = silence_ns;
  request.headers.emplace_back("Content-Type", "application/json");
  if (!key.empty()) request.headers.emplace_back("Idempotency-Key", key);
  return Carry(std::move(request), !key.empty());
}

std::optional<Value> Ask::Delete(const std::string& target) {
  HttpRequest request;
  request.method = "DELETE";
  request.target = target;
  request.silence_ns_max = kDeleteSilenceNs;
  return Carry(std::move(request), false);
}

bool Ask::Follow(const std::string& target, const std::function<bool(const Value&)>& on_item) {
  std::string last_id;
  uint64_t lost_since_ns = 0;
  for (;;) {
    HttpRequest request;
    request.target = target;
    request.silence_ns_max = kStreamSilenceNs;
    request.headers.emplace_back("Accept", "text/event-stream");
    if (!place_.key.empty()) request.headers.emplace_back("x-teal-key", place_.key);
    if (!last_id.empty()) request.headers.emplace_back("Last-Event-ID", last_id);
    Events events;
    // Items come out only with the id behind them, so that none is shown twice after a break.
    std::vector<Value> kept;
    bool ended = false;
    bool wanted = true;
    bool refused = false;
    const auto take = [&](const Events::Event& event) {
      lost_since_ns = 0;
      if (event.name == "end") ended = true;
      const std::optional<Value> item = Decode(event.data);
      if (event.name == "error") {
        status_ = 500;
        ReportRefusal(item.value_or(Value()));
        refused = true;
      }
      if (!event.name.empty()) return false;
      if (item) kept.push_back(*item);
      if (!event.has_id) return true;
      last_id = event.id;
      for (const Value& each : std::exchange(kept, {})) wanted = wanted && on_item(each);
      return wanted;
    };
    const Result<HttpResponse> response =
        client_.Call(request, [&](std::string_view text) { return events.Feed(text, take); });
    if (refused) return false;
    if (ended || !wanted) return true;
    if (response && response.value().status != 200 && response.value().status != 503) {
      status_ = response.value().status;
      ReportRefusal(Decode(response.value().body).value_or(Value()));
      return false;
    }
    if (response) reached_ = true;
    const bool interrupted = !response && response.failure().message == kInterruptedMessage;
    if (!interrupted && PauseBeforeRetry(&lost_since_ns)) continue;
    Report(response ? Fail(FailureCode::kUnavailable, "the host is stopping") : response.failure());
    return false;
  }
}

}  // namespace teal::cli

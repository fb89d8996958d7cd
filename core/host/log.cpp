#include "core/host/log.h"

// Debian has no static library of either; header only is how they are linked statically.
#define SPDLOG_HEADER_ONLY
#define FMT_HEADER_ONLY
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <shared_mutex>
#include <vector>

#include "core/host/json.h"
#include "teal/abi.h"

namespace teal::host {
namespace {

constexpr size_t kSecretBytesMin = 4;

class FunctionSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(std::function<void(std::string_view)> write) : write_(std::move(write)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::string_view text(line.data(), line.size());
    if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    write_(text);
  }
  void flush_() override {}

  const std::function<void(std::string_view)> write_;
};

spdlog::level::level_enum LevelOf(uint32_t level) {
  switch (level) {
    case TEAL_LOG_DEBUG:
      return spdlog::level::debug;
    case TEAL_LOG_INFO:
      return spdlog::level::info;
    case TEAL_LOG_WARNING:
      return spdlog::level::warn;
    default:
      return spdlog::level::err;
  }
}

// A JSON string, quotes included.
std::string Quoted(std::string_view text) {
  return ToText(Json(std::string(text)));
}

// One line of valid UTF-8: control characters stay escaped, quotes and backslashes do not.
std::string OneLine(std::string_view text) {
  const std::string quoted = Quoted(text);
  std::string line;
  for (size_t i = 1; i + 1 < quoted.size(); ++i) {
    if (quoted[i] == '\\' && (quoted[i + 1] == '"' || quoted[i + 1] == '\\')) ++i;
    line += quoted[i];
  }
  return line;
}

std::string Cut(std::string_view text) {
  if (text.size() <= kLogMessageBytesMax) return std::string(text);
  size_t end = kLogMessageBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not inside a character
  return std::string(text.substr(0, end)) + "…";
}

}  // namespace

struct Log::Impl {
  bool json = false;
  std::shared_ptr<spdlog::logger> logger;

  std::shared_mutex mutex;
  std::vector<std::string> hidden;  // guarded by mutex; longest first

  std::string Masked(std::string text) {
    const std::shared_lock lock(mutex);
    for (const std::string& secret : hidden) {
      for (size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3)) {
        text.replace(at, secret.size(), "***");
      }
    }
    return text;
  }
};

Log::Log(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Log::~Log() = default;

Result<std::shared_ptr<Log>> Log::Make(LogOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->json = options.json;
  try {
    spdlog::sink_ptr sink;
    if (options.sink) {
      sink = std::make_shared<FunctionSink>(std::move(options.sink));
    } else if (!options.file.empty()) {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
    } else {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    }
    impl->logger = std::make_shared<spdlog::logger>("teal", std::move(sink));
  } catch (const std::exception& e) {
    return Fail(FailureCode::kUnavailable, options.file + ": the log cannot be written: " + e.what());
  }
  constexpr const char* kText = "%Y-%m-%dT%H:%M:%S.%eZ %l %v";
  constexpr const char* kJson = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})";
  impl->logger->set_formatter(
      std::make_unique<spdlog::pattern_formatter>(options.json ? kJson : kText, spdlog::pattern_time_type::utc, "\n"));
  impl->logger->set_level(LevelOf(options.level_min));
  impl->logger->flush_on(spdlog::level::debug);
  return std::shared_ptr<Log>(new Log(std::move(impl)));
}

std::shared_ptr<Log> Log::ToStderr() {
  static const std::shared_ptr<Log> log = std::move(Make({})).value();
  return log;
}

void Log::Write(uint32_t level, std::string_view plugin, std::string_view message, std::string_view fields_json) {
  const spdlog::level::level_enum at = LevelOf(level);
  if (!impl_->logger->should_log(at)) return;
  const std::string text = Cut(impl_->Masked(std::string(message)));
  const std::string fields = Cut(impl_->Masked(std::string(fields_json)));
  const Result<Json> parsed = ParseJson(fields);
  const bool object = parsed.ok() && parsed.value().is_object();
  std::string line;
  if (impl_->json) {
    line = "\"plugin\":" + Quoted(plugin) + ",\"message\":" + Quoted(text);
    if (!fields.empty()) line += ",\"fields\":" + (object ? ToText(parsed.value()) : Quoted(fields));
  } else {
    line = (plugin.empty() ? "host" : OneLine(plugin)) + ": " + OneLine(text);
    if (!fields.empty()) line += " " + (object ? ToText(parsed.value()) : OneLine(fields));
  }
  impl_->logger->log(at, spdlog::string_view_t(line));
}

void Log::Hide(std::string_view secret) {
  if (secret.size() < kSecretBytesMin) return;
  const std::string quoted = Quoted(secret);
  const std::unique_lock lock(impl_->mutex);
  // As it is, and as it stands in JSON.
  for (const std::string& form : {std::string(secret), quoted.substr(1, quoted.size() - 2)}) {
    if (std::find(impl_->hidden.begin(), impl_->hidden.end(), form) == impl_->hidden.end())
      impl_->hidden.push_back(form);
  }
  std::sort(impl_->hidden.begin(), impl_->hidden.end(),
            [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
}

}  // namespace teal::host

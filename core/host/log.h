// What plugins and the host's own parts log: one line an entry, through spdlog. A secret that was handed out is `***`
// in every line after it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace teal::host {

inline constexpr size_t kLogMessageBytesMax = 16 * 1024;  // of message and of fields; the rest is cut, and "…" says so

struct LogOptions {
  uint32_t level_min = 1;  // TEAL_LOG_…; INFO
  bool json = false;       // a line is {"time","level","plugin","message","fields"}; else time, level, plugin, text
  std::string file;        // appended to; empty: standard error
  std::function<void(std::string_view line)> sink;  // instead of either; one call at a time
};

// Thread-safe. Blocks only while another thread writes.
class Log {
 public:
  // A file that cannot be opened is kUnavailable.
  static Result<std::shared_ptr<Log>> Make(LogOptions options);
  static std::shared_ptr<Log> ToStderr();
  ~Log();

  // `plugin` empty: the host itself. `fields_json`: an object or empty; what is neither is logged as text. An unknown
  // level is taken as ERROR; bytes that are no UTF-8 are replaced.
  void Write(uint32_t level, std::string_view plugin, std::string_view message, std::string_view fields_json = {});
  // From now on `secret` is masked. Secrets shorter than 4 bytes are not: they would be found everywhere.
  void Hide(std::string_view secret);

 private:
  struct Impl;
  explicit Log(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace teal::host

#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "core/runtime/clock.h"

namespace teal::cli {
namespace {

constexpr size_t kBufferBytes = 64 << 10;
constexpr int64_t kFlushNs = runtime::kNanosecondsPerSecond / 10;
constexpr uint32_t kWritesPerLook = 64;  // writes between two looks at the clock

int64_t Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return int64_t{now.tv_sec} * runtime::kNanosecondsPerSecond + now.tv_nsec;
}

}  // namespace

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

StdoutSink::StdoutSink() : terminal_(isatty(STDOUT_FILENO) == 1), flushed_ns_(Now()) {}

void StdoutSink::Write(std::string_view, std::string_view, std::string_view text) {
  const std::lock_guard<std::mutex> lock(mutex_);
  buffer_ += text;
  const bool look = ++writes_ % kWritesPerLook == 0;
  if (terminal_ || buffer_.size() >= kBufferBytes || (look && Now() - flushed_ns_ >= kFlushNs)) FlushLocked();
}

void StdoutSink::Flush() {
  const std::lock_guard<std::mutex> lock(mutex_);
  FlushLocked();
}

void StdoutSink::FlushLocked() {
  // Nobody reads any more: the program goes on, as its effects do not depend on its output.
  WriteAll(STDOUT_FILENO, buffer_);
  buffer_.clear();
  flushed_ns_ = Now();
}

void GatheringSink::Write(std::string_view, std::string_view, std::string_view text) {
  const std::lock_guard<std::mutex> lock(mutex_);
  text_ += text;
}

std::string GatheringSink::Kept() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return text_;
}

void RoutedSink::Route(runtime::OutputSink* sink) {
  const std::lock_guard<std::mutex> lock(mutex_);
  sink_ = sink;
}

void RoutedSink::Write(std::string_view sid, std::string_view tid, std::string_view text) {
  const std::lock_guard<std::mutex> lock(mutex_);
  sink_->Write(sid, tid, text);
}

void RoutedSink::Flush() {
  const std::lock_guard<std::mutex> lock(mutex_);
  sink_->Flush();
}

void StderrNotes::OnErrorText(std::string_view text) {
  WriteAll(STDERR_FILENO, text);
}

void StderrNotes::OnLog(std::string_view, std::string_view tid, std::string_view level, std::string_view message,
                        const vm::Value& fields) {
  std::string line = "[" + std::string(level) + "]";
  if (!tid.empty()) line += " " + std::string(tid) + ":";
  line += " " + std::string(message);
  if (!fields.IsNull()) line += " " + SourceForm(fields);
  WriteAll(STDERR_FILENO, line + "\n");
}

}  // namespace teal::cli

// Where a program's output goes: to standard output as it comes, or gathered for one JSON answer.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "core/runtime/output.h"
#include "core/runtime/python_calls.h"

namespace teal::cli {

// Standard output. On a terminal every line shows at once; into a pipe or file, when the program waits, when a buffer
// is full, or a tenth of a second after the last time.
class StdoutSink : public runtime::OutputSink {
 public:
  StdoutSink();
  ~StdoutSink() override { Flush(); }
  void Write(std::string_view sid, std::string_view tid, std::string_view text) override;
  void Flush() override;

 private:
  void FlushLocked();

  const bool terminal_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::string buffer_;
  int64_t flushed_ns_ = 0;
  uint32_t writes_ = 0;
};

// Keeps everything.
class GatheringSink : public runtime::OutputSink {
 public:
  void Write(std::string_view sid, std::string_view tid, std::string_view text) override;
  void Flush() override {}
  std::string Kept() override;

 private:
  std::mutex mutex_;
  std::string text_;
};

// Passes everything on to the sink of the moment.
class RoutedSink : public runtime::OutputSink {
 public:
  explicit RoutedSink(runtime::OutputSink* sink) : sink_(sink) {}
  void Route(runtime::OutputSink* sink);  // outlives its time here
  void Write(std::string_view sid, std::string_view tid, std::string_view text) override;
  void Flush() override;

 private:
  std::mutex mutex_;
  runtime::OutputSink* sink_;  // guarded by mutex_
};

// Standard error takes what Python writes there and what it logs.
class StderrNotes : public runtime::ForeignNotes {
 public:
  void OnErrorText(std::string_view text) override;
  void OnLog(std::string_view sid, std::string_view tid, std::string_view level, std::string_view message,
             const vm::Value& fields) override;
};

// Writes all of it, whatever the size; false when the descriptor takes no more.
bool WriteAll(int fd, std::string_view text);

}  // namespace teal::cli

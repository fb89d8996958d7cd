// Programs given as text, run in virtual time, for the tests of the runtime.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/lang/compiler.h"
#include "core/runtime/runtime.h"

namespace teal::runtime {

class TextSink : public OutputSink {
 public:
  void Write(std::string_view, std::string_view, std::string_view text) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    text_ += text;
  }
  void Flush() override {}
  std::string Kept() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return text_;
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

// Foreign functions by their Python name, answered at once from a function of the test.
class TestCalls : public ForeignCalls {
 public:
  using Function = std::function<ForeignOutcome(const ForeignCall&)>;
  explicit TestCalls(Function function) : function_(std::move(function)) {}
  uint64_t Start(const ForeignCall& call, std::function<void(ForeignOutcome)> done) override {
    done(function_(call));
    return 1;
  }
  void Cancel(uint64_t, double) override {}
  void Shutdown() override {}

 private:
  const Function function_;
};

struct Ran {
  std::shared_ptr<const vm::Program> program;  // the outcome's values may be its constants
  SessionOutcome outcome;
  std::string output;
  double virtual_seconds = 0;
  std::string moved;

  std::string Result() const { return SourceForm(outcome.result); }
  std::string Kind() const {
    return outcome.error.IsNull() ? "" : std::string(outcome.error.As<vm::Error>()->kind.Text());
  }
  std::string Message() const {
    return outcome.error.IsNull() ? "" : std::string(outcome.error.As<vm::Error>()->message.Text());
  }
};

struct RunOptions {
  bool real_time = false;  // then on several OS threads
  Limits limits;
  SuspensionTests suspension;
  TestCalls::Function foreign;
  std::string take_up;  // goes on with this instead of starting main
};

inline std::shared_ptr<const vm::Program> Compile(const std::string& text) {
  lang::CompileOptions options;
  options.check_python_files = false;
  lang::CompileOutput compiled = lang::CompileText("main.tl", text, options);
  std::string problems;
  for (const lang::Diagnostic& d : compiled.diagnostics) problems += RenderText(d, false);
  EXPECT_TRUE(compiled.ok()) << problems;
  if (!compiled.ok()) return nullptr;
  auto program = vm::Program::Load(compiled.executable);
  EXPECT_TRUE(program.ok()) << program.failure().message;
  return program.ok() ? *program : nullptr;
}

inline Ran RunText(const std::string& text, const RunOptions& options = {}) {
  Ran ran;
  const auto program = Compile(text);
  if (program == nullptr) return ran;
  ran.program = program;
  TextSink sink;
  VirtualClock virtual_clock(kNanosecondsPerSecond);
  RealClock real_clock;
  TestCalls calls(options.foreign);
  RuntimeOptions runtime_options;
  runtime_options.clock = options.real_time ? static_cast<Clock*>(&real_clock) : &virtual_clock;
  runtime_options.output = &sink;
  runtime_options.foreign = &calls;
  runtime_options.cores = 4;
  runtime_options.suspension = options.suspension;
  Runtime runtime(runtime_options);
  SessionStart start;
  start.program = program;
  start.limits = options.limits;
  uint32_t index = 0;
  EXPECT_NE(program->FindEntry("main", &index), nullptr);
  start.function = vm::Value::Function(index);
  const auto sid =
      options.take_up.empty() ? runtime.Start(std::move(start)) : runtime.TakeUp(std::move(start), options.take_up);
  EXPECT_TRUE(sid.ok()) << (sid.ok() ? "" : sid.failure().message);
  if (!sid.ok()) return ran;
  runtime.Run();
  ran.outcome = runtime.OutcomeOf(sid.value()).value();
  ran.output = sink.Kept();
  ran.virtual_seconds = static_cast<double>(virtual_clock.NowUnixNs() - kNanosecondsPerSecond) / 1e9;
  ran.moved = runtime.moved();
  return ran;
}

}  // namespace teal::runtime

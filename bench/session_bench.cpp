// Memory of parked threads: 100,000 of them in one session, at most 1 KiB each with everything the runtime keeps of
// them (machine state, records, futures, timers). The answer that is checked: each of them ran until it parked.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <string>

#include "core/lang/compiler.h"
#include "core/runtime/runtime.h"

namespace teal::runtime {
namespace {

constexpr uint32_t kThreads = 100'000;
constexpr double kBytesEachMax = 1024;

// Waits for an event in a function that has something to keep.
constexpr const char* kEvents = R"(
fn parked(n) {
  place = n * 2
  print(place)
  got = await event("go")
  [got, place]
}
fn main(count) {
  for n in range(count) { async parked(n) }
  await event("never")
}
)";

constexpr const char* kSleeps = R"(
fn parked(n) {
  place = n * 2
  print(place)
  sleep(1h)
  place
}
fn main(count) {
  for n in range(count) { async parked(n) }
  sleep(1h)
}
)";

size_t BytesInUse() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// The runtime flushes its output before it waits: then every thread is parked. Ends the sessions there.
class IdleSink : public OutputSink {
 public:
  void Write(std::string_view, std::string_view, std::string_view) override { ++writes_; }
  void Flush() override {
    if (runtime_ == nullptr) return;
    bytes_ = BytesInUse();
    runtime_->EndAll();
    runtime_ = nullptr;
  }
  void Watch(Runtime* runtime) { runtime_ = runtime; }
  size_t bytes() const { return bytes_; }
  uint32_t writes() const { return writes_; }

 private:
  Runtime* runtime_ = nullptr;
  size_t bytes_ = 0;
  uint32_t writes_ = 0;
};

void Parked(benchmark::State& state, const char* text) {
  const lang::CompileOutput compiled = lang::CompileText("parked.tl", text, {});
  if (!compiled.ok()) return state.SkipWithError("the program does not compile");
  const std::shared_ptr<const vm::Program> program = vm::Program::Load(compiled.executable).value();
  uint32_t main = 0;
  if (program->FindEntry("main", &main) == nullptr) return state.SkipWithError("no main");
  double bytes_each = 0;
  for ([[maybe_unused]] auto _ : state) {
    RealClock clock;
    IdleSink sink;
    RuntimeOptions options;
    options.clock = &clock;
    options.output = &sink;
    Runtime runtime(options);
    const size_t before = BytesInUse();
    SessionStart start;
    start.program = program;
    start.function = vm::Value::Function(main);
    start.arguments = {vm::Value::Int(kThreads)};
    start.limits.living_threads = 2 * kThreads;
    start.limits.steps = 10 * uint64_t{kThreads};
    const std::string sid = runtime.Start(std::move(start)).value();
    sink.Watch(&runtime);
    runtime.Run();
    bytes_each = static_cast<double>(sink.bytes() - before) / kThreads;
    const SessionOutcome outcome = runtime.OutcomeOf(sid).value();
    if (outcome.status != SessionStatus::kCancelled || sink.writes() != kThreads) {
      return state.SkipWithError("the threads did not stay parked");
    }
  }
  state.counters["bytes_each"] = bytes_each;
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * kThreads);
  if (bytes_each > kBytesEachMax) {
    const std::string wrong = "a parked thread takes " + std::to_string(bytes_each) + " bytes, more than 1 KiB";
    state.SkipWithError(wrong.c_str());
  }
}

BENCHMARK_CAPTURE(Parked, event, kEvents)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Parked, sleep, kSleeps)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace teal::runtime

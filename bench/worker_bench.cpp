// Calls of Python functions through one worker process: alone, and with 64 in flight; beside the bare round trip of
// bytes to a Python process over a socket pair.
#include <benchmark/benchmark.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/runtime/worker_pool.h"
#include "core/runtime/worker_process.h"

extern char** environ;

namespace teal::runtime {
namespace {

constexpr const char* kPython = R"(
import teal
def step(x):
    print("step", x)
    return x + len(teal.context().key)
def echo(x):
    return x
)";

// Counts what is printed: each call of `step` must have printed its line.
class Counter : public WorkerEvents {
 public:
  void OnOutput(uint64_t, int, std::string_view text) override { printed += text.size(); }
  void OnHeartbeat(uint64_t, std::string_view) override {}
  void OnLog(uint64_t, std::string_view, std::string_view, std::string_view) override {}
  void OnStrayOutput(int, std::string_view text) override { std::fwrite(text.data(), 1, text.size(), stderr); }
  std::atomic<uint64_t> printed = 0;
};

class OneWorker {
 public:
  OneWorker() {
    std::string name = (std::filesystem::temp_directory_path() / "teal-bench-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    std::ofstream(folder_ + "/steps.py") << kPython;
    WorkerPoolOptions options;
    options.project_folder = folder_;
    options.modules = {{"steps", {"step", "echo"}}};
    options.processes_max = 1;
    for (char** e = environ; *e != nullptr; e++) options.environment.emplace_back(*e);
    pool = std::make_unique<WorkerPool>(options, &counter);
    if (Result<WorkerLoadReport> report = pool->Load(); !report || !report->failures.empty()) std::abort();
  }
  ~OneWorker() {
    pool.reset();
    std::filesystem::remove_all(folder_);
  }

  // The key is "01HZX3V5/t-17/1234567": 21 characters.
  void Call(uint32_t function, int64_t x, std::function<void(CallOutcome&&)> done) {
    CallRequest request;
    request.function = function;
    MarshalWriter w(&request.arguments);
    w.ListHead(1);
    w.Int(x);
    request.context.session = "01HZX3V5";
    request.context.thread = "t-17";
    request.context.step = 1234567;
    request.timeout = std::chrono::seconds(30);
    request.done = std::move(done);
    pool->Call(std::move(request));
  }
  static void Check(const CallOutcome& outcome, int64_t expected) {
    int64_t value = 0;
    bool fits = false;
    MarshalReader r(outcome.payload);
    if (outcome.kind != CallOutcome::Kind::kValue || !r.Int(&value, &fits) || value != expected) std::abort();
  }

  Counter counter;
  std::unique_ptr<WorkerPool> pool;

 private:
  std::string folder_;
};

void BareRoundTrip(benchmark::State& state) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) std::abort();
  const pid_t child = fork();
  if (child == 0) {
    dup2(pair[1], 3);
    execlp(
        "python3", "python3", "-c",
        "import socket\ns = socket.socket(fileno=3)\nwhile True:\n d = s.recv(65536)\n if not d: break\n s.sendall(d)",
        nullptr);
    _exit(1);
  }
  close(pair[1]);
  char bytes[100] = {};
  const auto there_and_back = [&] {
    if (write(pair[0], bytes, sizeof bytes) != sizeof bytes || read(pair[0], bytes, sizeof bytes) <= 0) std::abort();
  };
  there_and_back();  // the interpreter has started
  for (auto _ : state) there_and_back();
  close(pair[0]);
}
BENCHMARK(BareRoundTrip)->UseRealTime();

void OneCallAlone(benchmark::State& state) {
  OneWorker worker;
  const auto function = static_cast<uint32_t>(state.range(0));
  std::atomic<int> done = 0;
  int64_t i = 0;
  for (auto _ : state) {
    done = 0;
    const int64_t x = ++i;
    worker.Call(function, x, [&, x](CallOutcome&& outcome) {
      OneWorker::Check(outcome, function == 0 ? x + 21 : x);
      done = 1;
      done.notify_one();
    });
    done.wait(0);
  }
  state.SetLabel(function == 0 ? "print, context, key" : "nothing but the call");
}
BENCHMARK(OneCallAlone)->Arg(0)->Arg(1)->UseRealTime();

// 64 threads of a program, each of which makes its next call when its last has ended.
void SixtyFourInFlight(benchmark::State& state) {
  OneWorker worker;
  constexpr int kThreads = 64;
  constexpr int kCalls = 64'000;
  for (auto _ : state) {
    worker.counter.printed = 0;
    std::atomic<int> left = kCalls, ended = 0, all_ended = 0;
    std::function<void()> next = [&] {
      const int x = left.fetch_sub(1);
      if (x <= 0) return;
      worker.Call(0, 100'000 + x, [&, x](CallOutcome&& outcome) {
        OneWorker::Check(outcome, 100'021 + x);
        next();
        if (++ended < kCalls) return;
        all_ended = 1;
        all_ended.notify_one();
      });
    };
    for (int i = 0; i < kThreads; i++) next();
    all_ended.wait(0);
    if (worker.counter.printed != kCalls * sizeof("step 100000")) std::abort();
  }
  state.SetItemsProcessed(state.iterations() * kCalls);
}
BENCHMARK(SixtyFourInFlight)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace teal::runtime

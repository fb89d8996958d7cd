// Checkpoint and resume of a small thread, and the memory of parked ones.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/lang/compiler.h"
#include "core/vm/checkpoint.h"
#include "core/vm/program.h"
#include "core/vm/thread.h"

namespace {

using teal::vm::Program;
using teal::vm::RunState;
using teal::vm::Thread;
using teal::vm::Value;

// An idle pipeline: two frames, a handful of small variables, waiting for an event.
constexpr char kPipeline[] = R"(
fn handle(order) {
  customer = order.customer
  total = order.price * order.count
  answer = await event("approved")
  {"customer": customer, "total": total, "answer": answer}
}
fn main(id, place) {
  result = handle({"customer": id, "price": 12.5, "count": 3})
  f"{place}: {result.total}"
}
)";

std::shared_ptr<const Program> Compile(const char* text) {
  auto output = teal::lang::CompileText("pipeline.tl", text);
  auto program = Program::Load(output.executable);
  if (!program.ok()) {
    std::fprintf(stderr, "%s\n", program.failure().message.c_str());
    std::abort();
  }
  return program.value();
}

std::unique_ptr<Thread> Parked(const std::shared_ptr<const Program>& program) {
  uint32_t main = 0;
  program->FindEntry("main", &main);
  std::vector<Value> arguments;
  arguments.push_back(Value::FromText("customer-17"));
  arguments.push_back(Value::FromText("Lisbon"));
  auto thread = std::make_unique<Thread>(program, "0", Value::Function(main), std::move(arguments));
  if (thread->Run(1000000) != RunState::kRequest) std::abort();
  // event("approved") was asked for; give it a future, which main then awaits.
  thread->Resolve(teal::vm::MakeFuture(teal::vm::FutureKind::kEvent, Value::FromText("0"), thread->TakeStep(), 0,
                                       Value::FromText("approved"), Value()));
  if (thread->Run(1000000) != RunState::kRequest) std::abort();
  return thread;
}

void CheckpointAndResume(benchmark::State& state) {
  auto program = Compile(kPipeline);
  auto thread = Parked(program);
  size_t bytes = 0;
  for (auto _ : state) {
    auto checkpoint = teal::vm::WriteCheckpoint(*thread);
    if (!checkpoint.ok() || !checkpoint.value().segments.empty()) std::abort();
    bytes = checkpoint.value().state.size();
    auto back = teal::vm::ReadCheckpoint(checkpoint.value().state, program, nullptr);
    if (!back.ok()) std::abort();
    thread = std::move(back).value();
  }
  // The answer is checked: the thread that went through all of it still ends rightly.
  thread->Resolve(Value::Bool(true));
  if (thread->Run(1000000) != RunState::kDone || thread->result().Text() != "Lisbon: 37.5") std::abort();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(CheckpointAndResume);

void ParkedThreads(benchmark::State& state) {
  auto program = Compile(kPipeline);
  constexpr size_t kThreads = 100000;
  double bytes_each = 0;
  for (auto _ : state) {
    size_t before = mallinfo2().uordblks;
    std::vector<std::unique_ptr<Thread>> threads;
    threads.reserve(kThreads);
    for (size_t i = 0; i < kThreads; i++) {
      threads.push_back(Parked(program));
      threads.back()->Shrink();
    }
    bytes_each = static_cast<double>(mallinfo2().uordblks - before) / kThreads;
  }
  state.counters["bytes_each"] = bytes_each;
}
BENCHMARK(ParkedThreads)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace

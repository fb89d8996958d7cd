// Verifier and machine over any bytes: what Load accepts runs for a while without a crash, whatever it does, and can be
// written down and read back wherever it stops.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/vm/checkpoint.h"
#include "core/vm/program.h"
#include "core/vm/thread.h"
#include "core/vm/value_walk.h"

using teal::vm::RunState;
using teal::vm::Thread;
using teal::vm::Value;

// ASan looks at the whole text each time a part of it is searched: a million replacements in one would take minutes.
extern "C" const char* __asan_default_options() {
  return "intercept_memmem=0";
}

namespace {

// Work of one input (allocated_bytes), so that none takes the time of all. An operation adds 64 MiB or so at most.
constexpr uint64_t kInputWorkMax = uint64_t{256} << 20;

// At most 200 instructions.
RunState RunSome(Thread& thread, uint64_t begun) {
  RunState state = RunState::kBudget;
  for (int i = 0; i < 20 && state == RunState::kBudget && teal::vm::allocated_bytes - begun < kInputWorkMax; ++i) {
    state = thread.Run(10);
  }
  return state;
}

// Any answer must do: the machine may not rely on what the host gives.
Value AnswerFor(uint32_t turn) {
  switch (turn % 5) {
    case 0:
      return Value();
    case 1:
      return Value::Int(static_cast<int64_t>(turn) - 3);
    case 2:
      return Value::FromText("text");
    case 3:
      return teal::vm::MakeList();
    default:
      return Value::Float(0.5);
  }
}

std::unique_ptr<Thread> WrittenAndRead(Thread& thread, std::shared_ptr<const teal::vm::Program> program) {
  auto checkpoint = teal::vm::WriteCheckpoint(thread);
  if (!checkpoint.ok()) return nullptr;  // too large is allowed
  std::unordered_map<std::string, std::string> segments;
  for (auto& segment : checkpoint.value().segments) segments[teal::Hex(segment.hash)] = segment.bytes;
  auto source = [&](const teal::Sha256& hash) -> teal::Result<std::string> { return segments.at(teal::Hex(hash)); };
  auto back = teal::vm::ReadCheckpoint(checkpoint.value().state, std::move(program), source);
  if (!back.ok()) abort();
  auto again = teal::vm::WriteCheckpoint(**back);
  if (!again.ok() || again.value().state != checkpoint.value().state) abort();
  return std::move(back).value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto loaded = teal::vm::Program::Load(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!loaded.ok()) {
    if (loaded.failure().message.empty()) abort();
    return 0;
  }
  auto program = loaded.value();
  const uint64_t begun = teal::vm::allocated_bytes;
  for (std::string_view name : program->EntryNames()) {
    uint32_t index = 0;
    const teal::vm::Function* function = program->FindEntry(name, &index);
    std::vector<Value> arguments(function->parameters.size());
    auto thread = std::make_unique<Thread>(program, "0", Value::Function(index), std::move(arguments));
    bool moved = false;
    for (uint32_t turn = 0; turn < 30; turn++) {
      if (teal::vm::allocated_bytes - begun >= kInputWorkMax) return 0;
      RunState state = RunSome(*thread, begun);
      if (state == RunState::kDone || state == RunState::kFailed) break;
      if (!moved && turn == 3) {
        auto back = WrittenAndRead(*thread, program);
        if (back == nullptr) break;
        thread = std::move(back);
        moved = true;
        if (state == RunState::kRequest && thread->state() != RunState::kRequest) abort();
      }
      if (state != RunState::kRequest) continue;
      if (turn % 7 == 6) {
        thread->Raise(teal::vm::MakeError("type", "made by the fuzzer"));
      } else {
        thread->Resolve(AnswerFor(turn));
      }
    }
  }
  return 0;
}

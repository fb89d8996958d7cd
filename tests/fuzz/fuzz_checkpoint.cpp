// The decoder of checkpoints and values over any bytes: a named failure, or a thread that writes down as the same
// bytes. The check at the end of every checkpoint would stop all but one input in 2^32, so the target puts the right
// one there.
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "core/lang/compiler.h"
#include "core/vm/checkpoint.h"
#include "core/vm/checkpoint_crc.h"
#include "core/vm/program.h"
#include "core/vm/thread.h"

namespace {

constexpr char kProgram[] = R"(
fn inner(xs, h) { r = await event("go"); try { h.a + length(xs) } catch e { e.kind } }
fn main() {
  total = 1.5
  f = fn(x) { x + total }
  y = inner([1, "two", :three, f], {"a": 1})
  f(y)
}
)";

std::shared_ptr<const teal::vm::Program> TheProgram() {
  static const auto program = [] {
    auto output = teal::lang::CompileText("fuzz.tl", kProgram);
    auto loaded = teal::vm::Program::Load(output.executable);
    if (!loaded.ok()) abort();
    return loaded.value();
  }();
  return program;
}

// The bytes with the check that belongs to them: field 15, four bytes, little-endian.
std::string Checked(std::string_view bytes) {
  std::string checked(bytes);
  uint32_t crc = teal::vm::Crc32c(bytes);
  checked.push_back('\x7d');
  for (int shift = 0; shift < 32; shift += 8) checked.push_back(static_cast<char>(crc >> shift));
  return checked;
}

constexpr size_t kCheckBytes = 5;

void WriteSeed(const std::string& folder, const char* name, std::string_view checked) {
  std::ofstream out(folder + "/" + name, std::ios::binary);
  out << checked.substr(0, checked.size() - kCheckBytes);
}

}  // namespace

// With TEAL_FUZZ_SEEDS=FOLDER: writes checkpoints of a real thread there, as the compiler of today makes it.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* folder = std::getenv("TEAL_FUZZ_SEEDS");
  if (folder == nullptr) return 0;
  uint32_t main = 0;
  TheProgram()->FindEntry("main", &main);
  teal::vm::Thread thread(TheProgram(), "0.3", teal::vm::Value::Function(main), {});
  for (int turn = 0; turn < 3 && thread.Run(1000) == teal::vm::RunState::kRequest; turn++) {
    auto checkpoint = teal::vm::WriteCheckpoint(thread);
    if (!checkpoint.ok()) abort();
    WriteSeed(folder, ("thread" + std::to_string(turn)).c_str(), checkpoint.value().state);
    thread.Resolve(turn == 0
                       ? teal::vm::MakeFuture(teal::vm::FutureKind::kEvent, teal::vm::Value::FromText("0.3"),
                                              thread.TakeStep(), 0, teal::vm::Value::FromText("go"), teal::vm::Value())
                       : teal::vm::Value::Bool(true));
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes = Checked(std::string_view(reinterpret_cast<const char*>(data), size));
  auto none = [](const teal::Sha256&) -> teal::Result<std::string> {
    return teal::Fail(teal::FailureCode::kNotFound, "no such segment");
  };
  auto thread = teal::vm::ReadCheckpoint(bytes, TheProgram(), none);
  if (thread.ok()) {
    auto again = teal::vm::WriteCheckpoint(**thread);
    if (!again.ok() || again.value().state != bytes) abort();
  } else if (thread.failure().message.empty()) {
    abort();
  }
  (void)teal::vm::ProgramOfCheckpoint(bytes);
  auto value = teal::vm::DecodeValue(bytes, TheProgram().get());
  if (value.ok()) {
    auto again = teal::vm::EncodeValue(value.value());
    if (!again.ok() || again.value() != bytes) abort();
  }
  return 0;
}

// Lexer, parser, checker, compiler and formatter over any text: no crash, no endless loop; what compiles loads, and
// means the same after formatting.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/lang/compiler.h"
#include "core/lang/format.h"
#include "core/lang/parser.h"
#include "core/vm/program.h"
#include "core/vm/value.h"

namespace {

teal::lang::CompileOutput Compile(std::string_view text) {
  teal::lang::CompileOptions options;
  options.check_python_files = false;
  return teal::lang::CompileText("fuzz.tl", std::string(text), options);
}

void FormatKeepsTheMeaning(std::string_view text, const std::string& executable) {
  teal::lang::SourceFile file("fuzz.tl", std::string(text));
  teal::lang::Diagnostics diagnostics;
  auto module = teal::lang::Parse(file, diagnostics);
  if (diagnostics.HasErrors()) abort();  // it compiled
  std::string formatted = teal::lang::Format(*module);
  auto again = Compile(formatted);
  if (!again.ok()) abort();
  auto before = teal::vm::WithoutPositions(executable);
  auto after = teal::vm::WithoutPositions(again.executable);
  if (!before.ok() || !after.ok() || before.value() != after.value()) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  // A program may read files it names; here it gets none.
  if (text.find("import") != std::string_view::npos && text.find('"') != std::string_view::npos) return -1;
  auto output = Compile(text);
  if (!output.ok()) {
    if (output.diagnostics.empty()) abort();
    return 0;
  }
  auto program = teal::vm::Program::Load(output.executable);
  if (!program.ok()) abort();
  FormatKeepsTheMeaning(text, output.executable);
  return 0;
}

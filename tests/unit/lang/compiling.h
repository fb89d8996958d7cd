// Compiles and runs programs in tests of the compiler.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "core/lang/compiler.h"
#include "core/vm/display.h"
#include "core/vm/program.h"
#include "core/vm/thread.h"

namespace teal::lang {

inline std::string Shown(const CompileOutput& output) {
  std::string text;
  for (const Diagnostic& diagnostic : output.diagnostics) text += RenderText(diagnostic, false);
  return text;
}

inline std::shared_ptr<const vm::Program> Loaded(const CompileOutput& output) {
  EXPECT_TRUE(output.ok()) << Shown(output);
  auto program = vm::Program::Load(output.executable);
  EXPECT_TRUE(program.ok()) << (program.ok() ? "" : program.failure().message);
  return program.ok() ? *program : nullptr;
}

// The value of main(), or "kind: message".
inline std::string ValueOf(const std::string& text, bool optimize = true) {
  CompileOptions options;
  options.optimize = optimize;
  const auto program = Loaded(CompileText("a.tl", text, options));
  if (program == nullptr) return "";
  uint32_t index = 0;
  if (program->FindEntry("main", &index) == nullptr) return "no main";
  vm::Thread thread(program, "t1", vm::Value::Function(index), {});
  vm::RunState state;
  while ((state = thread.Run(1u << 30)) == vm::RunState::kBudget) {
  }
  if (state == vm::RunState::kDone) return vm::SourceForm(thread.result());
  if (state == vm::RunState::kRequest) return "request";
  const auto* error = thread.result().As<vm::Error>();
  return std::string(error->kind.Text()) + ": " + std::string(error->message.Text());
}

}  // namespace teal::lang

// Runs assembled programs in tests.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/vm/thread.h"
#include "tests/unit/vm/assembler.h"

namespace teal::vm {

inline std::unique_ptr<Thread> Started(std::string_view text, std::vector<Value> arguments = {},
                                       std::string_view entry = "main") {
  auto program = Assembled(text);
  uint32_t index = 0;
  if (program->FindEntry(entry, &index) == nullptr) std::abort();
  return std::make_unique<Thread>(program, "t1", Value::Function(index), std::move(arguments));
}

// "42", or "kind: message" of the error, or "request".
inline std::string Outcome(Thread& thread, uint64_t budget = 1u << 30) {
  RunState state;
  while ((state = thread.Run(budget)) == RunState::kBudget) {
  }
  if (state == RunState::kRequest) return "request";
  if (state == RunState::kDone) return SourceForm(thread.result());
  const Error* error = thread.result().As<Error>();
  return std::string(error->kind.Text()) + ": " + std::string(error->message.Text());
}

inline std::string Answer(std::string_view text, uint64_t budget = 1u << 30) {
  auto thread = Started(text);
  return Outcome(*thread, budget);
}

}  // namespace teal::vm

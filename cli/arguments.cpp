#include "cli/arguments.h"

#include "core/vm/builtins.h"

namespace teal::cli {

using vm::Value;

Result<Value> ParseArgument(std::string word) {
  if (!word.empty() && word.front() == kVerbatim) word.erase(0, 1);
  if (!vm::IsValidUtf8(word)) return Fail(FailureCode::kInvalid, "it is not UTF-8");
  Value text = vm::MakeString(word);
  Value result;
  if (vm::PureBuiltinOf(vm::kBuiltin_json_decode)(&text, 1, &result)) return result;
  // Valid JSON that a program cannot hold is no string either.
  if (result.As<vm::Error>()->kind.Text() == "overflow") {
    return Fail(FailureCode::kInvalid, std::string(result.As<vm::Error>()->message.Text()));
  }
  return vm::MakeString(word);
}

}  // namespace teal::cli

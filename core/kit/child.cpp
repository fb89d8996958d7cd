#include "core/kit/child.h"

#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <string_view>
#include <typeinfo>

#include "core/kit/options.h"
#include "core/kit/subject.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

// The kit throws nothing, so an exception that nobody caught came out of the plugin.
[[noreturn]] void Uncaught() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) Fail("the plugin called std::terminate");
  int code = 0;
  char* name = abi::__cxa_demangle(type->name(), nullptr, nullptr, &code);
  const char* words = "";
  try {
    std::rethrow_exception(std::current_exception());
  } catch (const std::exception& e) {
    words = e.what();
  } catch (...) {
  }
  Fail("an exception left the plugin: ", name != nullptr ? name : type->name(), *words != '\0' ? ": " : "", words);
}

const char* Missing(Needs needs) {
  const Subject& subject = Tested();
  if (needs == Needs::kMemory && subject.memory == nullptr) return "no " TEAL_MEMORY_ID;
  if (needs == Needs::kThreads && subject.threads == nullptr) return "no " TEAL_THREADS_ID;
  if (needs == Needs::kTrigger && subject.trigger == nullptr) return "no " TEAL_TRIGGER_ID;
  if (needs == Needs::kTrigger && Given().trigger.empty()) return "no section given for it: --trigger F";
  return nullptr;
}

}  // namespace

int RunChild() {
  Board* board = MapBoard(Given().board);
  if (board == nullptr) return 2;
  SpeakTo(board);
  std::set_terminate(Uncaught);
  LoadSubject();
  if (Given().run_row == kLoadOnly) End(Result::kPassed, "");
  for (const Test& test : AllTests()) {
    if (Given().run_row != test.row) continue;
    if (const char* missing = Missing(test.needs)) NotOffered(missing);
    test.run();
    End(Result::kPassed, "");
  }
  Fail("there is no row ", Given().run_row);
}

}  // namespace teal::kit

#include "core/lang/check.h"

#include <cassert>
#include <filesystem>
#include <system_error>

#include "core/lang/check_attributes.h"
#include "core/lang/check_function.h"
#include "core/lang/check_python.h"
#include "core/lang/fold.h"

namespace teal::lang {

class UnitChecker {
 public:
  UnitChecker(Program& program, Unit& unit, bool syntax_errors)
      : program_(program), unit_(unit), checker_(program, unit, !syntax_errors) {}

  void Run() {
    auto function = unit_.functions.begin();
    for (const Item& item : unit_.tree->items) {
      if (program_.diagnostics->Full()) return;
      if (!item.attributes.empty()) CheckAttributes(program_, unit_, item);
      switch (item.kind) {
        case ItemKind::kFunction:
          // Skips the wrappers.
          while (function != unit_.functions.end() && (*function)->role != FunctionRole::kPlain) ++function;
          assert(function != unit_.functions.end() && (*function)->item == &item);
          checker_.Run(**function);
          ++function;
          break;
        case ItemKind::kConstant: {
          const auto found = unit_.globals.find(program_.names.Intern(item.name.text));
          if (found != unit_.globals.end() && found->second.item == &item) ConstantValue(program_, found->second);
          break;
        }
        case ItemKind::kImportForeign:
          Foreign(item);
          break;
        case ItemKind::kImportModule:
          break;
        case ItemKind::kStray:
          program_.diagnostics->Error(*unit_.file, item.span,
                                      "only imports, functions and `NAME = value` may stand at top level",
                                      "put it into a function: `fn main() { … }`");
          break;
      }
    }
  }

 private:
  void Foreign(const Item& item) {
    if (item.language != "python") {
      program_.diagnostics->Error(*unit_.file, item.language_span, "unknown language `" + item.language + "`",
                                  "write `:python`, or leave it out");
      return;
    }
    if (program_.options.check_python_files) CheckPythonModule(program_, unit_, item);
  }

  Program& program_;
  Unit& unit_;
  FunctionChecker checker_;
};

void CheckUnit(Program& program, Unit& unit, bool syntax_errors) {
  UnitChecker(program, unit, syntax_errors).Run();
}

}  // namespace teal::lang

#include "core/lang/check.h"

#include <algorithm>
#include <cassert>

#include "core/lang/check_attributes.h"
#include "core/lang/check_function.h"
#include "core/lang/check_python.h"
#include "core/lang/fold.h"

namespace teal::lang {

namespace {

bool HasError(const Unit& unit, Span span) {
  const uint32_t first = unit.file->At(span.begin).line;
  const uint32_t last = unit.file->At(span.end).line;
  const auto at = std::lower_bound(unit.error_lines.begin(), unit.error_lines.end(), first);
  return at != unit.error_lines.end() && *at <= last;
}

}  // namespace

class UnitChecker {
 public:
  UnitChecker(Program& program, Unit& unit, bool report_unknown)
      : program_(program), unit_(unit), checker_(program, unit, report_unknown) {}

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
          if (unit_.error_lines.empty() || !HasError(unit_, item.span)) checker_.Run(**function);
          ++function;
          break;
        case ItemKind::kConstant: {
          if (!unit_.error_lines.empty() && HasError(unit_, item.span)) break;
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

bool HasLostItems(const Unit& unit) {
  return std::any_of(unit.error_lines.begin(), unit.error_lines.end(), [&](uint32_t line) {
    return std::none_of(unit.tree->items.begin(), unit.tree->items.end(), [&](const Item& item) {
      return item.kind != ItemKind::kStray && unit.file->At(item.span.begin).line <= line &&
             line <= unit.file->At(item.span.end).line;
    });
  });
}

void CheckUnit(Program& program, Unit& unit, bool report_unknown) {
  UnitChecker(program, unit, report_unknown).Run();
}

}  // namespace teal::lang

// What names at top level stand for: one program in the making.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/lang/ast.h"
#include "core/lang/compiler.h"
#include "core/lang/diagnostic.h"
#include "core/lang/link_constants.h"
#include "core/lang/scope.h"
#include "core/lang/scope_names.h"
#include "core/proto/executable.pb.h"
#include "core/vm/value.h"

namespace teal::lang {

enum class GlobalKind : uint8_t {
  kFunction,  // of this program or of the library
  kConstant,
  kForeign,
  kModule,
  kBuiltin,  // pure or answered by the runtime
  kApply,    // __apply(f, list) of the library: an instruction of its own
};

enum class ConstantState : uint8_t { kUnknown, kComputing, kKnown, kFailed };

struct Global {
  GlobalKind kind = GlobalKind::kFunction;
  Unit* unit = nullptr;  // where it is defined; null for builtins. kModule: the module meant
  const Item* item = nullptr;
  uint32_t index = 0;                   // kForeign: of the import; kBuiltin: its id
  FunctionScope* function = nullptr;    // kFunction: what callers call (the outermost wrapper)
  FunctionScope* short_form = nullptr;  // kFunction of the library: it as a value, made when first needed
  ConstantState state = ConstantState::kUnknown;
  vm::Value value;    // kConstant, when kKnown
  bool used = false;  // of the library: linked in
};

// One source file.
struct Unit {
  const SourceFile* file = nullptr;
  std::unique_ptr<Module> tree;
  uint32_t file_index = 0;  // in the executable's list of files
  bool library = false;
  std::vector<uint32_t> error_lines;  // of syntax errors, ascending
  std::unordered_map<NameId, Global> globals;
  std::vector<FunctionScope*> functions;  // top level, in order of the source, wrappers before what they wrap
};

struct ForeignImport {
  const Item* item;
  const Item::Foreign* foreign;
  Unit* unit;
};

struct Program {
  CompileOptions options;
  Diagnostics* diagnostics = nullptr;
  NameTable names;
  std::deque<Unit> units;  // main first, then in order of first import
  Unit library;
  std::unordered_map<NameId, Global> builtins;
  std::deque<FunctionScope> scopes;
  std::vector<ForeignImport> imports;
  ConstantPool constants;
  // Of computing the top level's constants: allocated_bytes - constants_begun is what they have taken; the second is
  // the reading when the last one was done.
  uint64_t constants_begun = 0, constants_seen = 0;
  std::vector<FunctionScope*> linked;  // in the order of the executable

  const Global* raise = nullptr;  // of the library; calls of it are an instruction of their own
};

// Declares the builtins and the library's functions. Before any DeclareUnit.
void DeclareBuiltins(Program& program);
// Declares imports, functions and constants of a parsed unit and collects the scopes of its functions; reports
// duplicates. `modules`: for each kImportModule item, in order, the unit it names, or null where it could not be
// loaded.
void DeclareUnit(Program& program, Unit& unit, const std::vector<Unit*>& modules);

// What `name` means in `unit` when no local hides it; null: nothing.
Global* FindGlobal(Program& program, Unit& unit, NameId name);
// m.f where m is no local: what it means; null: `object` is no module name, or the module has no such member.
// *module is set when `object` names a module.
Global* FindMember(Program& program, Unit& unit, const FieldExpr& field, Unit** module);

// A parameter of the library that may be left out is written with a `?` at its end.
bool IsOptional(const FunctionScope& function, size_t parameter, const NameTable& names);
size_t RequiredParameters(const FunctionScope& function, const NameTable& names);
// The index of a parameter by its name as keyword; parameters.size(): none.
size_t FindParameter(const FunctionScope& function, std::string_view keyword, const NameTable& names);
// The function that stands for a library function used as a value.
FunctionScope* ValueForm(Program& program, Global& global);

// The nearest of `candidates` to `name` (edit distance, at most a third of its length), or empty.
std::string_view Nearest(std::string_view name, const std::vector<std::string_view>& candidates);

}  // namespace teal::lang

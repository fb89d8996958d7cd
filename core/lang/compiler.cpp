#include "core/lang/compiler.h"

#include <algorithm>
#include <cassert>
#include <filesystem>

#include "core/lang/check.h"
#include "core/lang/library.h"
#include "core/lang/link.h"
#include "core/lang/module_loader.h"
#include "core/lang/parser.h"
#include "core/lang/resolve.h"

namespace teal::lang {
namespace {

// Parses and declares the library. It has no errors: the tests compile all of it.
void AddLibrary(Program& program, const SourceFile& file) {
  Diagnostics none;
  program.library.file = &file;
  program.library.library = true;
  program.library.tree = Parse(file, none);
  assert(!none.HasErrors());
  DeclareUnit(program, program.library, {});
  const auto raise = program.library.globals.find(program.names.Intern("raise"));
  assert(raise != program.library.globals.end());
  program.raise = &raise->second;
}

// Checks the library's functions that the program uses, and those that they use.
void CheckLibrary(Program& program) {
  const auto need = [&](std::string_view name) { program.library.globals.at(program.names.Intern(name)).used = true; };
  for (const FunctionScope& scope : program.scopes) {
    if (scope.role == FunctionRole::kRetry) need("__retry");
  }
  std::vector<bool> checked(program.library.functions.size(), false);
  for (bool again = true; again;) {
    again = false;
    for (size_t i = 0; i < checked.size(); ++i) {
      FunctionScope* function = program.library.functions[i];
      const NameId name = program.names.Intern(function->item->name.text);
      if (checked[i] || !program.library.globals.at(name).used) continue;
      checked[i] = true;
      again = true;
      CheckFunction(program, *function);
    }
  }
}

void Compile(std::vector<LoadedModule> modules, Diagnostics& diagnostics, const CompileOptions& options,
             std::string* executable) {
  Program program;
  program.options = options;
  program.diagnostics = &diagnostics;
  const SourceFile library_file("library", std::string(kLibraryText));
  DeclareBuiltins(program);
  AddLibrary(program, library_file);
  for (LoadedModule& module : modules) {
    Unit& unit = program.units.emplace_back();
    unit.file = module.file;
    unit.tree = std::move(module.tree);
    unit.file_index = static_cast<uint32_t>(program.units.size() - 1);
    unit.error_lines = std::move(module.error_lines);
  }
  program.library.file_index = static_cast<uint32_t>(program.units.size());
  for (size_t i = 0; i < modules.size(); ++i) {
    std::vector<Unit*> named;
    for (const int index : modules[i].imports) {
      named.push_back(index < 0 ? nullptr : &program.units[static_cast<size_t>(index)]);
    }
    DeclareUnit(program, program.units[i], named);
  }
  // An item lost in one module may be what another one looks for.
  const bool lost = std::any_of(program.units.begin(), program.units.end(), HasLostItems);
  for (Unit& unit : program.units) {
    if (!diagnostics.Full()) CheckUnit(program, unit, !lost);
  }
  if (diagnostics.HasErrors()) return;
  CheckLibrary(program);
  OrderFunctions(program);
  *executable = LinkExecutable(program);
  if (diagnostics.HasErrors()) executable->clear();
}

CompileOutput Finish(std::vector<LoadedModule> modules, const std::string& main, CompileOptions options,
                     Diagnostics& diagnostics, CompileOutput output) {
  if (options.project_folder.empty()) options.project_folder = std::filesystem::path(main).parent_path().string();
  if (!modules.empty()) Compile(std::move(modules), diagnostics, options, &output.executable);
  output.diagnostics = diagnostics.Take();
  return output;
}

}  // namespace

CompileOutput CompileFile(const std::string& path, const CompileOptions& options) {
  CompileOutput output;
  Diagnostics diagnostics;
  std::vector<LoadedModule> modules = ModuleLoader(diagnostics, output.files).LoadFile(path);
  return Finish(std::move(modules), path, options, diagnostics, std::move(output));
}

CompileOutput CompileText(const std::string& name, std::string text, const CompileOptions& options) {
  CompileOutput output;
  Diagnostics diagnostics;
  std::vector<LoadedModule> modules = ModuleLoader(diagnostics, output.files).LoadText(name, std::move(text));
  return Finish(std::move(modules), name, options, diagnostics, std::move(output));
}

}  // namespace teal::lang

// teal asm and teal ast: what the compiler makes of a program.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/source.h"
#include "core/lang/format.h"

namespace teal::cli {
namespace {

void Show(const Globals& globals, const char* key, const std::string& file, const std::string& text) {
  if (globals.json) {
    WriteAll(STDOUT_FILENO,
             "{\"file\":" + ToJson(vm::MakeString(file)) + ",\"" + key + "\":" + ToJson(vm::MakeString(text)) + "}\n");
  } else {
    WriteAll(STDOUT_FILENO, text);
  }
}

std::string_view LineOf(void* ctx, uint32_t file, uint32_t line) {
  const auto* compiled = static_cast<const lang::CompileOutput*>(ctx);
  return file < compiled->files.size() ? compiled->files[file]->Line(line) : std::string_view();
}

int Asm(const Globals& globals, const std::string& file, bool optimize) {
  LoadedProgram loaded;
  if (const int code = LoadProgram(globals, file, &loaded, optimize); code != kExitDone) return code;
  Show(globals, "listing", file, vm::Listing(*loaded.program, LineOf, &loaded.compiled));
  return kExitDone;
}

int Ast(const Globals& globals, const std::string& file) {
  std::optional<std::string> text = ReadSource(globals, file);
  if (!text) return kExitUsage;
  const std::optional<ParsedSource> parsed = ParseSource(globals, file == "-" ? "<stdin>" : file, std::move(*text));
  if (!parsed) return kExitUsage;
  Show(globals, "tree", file, lang::DumpTree(*parsed->module));
  return kExitDone;
}

}  // namespace

Command AddAsm(CLI::App& app, const Globals& globals) {
  auto file = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("asm", "show a program's bytecode beside its lines");
  command->footer("Example: teal asm service.tl");
  command->add_option("FILE", *file, "the program")->required();
  auto no_optimize = std::make_shared<bool>(false);
  command->add_flag("--no-optimize", *no_optimize, "")->group("");
  return [file, no_optimize, &globals] { return Asm(globals, *file, !*no_optimize); };
}

Command AddAst(CLI::App& app, const Globals& globals) {
  auto file = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("ast", "show a program's syntax tree");
  command->footer("Example: teal ast service.tl");
  command->add_option("FILE", *file, "the program, or -")->required();
  return [file, &globals] { return Ast(globals, *file); };
}

}  // namespace teal::cli

// teal check: diagnostics of programs, without running them.
#include <malloc.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/program.h"

namespace teal::cli {
namespace {

int Check(const Globals& globals, const std::vector<std::string>& files) {
#if defined(__GLIBC__)
  // Trees are many small blocks, freed together: gathering them first only to merge them later takes a fifth of the
  // time of a large program.
  mallopt(M_MXFAST, 0);
#endif
  int code = kExitDone;
  for (const std::string& file : files) {
    runtime::ProjectConfig config;
    if (!LoadConfig(globals, file, &config)) return kExitUsage;
    lang::CompileOptions options;
    options.project_folder = config.folder;
    const lang::CompileOutput compiled = lang::CompileFile(file, options);
    PrintDiagnostics(globals, compiled.diagnostics);
    if (!compiled.ok()) code = kExitUsage;
  }
  return code;
}

}  // namespace

Command AddCheck(CLI::App& app, const Globals& globals) {
  auto files = std::make_shared<std::vector<std::string>>();
  CLI::App* check = app.add_subcommand("check", "tell what is wrong with programs");
  check->footer("Example: teal check service.tl");
  check->add_option("FILE", *files, "the programs")->required();
  return [files, &globals] { return Check(globals, *files); };
}

}  // namespace teal::cli

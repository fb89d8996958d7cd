#include "cli/run_flags.h"

#include <CLI/CLI.hpp>

namespace teal::cli {

CLI::App* AddRunCommand(CLI::App& app, RunFlags* flags) {
  CLI::App* run = app.add_subcommand("run", "run a program in this process");
  run->footer(
      "Example: teal run service.tl -f greet '\"Ada\"'\nARG… are JSON where they parse as JSON, else strings.\n"
      "With --memory local the session is kept in .teal/data: after a crash, teal run --resume SID goes on with it.");
  run->add_option("FILE", flags->file, "the program");
  run->add_option("ARG", flags->arguments, "arguments of the function");
  run->add_option("-f,--function", flags->function, "the function to run; main if left out");
  run->add_option("--memory", flags->memory, "the plugin that keeps the session, as local; none if left out");
  run->add_option("--memory-config", flags->memory_config,
                  "a JSON file with the plugin's configuration; teal plugin info NAME shows its keys");
  run->add_option("--resume", flags->resume, "go on with this session, kept by --memory");
  run->add_option("--move-from", flags->move_from, "")->group("");
  run->add_flag("--no-optimize", flags->no_optimize, "")->group("");
  return run;
}

}  // namespace teal::cli

// teal-serve: the commands that start a host or ask one. `teal` hands its command line over to it.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/command_line.h"
#include "cli/globals.h"
#include "cli/host_flags.h"
#include "cli/serve/backup.h"
#include "cli/serve/client.h"
#include "cli/serve/doctor_command.h"
#include "cli/serve/keys_command.h"
#include "cli/serve/run_command.h"
#include "cli/serve/serve_command.h"
#include "cli/serve/versions_command.h"

namespace teal::cli {
namespace {

// KeepFromCli11 marks words that only some commands take apart themselves.
void Unmark(std::string* word) {
  if (!word->empty() && word->front() == kVerbatim) word->erase(0, 1);
}

int Main(std::vector<std::string> words) {
  Globals globals;
  HostFlags flags;
  CLI::App app("The part of teal that serves sessions and asks hosts.", "teal");
  app.require_subcommand(1);
  app.fallthrough();
  AddGlobalFlags(app, &globals);
  AddHostCommands(app, &flags);
  RunFlags run_flags;
  AddRunCommand(app, &run_flags);
  KeepFromCli11(&words);
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    app.parse(reversed);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    ReportError(globals, e.what(), "see teal --help");
    return kExitUsage;
  }
  for (std::string* word :
       {&flags.sid, &flags.event, &flags.function, &flags.file, &flags.name, &flags.id, &flags.from, &flags.hash})
    Unmark(word);
  CLI::App* const chosen = app.get_subcommands().front();
  if (chosen->get_name() == "run") {
    Unmark(&run_flags.file);
    return RunKept(globals, run_flags);
  }
  if (chosen->get_name() == "doctor") return Doctor(globals, flags);
  if (chosen->get_name() == "backup") return Backup(globals, flags);
  if (chosen->get_name() == "restore") return Restore(globals, flags);
  if (chosen->get_name() == "dead") flags.action = chosen->get_subcommands().front()->get_name();
  if (chosen->get_name() == "serve") return Serve(globals, flags, false);
  if (chosen->get_name() == "dev") return Serve(globals, flags, true);
  if (chosen->get_name() == "versions") {
    const std::vector<CLI::App*> parts = chosen->get_subcommands();
    return Versions(globals, flags, parts.empty() ? "list" : parts.front()->get_name());
  }
  if (chosen->get_name() == "keys") return Keys(globals, flags, chosen->get_subcommands().front()->get_name());
  return AskHost(globals, flags, chosen->get_name());
}

}  // namespace
}  // namespace teal::cli

int main(int argc, char** argv) {
  try {
    return teal::cli::Main({argv + 1, argv + argc});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "teal: error: %s\n", e.what());
    return teal::cli::kExitUsage;
  }
}

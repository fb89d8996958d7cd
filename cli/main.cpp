// The `teal` command: chooses the command, parses its flags, and turns what comes of it into an exit code.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/globals.h"
#include "cli/host_flags.h"
#include "cli/version.h"

namespace teal::cli {
namespace {

constexpr const char* kCommands[] = {"run", "check",    "fmt",   "asm",  "ast",    "test",      "validate",
                                     "new", "schedule", "event", "emit", "plugin", "completion"};

bool IsProgramFile(const std::string& word) {
  const auto ends = [&](const char* suffix) {
    const std::string s(suffix);
    return word.size() > s.size() && word.compare(word.size() - s.size(), s.size(), s) == 0;
  };
  return ends(".tl") || ends(".hk");
}

bool TakesValue(const std::string& flag) {
  return flag == "--color" || flag == "--project" || flag == "--backend" || flag == "--stage" || flag == "--key" ||
         flag == "--plugin";
}

// `teal FILE.tl …` is `teal run FILE.tl …`.
std::vector<std::string> WithRun(std::vector<std::string> words) {
  for (size_t i = 0; i < words.size(); ++i) {
    if (TakesValue(words[i]))
      ++i;
    else if (words[i].empty() || words[i][0] != '-') {
      if (IsProgramFile(words[i])) words.insert(words.begin() + static_cast<std::ptrdiff_t>(i), "run");
      break;
    }
  }
  return words;
}

int Main(std::vector<std::string> words) {
  Globals globals;
  CLI::App app("Teal: small programs whose threads wait anywhere, for any time.", "teal");
  app.set_version_flag("--version", std::string("teal ") + kTealVersion, "print the version and exit");
  app.footer("Example: teal run service.tl\n`teal FILE.tl [ARG…]` is `teal run FILE.tl [ARG…]`.");
  app.require_subcommand(0, 1);
  app.fallthrough();
  AddGlobalFlags(app, &globals);

  const std::vector<Command> commands = {
      AddRun(app, globals),        AddCheck(app, globals), AddFmt(app, globals),      AddAsm(app, globals),
      AddAst(app, globals),        AddTest(app, globals),  AddValidate(app, globals), AddNew(app, globals),
      AddSchedule(app, globals),   AddEvent(app, globals), AddEmit(app, globals),     AddPlugin(app, globals),
      AddCompletion(app, globals),
  };
  static_assert(sizeof kCommands / sizeof *kCommands == 13);
  HostFlags host_flags;
  AddHostCommands(app, &host_flags);

  words = WithRun(std::move(words));
  globals.typed = words;
  KeepFromCli11(&words);
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    app.parse(reversed);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::string command = "teal";
    for (const CLI::App* chosen : app.get_subcommands()) command += " " + chosen->get_name();
    ReportError(globals, e.what(), "see " + command + " --help");
    return kExitUsage;
  }
  if (app.get_subcommands().empty()) {
    std::fputs(app.help().c_str(), stdout);
    return kExitUsage;
  }
  if (globals.backend != "local") {
    ReportError(globals, "there is no backend \"" + globals.backend + "\" in this version",
                "leave --backend out, or say --backend local");
    return kExitUsage;
  }
  const std::string chosen = app.get_subcommands().front()->get_name();
  if (IsHostCommand(chosen)) return RunBeside(globals, "teal-serve", globals.typed);
  for (size_t i = 0; i < commands.size(); ++i) {
    if (chosen == kCommands[i]) return commands[i]();
  }
  return kExitUsage;
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

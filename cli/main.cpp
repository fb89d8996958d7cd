// The `teal` command: chooses the command, parses its flags, and turns what comes of it into an exit code.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/globals.h"

namespace teal::cli {
namespace {

constexpr const char* kCommands[] = {"run", "check", "fmt", "asm", "ast", "test", "new", "plugin", "completion"};

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

// CLI11 reads lists out of words such as [1,2] and {}; an argument of a program must arrive as it was typed.
void KeepFromCli11(std::vector<std::string>* words) {
  for (std::string& word : *words) {
    const bool brackets = word.size() >= 2 && word.front() == '[' && word.back() == ']';
    if (brackets || word == "{}" || word == "%%") word.insert(word.begin(), kVerbatim);
  }
}

int Main(std::vector<std::string> words) {
  Globals globals;
  CLI::App app("Teal: small programs whose threads wait anywhere, for any time.", "teal");
  app.set_version_flag("--version", "teal 0.1.0", "print the version and exit");
  app.footer("Example: teal run service.tl\n`teal FILE.tl [ARG…]` is `teal run FILE.tl [ARG…]`.");
  app.require_subcommand(0, 1);
  app.fallthrough();
  app.add_flag("--json", globals.json, "only JSON on standard output, a line an answer");
  app.add_flag("-q,--quiet", globals.quiet, "no progress, no warnings");
  app.add_flag("-v,--verbose", globals.verbose, "tell more on standard error");
  app.add_option("--color", globals.color, "colours: auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  app.add_option("--project", globals.project, "the project's folder; else the nearest parent with a teal.yaml");
  app.add_option("--backend", globals.backend, "where the program runs: local");
  app.add_option("--stage", globals.stage, "the stage of a backend");
  app.add_option("--key", globals.key, "the key of a host");
  app.add_option("--plugin", globals.plugins, "a plugin to look at first: its manifest, library or folder")
      ->allow_extra_args(false);

  const std::vector<Command> commands = {
      AddRun(app, globals), AddCheck(app, globals),  AddFmt(app, globals),
      AddAsm(app, globals), AddAst(app, globals),    AddTest(app, globals),
      AddNew(app, globals), AddPlugin(app, globals), AddCompletion(app, globals),
  };
  static_assert(sizeof kCommands / sizeof *kCommands == 9);

  words = WithRun(std::move(words));
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

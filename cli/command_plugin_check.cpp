// teal plugin check: hands over to the conformance kit, a program of its own beside this one.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/command_plugin.h"
#include "core/host/file.h"

namespace teal::cli {
namespace {

int Check(const Globals& globals, std::vector<std::string> words) {
  const std::string kit = host::ExecutableFolder() + "/teal-plugin-check";
  words.insert(words.begin(), kit);
  if (globals.json) words.emplace_back("--json");
  std::vector<char*> arguments;
  for (std::string& word : words) {
    if (!word.empty() && word.front() == kVerbatim) word.erase(0, 1);
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  ::execv(kit.c_str(), arguments.data());
  ReportError(globals, kit + " cannot be run: " + host::ErrnoText(errno),
              "the conformance kit comes with teal; install it again");
  return kExitNotFound;
}

}  // namespace

Command AddPluginCheck(CLI::App& plugin, const Globals& globals) {
  CLI::App* const command = plugin.add_subcommand("check", "hold a plugin to the contract: the conformance kit");
  command->footer(
      "Example: teal plugin check build/mine.teal-plugin.json --config config.json\n"
      "What stands after PATH goes to the kit; its flags: teal-plugin-check --help");
  command->fallthrough(false);
  command->prefix_command();
  return [command, &globals] {
    std::vector<std::string> words = command->remaining();
    if (words.empty()) {
      ReportError(globals, "which plugin?", "see teal plugin check --help");
      return static_cast<int>(kExitUsage);
    }
    return Check(globals, std::move(words));
  };
}

}  // namespace teal::cli

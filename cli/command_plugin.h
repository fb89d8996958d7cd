// The parts of `teal plugin`, one for each of its subcommands.
#pragma once

#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/globals.h"
#include "core/host/search.h"

namespace teal::cli {

// Each adds its subcommand to `plugin`.
Command AddPluginList(CLI::App& plugin, const Globals& globals);
Command AddPluginInfo(CLI::App& plugin, const Globals& globals);
Command AddPluginTrust(CLI::App& plugin, const Globals& globals);
Command AddPluginCheck(CLI::App& plugin, const Globals& globals);
Command AddPluginNew(CLI::App& plugin, const Globals& globals);

// Where this command line looks for plugins.
std::vector<host::SearchPlace> PluginPlaces(const Globals& globals);
// What the user trusts. Nothing, after an error on stderr or stdout, if that cannot be told; *code is set then.
bool ReadTrust(const Globals& globals, host::TrustStore* trust, int* code);
// By path where `name` has a slash or the ending of a library or manifest, else by id.
Result<host::FoundPlugin> FindNamed(const Globals& globals, const std::string& name);
// Prints it, and gives the exit code that fits.
int Tell(const Globals& globals, const Failure& failure, bool refused = false);

}  // namespace teal::cli

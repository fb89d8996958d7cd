// What the two executables of the command share in reading a command line.
#pragma once

#include <string>
#include <vector>

#include "cli/globals.h"

namespace CLI {
class App;
}

namespace teal::cli {

// The flags of every command.
void AddGlobalFlags(CLI::App& app, Globals* globals);

// CLI11 reads lists out of words such as [1,2] and {}; an argument of a program must arrive as it was typed.
void KeepFromCli11(std::vector<std::string>* words);

}  // namespace teal::cli

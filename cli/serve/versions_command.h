// teal versions: the programs of a host.
#pragma once

#include <string>

#include "cli/globals.h"
#include "cli/host_flags.h"

namespace teal::cli {

// what: list, add, activate or remove. An exit code.
int Versions(const Globals& globals, const HostFlags& flags, const std::string& what);

}  // namespace teal::cli

// The commands that ask a host: each gives an exit code, having told everything.
#pragma once

#include <string>

#include "cli/globals.h"
#include "cli/host_flags.h"

namespace teal::cli {

// command: one of host_flags.h, but for serve and keys.
int AskHost(const Globals& globals, const HostFlags& flags, const std::string& command);

}  // namespace teal::cli

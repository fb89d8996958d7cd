// teal serve and teal dev: the host of one machine.
#pragma once

#include "cli/globals.h"
#include "cli/host_flags.h"

namespace teal::cli {

// reloads: it looks for changes of the program and its Python code, and takes them.
int Serve(const Globals& globals, const HostFlags& flags, bool reloads);

}  // namespace teal::cli

// teal serve: the host of one machine.
#pragma once

#include "cli/globals.h"
#include "cli/host_flags.h"

namespace teal::cli {

int Serve(const Globals& globals, const HostFlags& flags);

}  // namespace teal::cli

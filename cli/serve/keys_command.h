// teal keys: the named keys of a project's host.
#pragma once

#include <string>

#include "cli/globals.h"
#include "cli/host_flags.h"

namespace teal::cli {

// what: list, new or revoke. A host that runs takes notice within a second.
int Keys(const Globals& globals, const HostFlags& flags, const std::string& what);

}  // namespace teal::cli

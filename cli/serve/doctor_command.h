// teal doctor: whether what a host of this project needs is there, and what to do where it is not. Changes nothing but
// a file of its own, which it removes.
#pragma once

#include "cli/globals.h"
#include "cli/host_flags.h"

namespace teal::cli {

// kExitFailed if something is an error; warnings are not.
int Doctor(const Globals& globals, const HostFlags& flags);

}  // namespace teal::cli

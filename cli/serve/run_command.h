// `teal run --memory local` and `teal run --resume SID`: one session in this process, kept in the project's data
// folder.
#pragma once

#include "cli/globals.h"
#include "cli/run_flags.h"

namespace teal::cli {

int RunKept(const Globals& globals, const RunFlags& flags);

}  // namespace teal::cli

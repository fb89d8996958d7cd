// The kit's own process: runs each test in a process of its own and prints a row for each.
#pragma once

#include <vector>

#include "core/kit/test.h"

namespace teal::kit {

// Prints to standard output. Gives the exit code: 0 none failed, 1 some did, 2 the library is no plugin.
int CheckAll(const std::vector<Test>& tests);

}  // namespace teal::kit

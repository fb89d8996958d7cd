// Functions to an executable.
#pragma once

#include <string>

#include "core/lang/resolve.h"

namespace teal::lang {

// Orders the functions: the main module's in the order of the source (closures behind the function they stand in), then
// the other modules' in order of first import, then the library's that are used. Sets FunctionScope::index.
void OrderFunctions(Program& program);

// Generates all code and writes the executable, deterministic to the byte. Empty when a limit was passed (reported).
// Precondition: the program was checked without errors and OrderFunctions was called.
std::string LinkExecutable(Program& program);

}  // namespace teal::lang

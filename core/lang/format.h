// teal fmt: one style for every program.
#pragma once

#include <string>

#include "core/lang/ast.h"

namespace teal::lang {

// The program in the one style. Precondition: the module parsed without errors. Idempotent; keeps every comment;
// never changes what the program means (the executable without debug positions stays the same to the byte).
std::string Format(const Module& module);

// The tree as `teal ast` prints it: a node a line, indented, with its span as line:col-line:col.
std::string DumpTree(const Module& module);

}  // namespace teal::lang

// Text to syntax tree. Hand-written; recovers at statement and item borders, so that one mistake gives one error.
#pragma once

#include <memory>

#include "core/lang/ast.h"
#include "core/lang/diagnostic.h"

namespace teal::lang {

// Always gives a tree, also when diagnostics got errors (then it is good for further checking only where it parsed).
// `file` must outlive the tree. Never throws; time and memory are linear in the text.
std::unique_ptr<Module> Parse(const SourceFile& file, Diagnostics& diagnostics);

}  // namespace teal::lang

// From a project's folder to the package of its Python code: which files belong to it. docs/formats/package.md has the
// rule for users.
#pragma once

#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/runtime/config.h"
#include "core/runtime/package.h"
#include "core/vm/program.h"

namespace teal::serve {

struct PackageSource {
  std::string folder;                // absolute; what sys.path begins with
  std::string part;                  // the folder in it that is packed, whole, and nothing else; empty: not told
  std::vector<std::string> modules;  // that the program imports
  std::string requirements;          // the lock file, absolute; empty: none
};

// python.source and python.requirements of the project, else its folder and the requirements.lock or requirements.txt
// in it.
PackageSource SourceOf(const runtime::ProjectConfig& config, const vm::Program& program);

// kInvalid: a file cannot be part of a package, or a link leads out of the folder; kTooLarge; kUnavailable: a file
// cannot be read. A lock file of comments alone counts as none.
Result<runtime::Package> CollectPackage(const PackageSource& source);

// Differs if a file of the package was written, came or went; also while no package could be made. For looking often.
std::string GlanceAt(const PackageSource& source);

}  // namespace teal::serve

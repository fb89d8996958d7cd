// From files to an executable.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/lang/diagnostic.h"
#include "core/lang/source.h"

namespace teal::lang {

struct CompileOptions {
  bool optimize = true;  // off: no folding, no fused instructions, no ownership transfer; same meaning
  bool check_python_files =
      true;                    // report `import(f, src.main, 1)` whose module is no file, package or importable name
  std::string project_folder;  // where Python modules are looked for; empty: the folder of the main file
};

struct CompileOutput {
  std::string executable;                          // bytes of a teal.proto.Executable; empty when there were errors
  std::vector<Diagnostic> diagnostics;             // errors and warnings, in order
  std::vector<std::unique_ptr<SourceFile>> files;  // all that were read; index = file index of the executable

  bool ok() const { return !executable.empty(); }
};

// Reads `path` and what it imports. Never throws; every problem is a diagnostic.
CompileOutput CompileFile(const std::string& path, const CompileOptions& options = {});
// One module from memory, shown as `name`; its imports are read relative to the folder of `name`.
CompileOutput CompileText(const std::string& name, std::string text, const CompileOptions& options = {});

}  // namespace teal::lang

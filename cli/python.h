// Starting Python for a program, and telling what is wrong with its Python code before any of it runs.
#pragma once

#include <memory>
#include <string>

#include "cli/globals.h"
#include "cli/program.h"
#include "core/runtime/python_calls.h"

namespace teal::cli {

// Where the Python code stands, and what runs it.
struct PythonPlace {
  std::string interpreter;
  std::string folder;  // first in sys.path
};
// As `teal run` has it: the project's folder itself.
PythonPlace PlaceInProject(const runtime::ProjectConfig& config);

// Null: there is no usable interpreter, or a module, function or file is wrong; every such thing has been reported,
// with the project's own files, also where `place` is a copy of them.
std::unique_ptr<runtime::PythonCalls> LoadPython(const Globals& globals, const LoadedProgram& loaded,
                                                 const PythonPlace& place, runtime::OutputSink* output,
                                                 runtime::ForeignNotes* notes);

}  // namespace teal::cli

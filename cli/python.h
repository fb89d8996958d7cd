// Starting Python for a program, and telling what is wrong with its Python code before any of it runs.
#pragma once

#include <memory>

#include "cli/globals.h"
#include "cli/program.h"
#include "core/runtime/python_calls.h"

namespace teal::cli {

// Null: there is no usable interpreter, or a module, function or file is wrong; every such thing has been reported.
std::unique_ptr<runtime::PythonCalls> LoadPython(const Globals& globals, const LoadedProgram& loaded,
                                                 runtime::OutputSink* output, runtime::ForeignNotes* notes);

}  // namespace teal::cli

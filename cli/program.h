// From a file on the command line to a program that can run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/globals.h"
#include "core/lang/compiler.h"
#include "core/runtime/config.h"
#include "core/vm/program.h"

namespace teal::cli {

struct LoadedProgram {
  lang::CompileOutput compiled;
  std::shared_ptr<const vm::Program> program;
  runtime::ProjectConfig config;  // of the nearest teal.yaml, or the defaults with the program's folder
};

// Prints every diagnostic (errors always, warnings unless --quiet). Gives an exit code; kExitDone: *loaded is whole.
int LoadProgram(const Globals& globals, const std::string& file, LoadedProgram* loaded, bool optimize = true);

// Prints diagnostics: on stderr, or with --json on stdout.
void PrintDiagnostics(const Globals& globals, const std::vector<lang::Diagnostic>& diagnostics);

// An error of teal.yaml as every other. Without the line, which may hold a secret.
lang::Diagnostic DiagnosticOf(const runtime::ConfigError& error);

// The project of `file`: --project, else the nearest parent with a teal.yaml, else the file's folder. False: teal.yaml
// is wrong, which has been reported.
bool LoadConfig(const Globals& globals, const std::string& file, runtime::ProjectConfig* config);

}  // namespace teal::cli

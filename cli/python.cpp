#include "cli/python.h"

#include <algorithm>
#include <cstdio>

namespace teal::cli {
namespace {

// At the place in Python that is wrong, else at the import that asked for it.
lang::Diagnostic DiagnosticOf(const LoadedProgram& loaded, const runtime::WorkerLoadFailure& failure) {
  lang::Diagnostic diagnostic;
  diagnostic.message = failure.message;
  diagnostic.hint = failure.hint.empty() ? "correct the Python file, or the import" : failure.hint;
  if (!failure.file.empty() && failure.line > 0) {
    diagnostic.file = failure.file;
    diagnostic.position = {static_cast<uint32_t>(failure.line), 1};
    return diagnostic;
  }
  for (const vm::Import& import : loaded.program->imports()) {
    if (import.module != failure.module || (!failure.function.empty() && import.function != failure.function)) continue;
    if (import.file >= loaded.compiled.files.size()) break;
    const lang::SourceFile& file = *loaded.compiled.files[import.file];
    diagnostic.file = file.name();
    diagnostic.position = {import.line, 1};
    diagnostic.line = std::string(file.Line(import.line));
    diagnostic.width = static_cast<uint32_t>(std::max<size_t>(diagnostic.line.size(), 1));
    break;
  }
  return diagnostic;
}

// In all texts of a failure, the project's folder for the copy that was loaded.
void TellProject(const std::string& copy, const std::string& project, runtime::WorkerLoadFailure* failure) {
  for (std::string* text : {&failure->message, &failure->hint, &failure->file, &failure->traceback}) {
    for (size_t at = text->find(copy); at != std::string::npos; at = text->find(copy, at + project.size())) {
      text->replace(at, copy.size(), project);
    }
  }
}

}  // namespace

PythonPlace PlaceInProject(const runtime::ProjectConfig& config) {
  return {runtime::InterpreterOf(config.interpreter, config.folder), config.folder};
}

std::unique_ptr<runtime::PythonCalls> LoadPython(const Globals& globals, const LoadedProgram& loaded,
                                                 const PythonPlace& place, runtime::OutputSink* output,
                                                 runtime::ForeignNotes* notes) {
  auto calls = std::make_unique<runtime::PythonCalls>(loaded.program, place.interpreter, place.folder, output, notes);
  const bool is_copy = place.folder != loaded.config.folder;
  if (is_copy) calls->TellFilesWithoutFolder();
  Result<runtime::WorkerLoadReport> report = calls->Load();
  if (!report.ok()) {
    ReportError(globals, report.failure().message,
                "the interpreter is " + place.interpreter + "; set python.interpreter in teal.yaml to another");
    return nullptr;
  }
  if (report->failures.empty()) return calls;
  std::vector<lang::Diagnostic> diagnostics;
  for (runtime::WorkerLoadFailure& failure : report->failures) {
    if (is_copy) TellProject(place.folder, loaded.config.folder, &failure);
  }
  for (const runtime::WorkerLoadFailure& failure : report->failures) {
    diagnostics.push_back(DiagnosticOf(loaded, failure));
  }
  PrintDiagnostics(globals, diagnostics);
  if (globals.verbose && !globals.json) {
    for (const runtime::WorkerLoadFailure& failure : report->failures) std::fputs(failure.traceback.c_str(), stderr);
  }
  return nullptr;
}

}  // namespace teal::cli

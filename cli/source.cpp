#include "cli/source.h"

#include <cstdio>

#include "cli/program.h"
#include "core/lang/diagnostic.h"
#include "core/lang/parser.h"
#include "core/lang/source_read.h"

namespace teal::cli {

std::optional<std::string> ReadSource(const Globals& globals, const std::string& file) {
  const std::string name = file == "-" ? "<stdin>" : file;
  std::string text;
  lang::SourceProblem problem;
  const bool read =
      file == "-" ? lang::ReadSourceStream(stdin, name, &text, &problem) : lang::ReadSourceFile(file, &text, &problem);
  if (read && lang::CheckSourceText(text, &problem)) return text;
  lang::Diagnostic diagnostic;
  diagnostic.file = name;
  diagnostic.position = problem.position;
  diagnostic.message = std::move(problem.message);
  diagnostic.hint = std::move(problem.hint);
  PrintDiagnostics(globals, {diagnostic});
  return std::nullopt;
}

std::optional<ParsedSource> ParseSource(const Globals& globals, const std::string& name, std::string text) {
  ParsedSource parsed;
  parsed.file = std::make_unique<lang::SourceFile>(name, std::move(text));
  lang::Diagnostics diagnostics;
  parsed.module = lang::Parse(*parsed.file, diagnostics);
  const bool wrong = diagnostics.HasErrors();
  PrintDiagnostics(globals, diagnostics.Take());
  if (wrong) return std::nullopt;
  return parsed;
}

}  // namespace teal::cli

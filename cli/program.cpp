#include "cli/program.h"

#include <cstdio>
#include <filesystem>

#include "core/config/project.h"

namespace teal::cli {

namespace fs = std::filesystem;

void PrintDiagnostics(const Globals& globals, const std::vector<lang::Diagnostic>& diagnostics) {
  const bool color = globals.ColorOnStderr();
  for (const lang::Diagnostic& diagnostic : diagnostics) {
    if (globals.quiet && diagnostic.severity == lang::Severity::kWarning) continue;
    if (globals.json) {
      std::printf("%s\n", RenderJson(diagnostic).c_str());
    } else {
      std::fputs(RenderText(diagnostic, color).c_str(), stderr);
    }
  }
}

namespace {

// Without teal.yaml there are no stages.
bool HasNoStage(const Globals& globals) {
  if (globals.stage.empty()) return true;
  ReportError(globals, "there is no stage `" + globals.stage + "`, since there is no teal.yaml",
              "leave --stage out, or write teal.yaml and teal." + globals.stage + ".yaml");
  return false;
}

}  // namespace

lang::Diagnostic DiagnosticOf(const runtime::ConfigError& error) {
  lang::Diagnostic diagnostic;
  diagnostic.file = error.file;
  diagnostic.position = {static_cast<uint32_t>(error.line), static_cast<uint32_t>(error.column)};
  diagnostic.message = error.message;
  diagnostic.hint = error.hint;
  return diagnostic;
}

bool LoadConfig(const Globals& globals, const std::string& file, runtime::ProjectConfig* config) {
  std::error_code error;
  const fs::path folder = fs::absolute(fs::path(file), error).lexically_normal().parent_path();
  config->folder = folder.string();
  std::string project;
  if (!globals.project.empty()) {
    project = fs::absolute(globals.project, error).lexically_normal().string();
    if (!fs::is_directory(project, error)) {
      ReportError(globals, "--project " + globals.project + " is no folder", "name the folder that holds teal.yaml");
      return false;
    }
    config->folder = project;
    if (!fs::exists(fs::path(project) / runtime::kConfigFileName, error)) return HasNoStage(globals);
  } else {
    const std::optional<std::string> found = runtime::FindProject(folder.string());
    if (!found) return HasNoStage(globals);
    project = *found;
  }
  config::Project read = config::ReadProject(project, globals.stage);
  std::vector<lang::Diagnostic> wrong;
  for (const config::Error& one : read.errors) wrong.push_back(DiagnosticOf(one));
  PrintDiagnostics(globals, wrong);
  *config = std::move(read.config);
  return wrong.empty();
}

int LoadProgram(const Globals& globals, const std::string& file, LoadedProgram* loaded, bool optimize) {
  if (!LoadConfig(globals, file, &loaded->config)) return kExitUsage;
  lang::CompileOptions options;
  options.project_folder = loaded->config.folder;
  options.optimize = optimize;
  loaded->compiled = lang::CompileFile(file, options);
  PrintDiagnostics(globals, loaded->compiled.diagnostics);
  if (!loaded->compiled.ok()) return kExitUsage;
  Result<std::shared_ptr<const vm::Program>> program = vm::Program::Load(loaded->compiled.executable);
  if (!program.ok()) {
    ReportError(globals, file + ": the compiled program is damaged: " + program.failure().message,
                "this is a bug in Teal; please report it with the program");
    return kExitUsage;
  }
  loaded->program = std::move(*program);
  return kExitDone;
}

}  // namespace teal::cli

#include "cli/program.h"

#include <cstdio>
#include <filesystem>

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
    if (!fs::exists(fs::path(project) / runtime::kConfigFileName, error)) return true;
  } else {
    const std::optional<std::string> found = runtime::FindProject(folder.string());
    if (!found) return true;
    project = *found;
  }
  auto read = runtime::ReadConfig(project);
  if (const runtime::ConfigError* wrong = std::get_if<runtime::ConfigError>(&read)) {
    lang::Diagnostic diagnostic;
    diagnostic.file = wrong->file;
    diagnostic.position = {static_cast<uint32_t>(wrong->line), static_cast<uint32_t>(wrong->column)};
    diagnostic.message = wrong->message;
    diagnostic.hint = wrong->hint;
    PrintDiagnostics(globals, {diagnostic});
    return false;
  }
  *config = std::move(std::get<runtime::ProjectConfig>(read));
  return true;
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

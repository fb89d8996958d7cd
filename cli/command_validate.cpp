// teal validate: the program and teal.yaml together, offline. Loads nothing and runs nothing.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>

#include "cli/commands.h"
#include "cli/program.h"
#include "cli/report.h"
#include "core/config/project.h"
#include "core/config/schema.h"
#include "core/config/trigger_sections.h"
#include "core/config/triggers.h"
#include "core/host/search.h"
#include "triggers/schedule/plan.h"

namespace teal::cli {
namespace {

namespace fs = std::filesystem;
using config::Error;

constexpr char kDefaultMain[] = "service.tl";

std::string Plural(size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

class Validation {
 public:
  explicit Validation(const Globals& globals) : globals_(globals) {}

  int Run(const std::string& folder) {
    std::vector<std::string> stages = {globals_.stage};
    if (globals_.stage.empty()) {
      const std::vector<std::string> all = config::StagesOf(folder);
      stages.insert(stages.end(), all.begin(), all.end());
    }
    for (const std::string& stage : stages) CheckStage(folder, stage);
    std::vector<lang::Diagnostic> kept;
    size_t errors = 0;
    for (lang::Diagnostic& diagnostic : diagnostics_) {
      const bool error = diagnostic.severity == lang::Severity::kError;
      if (error && ++errors > lang::kDiagnosticsMax) continue;
      kept.push_back(std::move(diagnostic));
    }
    PrintDiagnostics(globals_, kept);
    if (errors > 0) return kExitUsage;
    Summarise(stages);
    return kExitDone;
  }

 private:
  struct Counts {
    size_t functions = 0;
    size_t triggers = 0;
  };

  void Add(const Error& error, lang::Severity severity = lang::Severity::kError) {
    lang::Diagnostic diagnostic = DiagnosticOf(error);
    diagnostic.severity = severity;
    AddOnce(std::move(diagnostic));
  }

  // Several stages share teal.yaml and the program.
  void AddOnce(lang::Diagnostic diagnostic) {
    if (told_.insert(RenderJson(diagnostic)).second) diagnostics_.push_back(std::move(diagnostic));
  }

  void CheckStage(const std::string& folder, const std::string& stage) {
    const config::Project project = config::ReadProject(folder, stage);
    for (const Error& error : project.errors) Add(error);
    if (!project.errors.empty()) return;
    std::vector<Error> errors;
    const std::vector<config::Trigger> triggers = config::ReadTriggers(project.tree, &errors);
    CheckBackend(project.tree, &errors);
    CheckSections(project, &errors);
    for (const Error& error : errors) Add(error);
    counts_.triggers = std::max(counts_.triggers, triggers.size());
    if (const config::Node* const encryption = project.tree.Find("encryption")) {
      const config::Node* const key = encryption->Find("key");
      if (key->text.find("${") == std::string::npos) {
        Add(config::ErrorAt(key->place, "the encryption key stands in this file for all to read",
                            "refer to it: ${env:NAME} or ${secret:NAME}"),
            lang::Severity::kWarning);
      }
    }
    CheckProgram(project, triggers);
  }

  // What the plugins that come with Teal would refuse, where it can be known without values of references.
  // Of other kinds: whether there is such a plugin, by its manifest.
  void CheckSections(const config::Project& project, std::vector<Error>* errors) {
    host::SearchOptions search;
    search.flags = globals_.plugins;
    search.project_folder = project.config.folder;
    std::vector<Error> told;  // also what ReadTriggers has told
    for (const config::TriggerSection& section : config::ReadTriggerSections(project.tree, nullptr, &told)) {
      const bool own = section.kind == "http" || section.kind == "s3" || section.kind == "schedule";
      if (!own) {
        const Result<host::FoundPlugin> found = host::FindPlugin(section.kind, host::SearchPath(search));
        if (!found) told.push_back(config::ErrorAt(section.place, found.failure().message, "see teal plugin list"));
      }
      if (section.kind != "schedule" || section.config_json.find("${") != std::string::npos) continue;
      std::optional<schedule::Section> read;
      if (const auto wrong = schedule::ReadSection(section.config_json, &read)) {
        told.push_back(config::ErrorAt(section.place, wrong->message, "try it with teal schedule next"));
      }
    }
    for (Error& error : told) {
      const bool known = std::any_of(errors->begin(), errors->end(), [&](const Error& other) {
        return other.line == error.line && other.column == error.column && other.message == error.message;
      });
      if (!known) errors->push_back(std::move(error));
    }
  }

  void CheckBackend(const config::Node& tree, std::vector<Error>* errors) {
    const config::Node* const backend = tree.Find("backend");
    if (backend == nullptr || backend->text.find("${") != std::string::npos) return;
    std::vector<std::string> known = {"aws", "gcp", "k8s", "local"};
    if (const config::Node* const backends = tree.Find("backends")) {
      for (const config::Entry& entry : backends->entries) known.push_back(entry.key);
    }
    if (std::find(known.begin(), known.end(), backend->text) != known.end()) return;
    errors->push_back(config::UnknownName(backend->place, "backend", backend->text, known));
  }

  void CheckProgram(const config::Project& project, const std::vector<config::Trigger>& triggers) {
    const std::string main = project.config.main.empty() ? kDefaultMain : project.config.main;
    const fs::path path = fs::path(project.config.folder) / main;
    std::error_code error;
    if (!fs::is_regular_file(path, error)) {
      const config::Node* const node = project.tree.Find("main");
      return Add(config::ErrorAt(node == nullptr ? project.tree.place : node->place, "there is no program " + main,
                                 "write it, or name another with main: FILE.tl"));
    }
    lang::CompileOptions options;
    options.project_folder = project.config.folder;
    lang::CompileOutput compiled = lang::CompileFile(path.lexically_normal().string(), options);
    for (lang::Diagnostic& diagnostic : compiled.diagnostics) AddOnce(std::move(diagnostic));
    if (!compiled.ok()) return;
    const Result<std::shared_ptr<const vm::Program>> program = vm::Program::Load(compiled.executable);
    if (!program) {
      return Add(config::ErrorAt(project.tree.place, "the compiled program is damaged: " + program.failure().message,
                                 "this is a bug in Teal; please report it with the program"));
    }
    CheckFunctions(project, *program.value(), triggers);
  }

  void CheckFunctions(const config::Project& project, const vm::Program& program,
                      const std::vector<config::Trigger>& triggers) {
    const std::vector<std::string_view> entries = program.EntryNames();
    const std::vector<std::string> names(entries.begin(), entries.end());
    counts_.functions = names.size();
    if (const config::Node* const functions = project.tree.Find("functions")) {
      for (const config::Entry& function : functions->entries) {
        if (std::find(names.begin(), names.end(), function.key) != names.end()) continue;
        Error error = config::UnknownName(function.place, "function", function.key, names);
        error.hint = "the program has " + error.hint.substr(error.hint.find(':') + 2);
        if (names.empty()) error.hint = "the program has no function";
        Add(error);
      }
    }
    for (const config::Trigger& trigger : triggers) {
      uint32_t index = 0;
      const vm::Function* const function = program.FindEntry(trigger.function, &index);
      if (function == nullptr) continue;
      const config::Passed passed = config::PassedBy(trigger);
      const size_t takes = function->parameters.size();
      if (takes >= passed.least && takes <= passed.most) continue;
      Add(config::ErrorAt(trigger.place,
                          trigger.function + " takes " + Plural(takes, "parameter") +
                              ", and this trigger calls it with " + passed.names,
                          "declare it as fn " + trigger.function + passed.names));
    }
  }

  void Summarise(const std::vector<std::string>& stages) {
    std::vector<std::string> names;
    for (const std::string& stage : stages) {
      if (!stage.empty()) names.push_back(stage);
    }
    if (globals_.json) {
      std::string list;
      for (const std::string& name : names) list += (list.empty() ? "\"" : ",\"") + name + "\"";
      std::printf("{\"functions\":%zu,\"triggers\":%zu,\"stages\":[%s]}\n", counts_.functions, counts_.triggers,
                  list.c_str());
      return;
    }
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "; stages " : ", ") + name;
    std::printf("valid: %s, %s%s\n", Plural(counts_.functions, "function").c_str(),
                Plural(counts_.triggers, "trigger").c_str(), list.c_str());
  }

  const Globals& globals_;
  Counts counts_;
  std::vector<lang::Diagnostic> diagnostics_;
  std::set<std::string> told_;
};

int Validate(const Globals& globals) {
  std::error_code error;
  const std::string start = globals.project.empty() ? "." : globals.project;
  std::string folder = fs::absolute(start, error).lexically_normal().string();
  if (globals.project.empty()) folder = runtime::FindProject(folder).value_or(folder);
  if (!fs::exists(fs::path(folder) / runtime::kConfigFileName, error)) {
    ReportError(globals, "there is no teal.yaml in " + start + (globals.project.empty() ? " or above it" : ""),
                "write one, as in teal new, or name its folder with --project");
    return kExitUsage;
  }
  return Validation(globals).Run(folder);
}

}  // namespace

Command AddValidate(CLI::App& app, const Globals& globals) {
  CLI::App* command = app.add_subcommand("validate", "check the program and teal.yaml together");
  command->footer(
      "Example: teal validate --stage prod\nWithout --stage every teal.STAGE.yaml is checked. Loads and runs nothing.");
  auto schema = std::make_shared<bool>(false);
  command->add_flag("--schema", *schema, "print the JSON Schema of teal.yaml instead, for editors");
  return [schema, &globals] {
    if (!*schema) return Validate(globals);
    std::fwrite(config::kSchemaText.data(), 1, config::kSchemaText.size(), stdout);
    return static_cast<int>(kExitDone);
  };
}

}  // namespace teal::cli

#include "cli/serve/hosted_triggers.h"

#include <unistd.h>

#include <filesystem>
#include <map>
#include <set>

#include "cli/output.h"
#include "cli/program.h"
#include "cli/serve/plugin_of.h"
#include "core/config/project.h"
#include "core/config/trigger_sections.h"
#include "core/host/instance.h"
#include "core/host/schema.h"

namespace teal::cli {

std::unique_ptr<HostedTriggers> HostedTriggers::Open(const Globals& globals, const std::string& folder,
                                                     const std::string& data, HostedSessions* sessions,
                                                     serve::KeyRing* keys) {
  host::LogOptions log;
  log.level_min = globals.verbose ? TEAL_LOG_DEBUG : TEAL_LOG_WARNING;
  Result<std::shared_ptr<host::Log>> made = host::Log::Make(std::move(log));
  if (!made) {
    ReportError(globals, made.failure().message, "");
    return nullptr;
  }
  std::unique_ptr<HostedTriggers> own(new HostedTriggers(globals, folder, data));
  host::Instance& memory = sessions->memory();
  host::ServicesOptions services;
  services.log = std::move(*made);
  services.http_server = own->requests_;
  services.state = host::MakeStateOver(memory.memory(), memory.handle(), [&memory] { return memory.NextOpId(); });
  own->services_ = std::make_unique<host::Services>(std::move(services));
  trigger::TriggersOptions options;
  options.service = &sessions->service();
  options.services = own->services_.get();
  options.store = &sessions->store();
  options.location_of = [keys](const std::string& sid) {
    return "/teal/v1/sessions/" + sid + "?t=" + keys->tokens().Make(sid, host::SystemNowUnixNs() / 1'000'000'000);
  };
  options.plugin_of = [self = own.get()](const std::string& kind) {
    return PluginOf(self->globals_, self->folder_, kind);
  };
  options.log = [](const std::string& line) { WriteAll(STDERR_FILENO, "teal: " + line + "\n"); };
  own->triggers_ = std::make_unique<trigger::Triggers>(std::move(options));
  return own;
}

HostedTriggers::~HostedTriggers() = default;

int HostedTriggers::Apply() {
  std::error_code error;
  std::vector<trigger::Declared> declared;
  std::map<std::string, std::string> instances;
  if (std::filesystem::exists(folder_ + "/" + runtime::kConfigFileName, error)) {
    const config::Project project = config::ReadProject(folder_, globals_.stage);
    std::vector<config::Error> wrong = project.errors;
    if (wrong.empty()) {
      config::Resolver resolver(project.tree, folder_, config::Commands::kRun);
      std::set<std::string> kinds;
      for (config::TriggerSection& section : config::ReadTriggerSections(project.tree, &resolver, &wrong)) {
        kinds.insert(section.kind);
        declared.push_back({std::move(section.name), std::move(section.kind), std::move(section.function),
                            std::move(section.config_json), section.timeout_ns});
      }
      for (const std::string& kind : kinds) {
        const Result<const host::Plugin*> plugin = PluginOf(globals_, folder_, kind);
        if (!plugin) continue;  // told below, with the trigger
        const host::Json own = {{"app", project.config.name},
                                {"stage", globals_.stage},
                                {"folder", data_ + "/triggers/" + kind},
                                {"buckets", folder_ + "/.teal/buckets"}};
        const std::string& schema = plugin.value()->manifest().config_schema;
        const host::Json config = config::InstanceConfigOf(project.tree, kind, schema, own, &resolver, &wrong);
        const Result<std::string> valid = host::ValidateConfig(schema, host::ToText(config), "triggers." + kind);
        if (!valid) {
          ReportError(globals_, valid.failure().message, "");
          return kExitUsage;
        }
        instances[kind] = valid.value();
      }
    }
    if (!wrong.empty()) {
      std::vector<lang::Diagnostic> diagnostics;
      for (const config::Error& one : wrong) diagnostics.push_back(DiagnosticOf(one));
      PrintDiagnostics(globals_, diagnostics);
      return kExitUsage;
    }
  }
  const Status applied = triggers_->Apply(std::move(declared), std::move(instances));
  if (applied) return kExitDone;
  ReportError(globals_, applied.failure().message, "");
  return kExitUsage;
}

}  // namespace teal::cli

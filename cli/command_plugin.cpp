// teal plugin: what plugins there are, what they say of themselves, and which are trusted. Runs no foreign code.
#include "cli/command_plugin.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/host/library_file.h"
#include "core/host/trust.h"
#include "core/runtime/config.h"

namespace teal::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// "ready", "not trusted", or "refused", with the reason.
struct Standing {
  std::string state;
  std::string reason;
};

Standing StandingOf(const host::FoundPlugin& found, const host::TrustStore& trust) {
  const Result<host::LibraryFile> file = host::CheckLibrary(found.manifest.value(), nullptr);
  if (!file) return {"refused", file.failure().message};
  if (!host::NeedsTrust(found.origin) || trust.Contains(file.value().sha256)) return {"ready", ""};
  return {"not trusted", host::CheckLibrary(found.manifest.value(), &trust).failure().message};
}

int List(const Globals& globals) {
  host::TrustStore trust;
  int code = kExitDone;
  if (!ReadTrust(globals, &trust, &code)) return code;
  size_t widest = 0;
  std::vector<Json> rows;
  for (const host::FoundPlugin& found : host::FindPlugins(PluginPlaces(globals))) {
    Json row;
    if (found.manifest) {
      const host::Manifest& manifest = found.manifest.value();
      const Standing standing = StandingOf(found, trust);
      row = {{"id", manifest.id},
             {"version", manifest.version},
             {"description", manifest.description},
             {"interfaces", manifest.interfaces},
             {"origin", host::OriginName(found.origin)},
             {"manifest", found.path},
             {"state", found.shadowed ? "shadowed" : standing.state},
             {"reason", standing.reason.empty() ? Json() : Json(standing.reason)}};
      widest = std::max(widest, manifest.id.size());
    } else {
      row = {{"id", nullptr},
             {"origin", host::OriginName(found.origin)},
             {"manifest", found.path},
             {"state", "refused"},
             {"reason", found.manifest.failure().message}};
    }
    rows.push_back(std::move(row));
  }
  for (const Json& row : rows) {
    if (globals.json) {
      std::printf("%s\n", Dump(row).c_str());
      continue;
    }
    if (!row["id"].is_null()) {
      std::string interfaces;
      for (const std::string interface : row["interfaces"]) interfaces += (interfaces.empty() ? "" : " ") + interface;
      std::printf("%-*s  %-8s  %-11s  %s  %s\n", static_cast<int>(widest), row["id"].get<std::string>().c_str(),
                  row["version"].get<std::string>().c_str(), row["state"].get<std::string>().c_str(),
                  interfaces.c_str(), row["manifest"].get<std::string>().c_str());
    }
    if (!row["reason"].is_null()) std::fprintf(stderr, "teal: warning: %s\n", row["reason"].get<std::string>().c_str());
  }
  if (rows.empty() && !globals.json && !globals.quiet) {
    std::fprintf(stderr, "no plugins; they are looked for in:\n");
    for (const host::SearchPlace& place : PluginPlaces(globals)) std::fprintf(stderr, "  %s\n", place.path.c_str());
  }
  return kExitDone;
}

void PrintConfig(const Json& schema) {
  if (!schema.contains("properties") || schema["properties"].empty()) {
    std::printf("config:     none\n");
    return;
  }
  std::printf("config:\n");
  const Json required = schema.value("required", Json::array());
  for (const auto& [name, property] : schema["properties"].items()) {
    std::string line = "  " + name;
    if (property.is_object()) {
      if (property.contains("type"))
        line +=
            " (" + (property["type"].is_string() ? property["type"].get<std::string>() : Dump(property["type"])) + ")";
      if (std::find(required.begin(), required.end(), name) != required.end()) line += ", required";
      if (property.contains("default")) line += ", default " + Dump(property["default"]);
      if (property.contains("enum")) line += ", one of " + Dump(property["enum"]);
      if (property.contains("description") && property["description"].is_string()) {
        line += ": " + property["description"].get<std::string>();
      }
    }
    std::printf("%s\n", line.c_str());
  }
}

int Info(const Globals& globals, const std::string& name) {
  const Result<host::FoundPlugin> found = FindNamed(globals, name);
  if (!found) return Tell(globals, found.failure());
  if (!found.value().manifest) return Tell(globals, found.value().manifest.failure());
  host::TrustStore trust;
  int code = kExitDone;
  if (!ReadTrust(globals, &trust, &code)) return code;
  const host::Manifest& manifest = found.value().manifest.value();
  const Standing standing = StandingOf(found.value(), trust);
  const Json schema = Json::parse(manifest.config_schema);
  const std::string abi = std::to_string(manifest.abi_major) + "." + std::to_string(manifest.abi_minor);
  if (globals.json) {
    const Json answer = {
        {"id", manifest.id},
        {"version", manifest.version},
        {"description", manifest.description},
        {"interfaces", manifest.interfaces},
        {"origin", host::OriginName(found.value().origin)},
        {"manifest", manifest.path},
        {"library", manifest.LibraryPath()},
        {"sha256", manifest.sha256},
        {"abi",
         {{"major", manifest.abi_major}, {"minor", manifest.abi_minor}, {"host_minor_min", manifest.host_minor_min}}},
        {"trusted", trust.Contains(manifest.sha256)},
        {"state", standing.state},
        {"reason", standing.reason.empty() ? Json() : Json(standing.reason)},
        {"config", schema}};
    std::printf("%s\n", Dump(answer).c_str());
    return kExitDone;
  }
  std::string interfaces;
  for (const std::string& interface : manifest.interfaces) interfaces += (interfaces.empty() ? "" : " ") + interface;
  std::printf("%s %s\n", manifest.id.c_str(), manifest.version.c_str());
  if (!manifest.description.empty()) std::printf("%s\n", manifest.description.c_str());
  std::printf(
      "interfaces: %s\nmanifest:   %s\nlibrary:    %s\nsha256:     %s\nABI:        %s, hosts from %u.%u\nstate:      "
      "%s\n",
      interfaces.c_str(), manifest.path.c_str(), manifest.LibraryPath().c_str(), manifest.sha256.c_str(), abi.c_str(),
      manifest.abi_major, manifest.host_minor_min, standing.state.c_str());
  if (!standing.reason.empty()) std::printf("            %s\n", standing.reason.c_str());
  PrintConfig(schema);
  return kExitDone;
}

int Trust(const Globals& globals, const std::string& name, bool forget) {
  const Result<std::string> path = host::TrustStore::DefaultPath();
  if (!path) return Tell(globals, path.failure());
  if (forget) {
    const Result<host::TrustStore> store = host::TrustStore::Remove(path.value(), name);
    if (!store) return Tell(globals, store.failure());
    if (globals.json)
      std::printf("%s\n", Dump({{"forgotten", name}}).c_str());
    else if (!globals.quiet)
      std::printf("no longer trusted: %s\n", name.c_str());
    return kExitDone;
  }
  const host::FoundPlugin found = host::FindAt(name);
  if (!found.manifest) return Tell(globals, found.manifest.failure());
  const host::Manifest& manifest = found.manifest.value();
  // What would be refused anyway is not worth trusting.
  const Result<host::LibraryFile> file = host::CheckLibrary(manifest, nullptr);
  if (!file) return Tell(globals, file.failure(), true);
  const Result<host::TrustStore> store =
      host::TrustStore::Add(path.value(), {file.value().sha256, manifest.id, manifest.LibraryPath()});
  if (!store) return Tell(globals, store.failure(), true);
  if (globals.json) {
    std::printf("%s\n",
                Dump({{"id", manifest.id}, {"sha256", manifest.sha256}, {"library", manifest.LibraryPath()}}).c_str());
  } else if (!globals.quiet) {
    std::printf("trusted: %s %s, SHA-256 %s\n", manifest.id.c_str(), manifest.version.c_str(), manifest.sha256.c_str());
  }
  return kExitDone;
}

}  // namespace

std::vector<host::SearchPlace> PluginPlaces(const Globals& globals) {
  host::SearchOptions options;
  options.flags = globals.plugins;
  options.project_folder = globals.project;
  if (options.project_folder.empty()) {
    std::error_code error;
    options.project_folder = runtime::FindProject(std::filesystem::current_path(error).string()).value_or("");
  }
  return host::SearchPath(options);
}

bool ReadTrust(const Globals& globals, host::TrustStore* trust, int* code) {
  const Result<std::string> path = host::TrustStore::DefaultPath();
  if (!path) return true;  // without a home nothing is trusted
  Result<host::TrustStore> store = host::TrustStore::Read(path.value());
  if (store) {
    *trust = std::move(store).value();
    return true;
  }
  *code = Tell(globals, store.failure(), true);
  return false;
}

Result<host::FoundPlugin> FindNamed(const Globals& globals, const std::string& name) {
  const bool is_path = name.find('/') != std::string::npos || name.find(".so") != std::string::npos ||
                       name.find(host::kManifestEnding) != std::string::npos;
  if (!is_path) return host::FindPlugin(name, PluginPlaces(globals));
  const host::FoundPlugin found = host::FindAt(name);
  // One of the places that need no trust may have been named by its path.
  for (const host::FoundPlugin& other : host::FindPlugins(PluginPlaces(globals))) {
    if (other.path == found.path) return other;
  }
  return found;
}

int Tell(const Globals& globals, const Failure& failure, bool refused) {
  ReportError(globals, failure.message, "");
  if (failure.code == FailureCode::kNotFound) return kExitNotFound;
  return refused ? kExitRefused : kExitUsage;
}

Command AddPluginList(CLI::App& plugin, const Globals& globals) {
  plugin.add_subcommand("list", "the plugins that are found, and whether they would be loaded")
      ->footer("Example: teal plugin list --json");
  return [&globals] { return List(globals); };
}

Command AddPluginInfo(CLI::App& plugin, const Globals& globals) {
  auto name = std::make_shared<std::string>();
  CLI::App* const command = plugin.add_subcommand("info", "what a plugin says of itself, and its config");
  command->footer("Example: teal plugin info local");
  command->add_option("PLUGIN", *name, "its id, or the path of its manifest, library or folder")->required();
  return [name, &globals] { return Info(globals, *name); };
}

Command AddPluginTrust(CLI::App& plugin, const Globals& globals) {
  auto name = std::make_shared<std::string>();
  auto forget = std::make_shared<bool>(false);
  CLI::App* const command = plugin.add_subcommand("trust", "let a library from a project or a path be loaded");
  command->footer(
      "Example: teal plugin trust .teal/plugins/queue.teal-plugin.json\nThe library's SHA-256 is kept; another build "
      "must be trusted again.");
  command->add_option("PATH", *name, "of its manifest, library or folder; with --forget its id or SHA-256")->required();
  command->add_flag("--forget", *forget, "trust it no longer");
  return [name, forget, &globals] { return Trust(globals, *name, *forget); };
}

Command AddPlugin(CLI::App& app, const Globals& globals) {
  CLI::App* const plugin = app.add_subcommand("plugin", "list, describe, trust, check and make plugins");
  plugin->footer("Example: teal plugin list");
  plugin->require_subcommand(1);
  using Named = std::pair<std::string, Command>;
  const std::vector<Named> commands = {{"list", AddPluginList(*plugin, globals)},
                                       {"info", AddPluginInfo(*plugin, globals)},
                                       {"trust", AddPluginTrust(*plugin, globals)},
                                       {"check", AddPluginCheck(*plugin, globals)},
                                       {"new", AddPluginNew(*plugin, globals)}};
  return [commands, plugin] {
    const std::string chosen = plugin->get_subcommands().front()->get_name();
    return std::find_if(commands.begin(), commands.end(), [&](const Named& named) { return named.first == chosen; })
        ->second();
  };
}

}  // namespace teal::cli

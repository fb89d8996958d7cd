// teal new: a project that runs.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include "cli/commands.h"
#include "cli/report.h"
#include "cli/templates.h"
#include "core/config/schema.h"

namespace teal::cli {
namespace {

namespace fs = std::filesystem;

struct NewFlags {
  std::string folder;
  std::string name = "hello";
};

bool Write(const Globals& globals, const fs::path& path, std::string_view text) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (out.good()) return true;
  ReportError(globals, "cannot write " + path.string(), "check the permissions of the folder");
  return false;
}

int New(const Globals& globals, const NewFlags& flags) {
  std::set<std::string> names;
  for (int i = 0; i < kTemplateFileCount; ++i) names.emplace(kTemplateFiles[i].name);
  if (names.count(flags.name) == 0) {
    std::string all;
    for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
    ReportError(globals, "there is no template \"" + flags.name + "\"", "choose one of " + all);
    return kExitUsage;
  }
  const fs::path folder(flags.folder);
  std::error_code error;
  if (fs::exists(folder, error) && !(fs::is_directory(folder, error) && fs::is_empty(folder, error))) {
    ReportError(globals, flags.folder + " exists and is no empty folder", "name a new folder");
    return kExitUsage;
  }
  const std::string project = fs::absolute(folder, error).lexically_normal().filename().string();
  const std::string config =
      "# yaml-language-server: $schema=teal.schema.json\nname: " + ToJson(vm::MakeString(project)) +
      "\nmain: service.tl\n";
  if (!Write(globals, folder / "teal.yaml", config)) return kExitUsage;
  if (!Write(globals, folder / "teal.schema.json", config::kSchemaText)) return kExitUsage;
  for (int i = 0; i < kTemplateFileCount; ++i) {
    const TemplateFile& file = kTemplateFiles[i];
    if (file.name == flags.name && !Write(globals, folder / file.path, file.text)) return kExitUsage;
  }
  if (globals.json) {
    std::printf("{\"folder\":%s,\"template\":\"%s\"}\n", ToJson(vm::MakeString(flags.folder)).c_str(),
                flags.name.c_str());
  } else if (!globals.quiet) {
    std::printf("made %s; run it with: teal run %s\n", flags.folder.c_str(), (folder / "service.tl").c_str());
  }
  return kExitDone;
}

}  // namespace

Command AddNew(CLI::App& app, const Globals& globals) {
  auto flags = std::make_shared<NewFlags>();
  CLI::App* command = app.add_subcommand("new", "make a project that runs");
  command->footer("Example: teal new shop --template saga");
  command->add_option("DIR", flags->folder, "the folder to make")->required();
  command->add_option("--template", flags->name, "hello (the default) or saga");
  return [flags, &globals] { return New(globals, *flags); };
}

}  // namespace teal::cli

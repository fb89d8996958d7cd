// teal plugin new: the project of a memory plugin that builds and passes the kit, from examples/plugins.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command_plugin.h"
#include "cli/templates.h"

namespace teal::cli {
namespace {

namespace fs = std::filesystem;

struct NewFlags {
  std::string name;
  std::string language;
  std::string folder;
};

// It becomes the plugin's id, a name in CMake and Cargo, and part of the library's.
bool IsName(const std::string& name) {
  if (name.empty() || name.size() > 40 || name[0] < 'a' || name[0] > 'z') return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// `text` with the example's name, where it ends a word ("teal_memory_c.so", not "memory_commit"), turned into `name`.
std::string Renamed(std::string text, const std::string& example, const std::string& name) {
  for (size_t at = text.find(example); at != std::string::npos; at = text.find(example, at)) {
    const size_t end = at + example.size();
    if (end < text.size() && IsWord(text[end])) {
      at = end;
      continue;
    }
    text.replace(at, example.size(), name);
    at += name.size();
  }
  return text;
}

int New(const Globals& globals, const NewFlags& flags) {
  const auto wrong = [&](const std::string& what, const std::string& hint) {
    ReportError(globals, what, hint);
    return static_cast<int>(kExitUsage);
  };
  if (!IsName(flags.name)) {
    return wrong("\"" + flags.name + "\" cannot be a plugin's name",
                 "take lower-case letters, digits and '_', a letter first, at most 40");
  }
  const fs::path folder(flags.folder.empty() ? flags.name : flags.folder);
  std::error_code error;
  if (fs::exists(folder, error) && !(fs::is_directory(folder, error) && fs::is_empty(folder, error))) {
    return wrong(folder.string() + " exists and is no empty folder", "name a new one with --dir");
  }
  const std::string example = "memory_" + flags.language;
  for (int i = 0; i < kPluginTemplateFileCount; ++i) {
    const TemplateFile& file = kPluginTemplateFiles[i];
    if (file.name != example) continue;
    const fs::path path = folder / Renamed(std::string(file.path), example, flags.name);
    fs::create_directories(path.parent_path(), error);
    std::ofstream out(path, std::ios::binary);
    out << Renamed(std::string(file.text), example, flags.name);
    out.close();
    if (!out.good()) return wrong("cannot write " + path.string(), "check the permissions of the folder");
  }
  const bool rust = flags.language == "rust";
  const std::string build = rust ? "make -C " + folder.string()
                                 : "cmake -S " + folder.string() + " -B " + (folder / "build").string() +
                                       " && cmake --build " + (folder / "build").string();
  const std::string check = "teal plugin check " + (folder / "build" / (flags.name + ".teal-plugin.json")).string();
  if (globals.json) {
    const nlohmann::ordered_json answer = {{"folder", folder.string()},
                                           {"name", flags.name},
                                           {"language", flags.language},
                                           {"build", build},
                                           {"check", check}};
    std::printf("%s\n", answer.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
  } else if (!globals.quiet) {
    std::printf("made %s\nbuild it: %s\ncheck it: %s\n", folder.string().c_str(), build.c_str(), check.c_str());
  }
  return kExitDone;
}

}  // namespace

Command AddPluginNew(CLI::App& plugin, const Globals& globals) {
  auto flags = std::make_shared<NewFlags>();
  CLI::App* const command =
      plugin.add_subcommand("new", "make the project of a memory plugin that builds and passes the kit");
  command->footer("Example: teal plugin new --lang c shelf");
  command->add_option("NAME", flags->name, "the plugin's id")->required();
  command->add_option("--lang", flags->language, "c, cpp or rust")
      ->required()
      ->check(CLI::IsMember({"c", "cpp", "rust"}));
  command->add_option("--dir", flags->folder, "the folder to make; else NAME");
  return [flags, &globals] { return New(globals, *flags); };
}

}  // namespace teal::cli

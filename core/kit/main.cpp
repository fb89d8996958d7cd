// teal-plugin-check: the conformance kit. `teal plugin check` runs it. See Usage below, docs/abi.md for the rows.
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/kit/child.h"
#include "core/kit/options.h"
#include "core/kit/report.h"
#include "core/kit/test.h"
#include "core/kit/text.h"

namespace teal::kit {
namespace {

constexpr int kExitUsage = 2;

constexpr const char* kUsage =
    "teal-plugin-check PATH [--config F] [--trigger F] [--json] [--row ROW] [--timeout-factor N]\n"
    "teal-plugin-check --rows\n"
    "\n"
    "Checks a plugin against the rows of docs/abi.md: what it declares it must do. PATH is its library or its "
    "manifest\n"
    "(NAME.teal-plugin.json).\n"
    "\n"
    "  --config F          the plugin's section of teal.yaml, a JSON object; without it {}. The store it names is "
    "written to.\n"
    "  --trigger F         a trigger's section, a JSON object with which events come by themselves; needed for TRG\n"
    "                      rows; a trigger that takes requests is sent POST /kit, again and again\n"
    "  --json              a line of JSON for each row: {\"row\", \"result\", \"detail\"}\n"
    "  --row ROW           this row alone; given many times: these rows\n"
    "  --timeout-factor N  every time allowed, N times over: for slow machines and stores\n"
    "  --rows              the rows there are, one a line\n"
    "\n"
    "Exit code: 0 every row passed or is not offered, 1 some failed, 2 the command or a file is wrong.\n";

[[noreturn]] void Usage(const std::string& what) {
  std::fprintf(stderr, "teal-plugin-check: %s\nTry teal-plugin-check --help.\n", what.c_str());
  std::exit(kExitUsage);
}

std::string ReadJsonObject(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Usage(Text("cannot read ", path, ": ", std::strerror(errno)));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) Usage(path + " is not JSON");
  if (!json.is_object()) Usage(path + " is not a JSON object");
  return json.dump();
}

// The library and manifest that PATH names.
void Locate(const std::string& path, Options& options) {
  static constexpr std::string_view kEnding = ".teal-plugin.json";
  std::error_code error;
  const auto absolute = std::filesystem::canonical(path, error);
  if (error) Usage(Text("cannot find ", path, ": ", error.message()));
  if (absolute.native().ends_with(kEnding)) {
    const auto manifest = nlohmann::json::parse(std::ifstream(absolute), nullptr, false);
    if (!manifest.is_object() || !manifest.contains("library") || !manifest["library"].is_string()) {
      Usage(Text(path, " is no manifest: it has no \"library\""));
    }
    options.manifest = absolute;
    options.library = absolute.parent_path() / manifest["library"].get<std::string>();
    if (!std::filesystem::exists(options.library))
      Usage(Text(path, " names ", options.library, ", which is not there"));
    return;
  }
  options.library = absolute;
  // The manifest of teal_NAME.so is NAME.teal-plugin.json.
  std::string name = absolute.stem();
  if (name.starts_with("teal_")) name.erase(0, 5);
  const auto beside = absolute.parent_path() / (name + std::string(kEnding));
  if (std::filesystem::exists(beside)) options.manifest = beside;
}

int Number(const std::string& name, const std::string& text, int least) {
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || value < least || value > 1'000'000) {
    Usage(Text(name, " wants a number of at least ", least, ", not ", text));
  }
  return static_cast<int>(value);
}

struct Command {
  Options options;
  std::vector<std::string> rows;
};

Command Parse(const std::vector<std::string>& arguments) {
  Command command;
  Options& options = command.options;
  std::optional<std::string> path;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    const auto value = [&]() -> const std::string& {
      if (i + 1 == arguments.size()) Usage(name + " wants a value");
      return arguments[++i];
    };
    if (name == "--help" || name == "-h") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    } else if (name == "--rows") {
      for (const Test& test : AllTests()) std::printf("%s\n", test.row);
      std::exit(0);
    } else if (name == "--config") {
      options.config = ReadJsonObject(value());
    } else if (name == "--trigger") {
      options.trigger = ReadJsonObject(value());
    } else if (name == "--json") {
      options.json = true;
    } else if (name == "--row") {
      command.rows.push_back(value());
    } else if (name == "--timeout-factor") {
      options.timeout_factor = Number(name, value(), 1);
    } else if (name == "--run-library") {  // from here on: what ArgumentsFor writes
      options.library = value();
      path = options.library;
    } else if (name == "--run-manifest") {
      options.manifest = value();
    } else if (name == "--run-config") {
      options.config = value();
    } else if (name == "--run-trigger") {
      options.trigger = value();
    } else if (name == "--run-row") {
      options.run_row = value();
    } else if (name == "--run-part") {
      options.part = value();
    } else if (name == "--run-space") {
      options.space = value();
    } else if (name == "--run-board") {
      options.board = Number(name, value(), -1);
    } else if (name == "--run-shared") {
      options.shared = Number(name, value(), -1);
    } else if (!name.empty() && name.front() == '-') {
      Usage("unknown option " + name);
    } else if (path) {
      Usage(Text("one plugin at a time: ", *path, " or ", name));
    } else {
      path = name;
    }
  }
  if (!path) Usage("name a plugin's library or manifest");
  if (options.run_row.empty()) Locate(*path, options);
  return command;
}

std::vector<Test> Chosen(const std::vector<std::string>& rows) {
  std::vector<Test> all = AllTests();
  if (rows.empty()) return all;
  std::vector<Test> chosen;
  for (const std::string& row : rows) {
    bool found = false;
    for (const Test& test : all) {
      if (row != test.row) continue;
      chosen.push_back(test);
      found = true;
    }
    if (!found) Usage(Text("there is no row ", row, "; teal-plugin-check --rows names them"));
  }
  return chosen;
}

int Main(const std::vector<std::string>& arguments) {
  Command command = Parse(arguments);
  if (!command.options.run_row.empty()) {
    SetGiven(command.options);
    return RunChild();
  }
  const std::vector<Test> tests = Chosen(command.rows);
  SetGiven(command.options);
  return CheckAll(tests);
}

}  // namespace
}  // namespace teal::kit

int main(int argc, char** argv) {
  return teal::kit::Main(std::vector<std::string>(argv + 1, argv + argc));
}

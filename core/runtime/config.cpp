#include "core/runtime/config.h"

#include <yaml-cpp/yaml.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

namespace teal::runtime {
namespace {

namespace fs = std::filesystem;

// Where reading stops: one place that throws, caught in ParseConfig.
struct Wrong {
  YAML::Mark mark;
  std::string message;
  std::string hint;
};

std::string Text(const YAML::Node& node, const std::string& key) {
  if (!node.IsScalar()) throw Wrong{node.Mark(), key + " is a string", "write " + key + ": text"};
  return node.Scalar();
}

// A path that stays in the project's folder.
std::string Inside(const YAML::Node& node, const std::string& key) {
  const fs::path path = fs::path(Text(node, key)).lexically_normal();
  std::string text = path.string();
  while (text.ends_with('/')) text.pop_back();
  if (!text.empty() && path.is_relative() && *path.begin() != "..") return text;
  throw Wrong{node.Mark(), "python." + key + " lies in the project's folder", "write a relative path without .."};
}

uint64_t Count(const YAML::Node& node, const std::string& key, uint64_t most) {
  uint64_t value = 0;
  if (node.IsScalar() && YAML::convert<uint64_t>::decode(node, value) && value >= 1 && value <= most &&
      node.Scalar().find('-') == std::string::npos) {
    return value;
  }
  throw Wrong{node.Mark(), key + " is a whole number from 1 to " + std::to_string(most),
              "write, for example, " + key + ": 1000"};
}

// A number of seconds, or a duration as in programs: 500ms 5s 10m 2h 1d.
double Seconds(const YAML::Node& node, const std::string& key) {
  const std::string hint = "write, for example, " + key + ": 30s";
  if (!node.IsScalar()) throw Wrong{node.Mark(), key + " is a duration", hint};
  std::istringstream in(node.Scalar());
  in.imbue(std::locale::classic());
  double number = 0;
  std::string unit;
  in >> number;
  if (in.fail()) throw Wrong{node.Mark(), key + " is a duration", hint};
  std::getline(in, unit);
  double factor = 0;
  if (unit == "ms") factor = 1e-3;
  if (unit.empty() || unit == "s") factor = 1;
  if (unit == "m") factor = 60;
  if (unit == "h") factor = 3600;
  if (unit == "d") factor = 86400;
  if (factor == 0 || !std::isfinite(number) || number < 0) throw Wrong{node.Mark(), key + " is a duration", hint};
  return number * factor;
}

void ReadLimits(const YAML::Node& node, Limits* limits) {
  if (!node.IsMap()) throw Wrong{node.Mark(), "limits is a mapping", "write the limits below it, one a line"};
  constexpr uint64_t kMost = std::numeric_limits<uint32_t>::max();
  for (const auto& entry : node) {
    const std::string key = Text(entry.first, "a key of limits");
    if (key == "running_threads") {
      limits->running_threads = static_cast<uint32_t>(Count(entry.second, key, kMost));
    } else if (key == "living_threads") {
      limits->living_threads = static_cast<uint32_t>(Count(entry.second, key, kMost));
    } else if (key == "steps") {
      limits->steps = Count(entry.second, key, uint64_t{1} << 62);
    } else if (key == "spawn_depth") {
      limits->spawn_depth = static_cast<uint32_t>(Count(entry.second, key, 100'000));
    } else if (key == "cancel_grace") {
      limits->cancel_grace_seconds = Seconds(entry.second, key);
    }
  }
}

ProjectConfig Read(const YAML::Node& root) {
  ProjectConfig config;
  if (root.IsNull()) return config;
  if (!root.IsMap()) throw Wrong{root.Mark(), "teal.yaml is a mapping of keys to values", "begin with name: …"};
  for (const auto& entry : root) {
    const std::string key = Text(entry.first, "a key");
    if (key == "name") config.name = Text(entry.second, key);
    if (key == "main") config.main = Text(entry.second, key);
    if (key == "limits") ReadLimits(entry.second, &config.limits);
    if (key == "python") {
      if (!entry.second.IsMap()) {
        throw Wrong{entry.second.Mark(), "python is a mapping", "write interpreter: PATH below it"};
      }
      for (const auto& part : entry.second) {
        const std::string name = Text(part.first, "a key of python");
        if (name == "interpreter") config.interpreter = Text(part.second, "interpreter");
        if (name == "source") config.python_source = Inside(part.second, "source");
        if (name == "requirements") config.python_requirements = Inside(part.second, "requirements");
      }
    }
  }
  return config;
}

ConfigError ErrorAt(const std::string& file, const YAML::Mark& mark, std::string message, std::string hint) {
  ConfigError error;
  error.file = file;
  // A mark that is not known has negative numbers.
  error.line = mark.is_null() ? 1 : mark.line + 1;
  error.column = mark.is_null() ? 1 : mark.column + 1;
  error.message = std::move(message);
  error.hint = std::move(hint);
  return error;
}

}  // namespace

std::optional<std::string> FindProject(const std::string& folder) {
  std::error_code error;
  fs::path at = fs::absolute(folder.empty() ? "." : folder, error);
  if (error) return std::nullopt;
  at = at.lexically_normal();
  for (;;) {
    if (fs::is_regular_file(at / kConfigFileName, error)) return at.string();
    const fs::path parent = at.parent_path();
    if (parent == at || parent.empty()) return std::nullopt;
    at = parent;
  }
}

std::variant<ProjectConfig, ConfigError> ReadConfig(const std::string& folder) {
  const std::string file = (fs::path(folder) / kConfigFileName).string();
  std::ifstream in(file, std::ios::binary);
  std::string text(kConfigBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (!in.is_open())) return ErrorAt(file, {}, "cannot be read", "check that it is a file you may read");
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kConfigBytesMax) return ErrorAt(file, {}, "is larger than 1 MiB", "keep data out of teal.yaml");
  std::variant<ProjectConfig, ConfigError> config = ParseConfig(file, text);
  if (ProjectConfig* read = std::get_if<ProjectConfig>(&config)) read->folder = folder;
  return config;
}

std::variant<ProjectConfig, ConfigError> ParseConfig(const std::string& file, const std::string& text) {
  try {
    return Read(YAML::Load(text));
  } catch (const Wrong& wrong) {
    return ErrorAt(file, wrong.mark, wrong.message, wrong.hint);
  } catch (const YAML::Exception& e) {
    return ErrorAt(file, e.mark, "is not YAML: " + e.msg, "correct it at this place");
  } catch (const std::exception& e) {
    return ErrorAt(file, {}, std::string("cannot be read: ") + e.what(), "check that it is a YAML file");
  }
}

std::string InterpreterOf(const std::string& configured, const std::string& folder) {
  if (!configured.empty()) {
    const bool relative_path = configured.find('/') != std::string::npos && configured[0] != '/';
    return relative_path ? (fs::path(folder) / configured).string() : configured;
  }
  const fs::path venv = fs::path(folder) / ".venv" / "bin" / "python";
  std::error_code error;
  if (fs::exists(venv, error)) return venv.string();
  return "python3";
}

}  // namespace teal::runtime

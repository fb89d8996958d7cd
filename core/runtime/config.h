// teal.yaml: what a project says of itself.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "core/runtime/limits.h"

namespace teal::runtime {

struct ProjectConfig {
  std::string folder;               // absolute; where teal.yaml stands
  std::string name;                 // empty: not given
  std::string main;                 // the program, relative to `folder`; empty: not given
  std::string interpreter;          // python.interpreter as written; empty: not given
  std::string python_source;        // python.source: the folder of the code, relative to `folder`; empty: not given
  std::string python_requirements;  // python.requirements: a file, relative to `folder`; empty: not given
  Limits limits;
};

struct ConfigError {
  std::string file;
  int line = 1;    // from 1
  int column = 1;  // from 1
  std::string message;
  std::string hint;
};

inline constexpr char kConfigFileName[] = "teal.yaml";
inline constexpr size_t kConfigBytesMax = 1 << 20;

// `folder` or its nearest parent that has a teal.yaml; nullopt: none has.
std::optional<std::string> FindProject(const std::string& folder);
// Reads `folder`/teal.yaml. Keys that belong to others are left alone. Never throws.
std::variant<ProjectConfig, ConfigError> ReadConfig(const std::string& folder);
// The same for text; `file` is the name for messages.
std::variant<ProjectConfig, ConfigError> ParseConfig(const std::string& file, const std::string& text);

// The interpreter to run: what the config says (a relative path with a slash is relative to the project), else
// `folder`/.venv/bin/python if there is one, else python3.
std::string InterpreterOf(const std::string& configured, const std::string& folder);

}  // namespace teal::runtime

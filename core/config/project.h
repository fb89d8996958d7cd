// A project's configuration: teal.yaml with one stage laid over it, checked, and what the runtime takes of it.
#pragma once

#include <string>
#include <vector>

#include "core/config/tree.h"

namespace teal::config {

inline constexpr size_t kStageNameBytesMax = 40;

struct Project {
  runtime::ProjectConfig config;
  Node tree;                  // passed the schema, references well-formed and unresolved
  std::vector<Error> errors;  // at most kErrorsMax; with any of them `config` is not to be used
};

// Reads `folder`/teal.yaml and, unless stage is empty, `folder`/teal.<stage>.yaml. Runs and loads nothing. Never
// throws.
Project ReadProject(const std::string& folder, const std::string& stage);
// The same of texts; `file` names them in messages. stage_file empty: no stage.
Project ParseProject(const std::string& folder, const std::string& file, const std::string& text,
                     const std::string& stage_file = "", const std::string& stage_text = "");

// The names of the stages that `folder` has files of, sorted.
std::vector<std::string> StagesOf(const std::string& folder);

// Seconds of a duration that passed the schema.
double SecondsOf(const Node& duration);

}  // namespace teal::config

#include "core/config/project.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "core/config/reference.h"
#include "core/config/schema.h"
#include "core/host/file.h"

namespace teal::config {
namespace {

namespace fs = std::filesystem;

bool IsStageName(const std::string& name) {
  return !name.empty() && name.size() <= kStageNameBytesMax &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
             std::string::npos;
}

Error ErrorOfFile(const std::string& file, std::string message, std::string hint) {
  return Error{file, 1, 1, std::move(message), std::move(hint)};
}

bool ReadFile(const std::string& file, std::string* text, std::vector<Error>* errors) {
  Result<std::string> read = host::ReadSmallFile(file, runtime::kConfigBytesMax);
  if (read) {
    *text = std::move(*read);
    return true;
  }
  errors->push_back(read.failure().code == FailureCode::kTooLarge
                        ? ErrorOfFile(file, "is larger than 1 MiB", "keep data out of teal.yaml")
                        : ErrorOfFile(file, "cannot be read", "check that it is a file you may read"));
  return false;
}

template <typename Number>
void ReadCount(const Node& section, const char* key, Number* out) {
  if (const Node* const node = section.Find(key)) *out = ToJson(*node).get<Number>();
}

void ReadLimits(const Node& section, runtime::Limits* limits) {
  ReadCount(section, "running_threads", &limits->running_threads);
  ReadCount(section, "living_threads", &limits->living_threads);
  ReadCount(section, "steps", &limits->steps);
  ReadCount(section, "spawn_depth", &limits->spawn_depth);
  if (const Node* const grace = section.Find("cancel_grace")) limits->cancel_grace_seconds = SecondsOf(*grace);
}

// Texts that are needed at once, with their references to the environment.
class TextReader {
 public:
  TextReader(const Node& root, const std::string& folder, std::vector<Error>* errors)
      : resolver_(root, folder, Commands::kRefused), errors_(errors) {}

  void Read(const Node* section, const char* key, std::string* out) {
    const Node* const node = section == nullptr ? nullptr : section->Find(key);
    if (node == nullptr) return;
    if (node->text.find("${secret:") != std::string::npos) {
      errors_->push_back(ErrorAt(node->place, std::string(key) + " cannot be a secret: it is shown",
                                 "write it out, or take it from the environment with ${env:NAME}"));
      return;
    }
    auto text = resolver_.Text(*node);
    if (Error* const error = std::get_if<Error>(&text)) {
      errors_->push_back(std::move(*error));
    } else {
      *out = std::get<Secret>(text).Use();
    }
  }
  // A path that stays in the project's folder.
  void ReadInside(const Node* section, const char* key, std::string* out) {
    std::string text;
    Read(section, key, &text);
    if (section == nullptr || section->Find(key) == nullptr) return;
    const fs::path path = fs::path(text).lexically_normal();
    text = path.string();
    while (!text.empty() && text.back() == '/') text.pop_back();
    if (!text.empty() && path.is_relative() && *path.begin() != "..") {
      *out = text;
    } else {
      errors_->push_back(ErrorAt(section->Find(key)->place,
                                 "python." + std::string(key) + " lies in the project's folder",
                                 "write a relative path without .."));
    }
  }

 private:
  Resolver resolver_;
  std::vector<Error>* const errors_;
};

}  // namespace

double SecondsOf(const Node& duration) {
  double number = 0;
  const char* const begin = duration.text.data() + (duration.text[0] == '+' ? 1 : 0);
  const char* const end = duration.text.data() + duration.text.size();
  const std::string unit(std::from_chars(begin, end, number).ptr, end);
  if (unit == "ms") return number * 1e-3;
  if (unit == "m") return number * 60;
  if (unit == "h") return number * 3600;
  if (unit == "d") return number * 86400;
  return number;
}

std::vector<std::string> StagesOf(const std::string& folder) {
  constexpr std::string_view kBegin = "teal.";
  constexpr std::string_view kEnd = ".yaml";
  std::vector<std::string> stages;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.size() <= kBegin.size() + kEnd.size() || !name.starts_with(kBegin) || !name.ends_with(kEnd)) continue;
    std::string stage = name.substr(kBegin.size(), name.size() - kBegin.size() - kEnd.size());
    if (IsStageName(stage)) stages.push_back(std::move(stage));
  }
  std::sort(stages.begin(), stages.end());
  return stages;
}

Project ParseProject(const std::string& folder, const std::string& file, const std::string& text,
                     const std::string& stage_file, const std::string& stage_text) {
  Project project;
  project.config.folder = folder;
  auto tree = ParseTree(file, text);
  if (Error* const error = std::get_if<Error>(&tree)) {
    project.errors.push_back(std::move(*error));
    return project;
  }
  project.tree = std::move(std::get<Node>(tree));
  if (!stage_file.empty()) {
    auto over = ParseTree(stage_file, stage_text);
    if (Error* const error = std::get_if<Error>(&over)) {
      project.errors.push_back(std::move(*error));
      return project;
    }
    Merge(&project.tree, std::move(std::get<Node>(over)));
  }
  project.errors = CheckSchema(project.tree, ProjectSchema());
  if (!project.errors.empty()) return project;
  project.errors = CheckReferences(project.tree);
  if (!project.errors.empty()) return project;

  TextReader texts(project.tree, folder, &project.errors);
  texts.Read(&project.tree, "name", &project.config.name);
  texts.Read(&project.tree, "main", &project.config.main);
  const Node* const python = project.tree.Find("python");
  texts.Read(python, "interpreter", &project.config.interpreter);
  texts.Read(python, "version", &project.config.python_version);
  texts.ReadInside(python, "source", &project.config.python_source);
  texts.ReadInside(python, "requirements", &project.config.python_requirements);
  if (const Node* const limits = project.tree.Find("limits")) ReadLimits(*limits, &project.config.limits);
  return project;
}

Project ReadProject(const std::string& folder, const std::string& stage) {
  Project project;
  project.config.folder = folder;
  const std::string file = (fs::path(folder) / runtime::kConfigFileName).string();
  std::string text;
  if (!ReadFile(file, &text, &project.errors)) return project;
  if (stage.empty()) return ParseProject(folder, file, text);
  const std::vector<std::string> stages = StagesOf(folder);
  if (std::find(stages.begin(), stages.end(), stage) == stages.end()) {
    Error error = UnknownName(Place{std::make_shared<const std::string>(file)}, "stage", stage, stages);
    error.hint = stages.empty() ? "write teal.STAGE.yaml beside teal.yaml, or leave --stage out" : error.hint;
    project.errors.push_back(std::move(error));
    return project;
  }
  const std::string stage_file = (fs::path(folder) / ("teal." + stage + ".yaml")).string();
  std::string stage_text;
  if (!ReadFile(stage_file, &stage_text, &project.errors)) return project;
  return ParseProject(folder, file, text, stage_file, stage_text);
}

}  // namespace teal::config

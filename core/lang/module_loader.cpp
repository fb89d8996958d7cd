#include "core/lang/module_loader.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "core/lang/parser.h"
#include "core/lang/source_read.h"

namespace teal::lang {
namespace {

namespace fs = std::filesystem;

constexpr size_t kModulesMax = 10000;

// Whether there is nothing in it but what separates.
bool IsEmptyProgram(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return text.find_first_not_of(" \t\r\n\f\v;") == std::string_view::npos;
}

std::string Identity(const std::string& path) {
  std::error_code failed;
  const fs::path whole = fs::weakly_canonical(path, failed);
  return failed ? fs::path(path).lexically_normal().string() : whole.string();
}

}  // namespace

void ModuleLoader::Add(const std::string& name, std::string text, std::string identity) {
  files_.push_back(std::make_unique<SourceFile>(name, std::move(text)));
  LoadedModule& module = modules_.emplace_back();
  module.file = files_.back().get();
  const size_t before = diagnostics_.items().size();
  module.tree = Parse(*module.file, diagnostics_);
  for (size_t i = before; i < diagnostics_.items().size(); ++i) {
    const Diagnostic& item = diagnostics_.items()[i];
    if (item.severity == Severity::kError) module.error_lines.push_back(item.position.line);
  }
  std::sort(module.error_lines.begin(), module.error_lines.end());
  identities_.push_back(std::move(identity));
}

std::vector<LoadedModule> ModuleLoader::LoadFile(const std::string& path) {
  std::string text;
  SourceProblem problem;
  if (!ReadSourceFile(path, &text, &problem)) {
    diagnostics_.ErrorAt(path, problem.position, problem.message, problem.hint);
    return {};
  }
  return LoadText(path, std::move(text));
}

std::vector<LoadedModule> ModuleLoader::LoadText(const std::string& name, std::string text) {
  SourceProblem problem;
  if (!CheckSourceText(text, &problem)) {
    diagnostics_.ErrorAt(name, problem.position, problem.message, problem.hint);
    return {};
  }
  if (IsEmptyProgram(text)) {
    diagnostics_.ErrorAt(name, {1, 1}, "this program is empty", "write at least `fn main() { … }`");
    return {};
  }
  Add(name, std::move(text), Identity(name));
  LoadImports();
  CheckRings();
  return std::move(modules_);
}

// Breadth-first, so that the order of modules is that of first import and no depth of imports can hurt.
void ModuleLoader::LoadImports() {
  for (size_t i = 0; i < modules_.size(); ++i) {
    std::vector<int> imports;
    for (const Item& item : modules_[i].tree->items) {
      if (item.kind == ItemKind::kImportModule) imports.push_back(Import(i, item));
    }
    modules_[i].imports = std::move(imports);
  }
}

int ModuleLoader::Import(size_t from, const Item& item) {
  const SourceFile& file = *modules_[from].file;
  if (item.path.empty()) {
    diagnostics_.Error(file, item.path_span, "this import names no file",
                       "write for example import \"lib/util.tl\" as util");
    return -1;
  }
  const std::string path = (fs::path(file.name()).parent_path() / item.path).lexically_normal().string();
  std::string identity = Identity(path);
  const auto known = std::find(identities_.begin(), identities_.end(), identity);
  if (known != identities_.end()) return static_cast<int>(known - identities_.begin());
  if (modules_.size() >= kModulesMax) {
    diagnostics_.Error(file, item.path_span, "this program has more than " + std::to_string(kModulesMax) + " modules",
                       "join some of them");
    return -1;
  }
  std::string text;
  SourceProblem problem;
  if (!HasSourceSuffix(path)) {
    diagnostics_.Error(file, item.path_span, "`" + item.path + "` is no Teal file",
                       "a module's name ends in .tl or .hk; Python functions are imported with "
                       "`from src.main import f`");
    return -1;
  }
  if (!ReadSourceFile(path, &text, &problem)) {
    diagnostics_.Error(file, item.path_span, problem.message, problem.hint);
    return -1;
  }
  if (!CheckSourceText(text, &problem)) {
    diagnostics_.ErrorAt(path, problem.position, problem.message, problem.hint);
    return -1;
  }
  Add(path, std::move(text), std::move(identity));
  return static_cast<int>(modules_.size() - 1);
}

// Reports one ring, if there is any, at the import that closes it.
void ModuleLoader::CheckRings() {
  enum class State : uint8_t { kNew, kOpen, kDone };
  struct Visit {
    size_t module;
    size_t next;
  };
  std::vector<State> states(modules_.size(), State::kNew);
  std::vector<Visit> stack{{0, 0}};
  if (modules_.empty()) return;
  states[0] = State::kOpen;
  while (!stack.empty()) {
    Visit& top = stack.back();
    const LoadedModule& module = modules_[top.module];
    if (top.next == module.imports.size()) {
      states[top.module] = State::kDone;
      stack.pop_back();
      continue;
    }
    const size_t number = top.next++;
    if (module.imports[number] < 0) continue;
    const auto target = static_cast<size_t>(module.imports[number]);
    if (states[target] == State::kNew) {
      states[target] = State::kOpen;
      stack.push_back({target, 0});
    } else if (states[target] == State::kOpen) {
      std::string ring;
      bool inside = false;
      for (const Visit& visit : stack) {
        inside = inside || visit.module == target;
        if (inside) ring += modules_[visit.module].file->name() + " → ";
      }
      ring += modules_[target].file->name();
      size_t seen = 0;
      for (const Item& item : module.tree->items) {
        if (item.kind != ItemKind::kImportModule || seen++ != number) continue;
        diagnostics_.Error(*module.file, item.path_span, "modules import each other in a ring: " + ring,
                           "move what they share into a module that imports none of them");
      }
      return;
    }
  }
}

}  // namespace teal::lang

#include "core/lang/module_loader.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "core/lang/parser.h"
#include "core/vm/value.h"

namespace teal::lang {
namespace {

namespace fs = std::filesystem;

constexpr size_t kProgramBytesMax = 50u << 20;
static_assert(kProgramBytesMax <= kSourceBytesMax);
constexpr size_t kModulesMax = 10000;

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

std::string Identity(const std::string& path) {
  std::error_code failed;
  const fs::path whole = fs::weakly_canonical(path, failed);
  return failed ? fs::path(path).lexically_normal().string() : whole.string();
}

bool HasSourceSuffix(const std::string& path) {
  return path.ends_with(".tl") || path.ends_with(".hk");
}

}  // namespace

bool ModuleLoader::Read(const std::string& path, std::string* text, std::string* message, std::string* hint) const {
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  if (status.type() == fs::file_type::not_found) {
    *message = "there is no file " + path;
    *hint = "check the path; an import's is relative to the importing file";
    if (!HasSourceSuffix(path) && fs::exists(path + ".tl", failed)) *hint = "did you mean " + path + ".tl?";
    return false;
  }
  if (status.type() == fs::file_type::directory) {
    *message = path + " is a folder";
    *hint = "name a source file in it, such as " + (fs::path(path) / "main.tl").string();
    return false;
  }
  const std::unique_ptr<std::FILE, FileCloser> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) {
    *message = "cannot read " + path + ": " + std::strerror(errno);
    *hint = "check the file's permissions";
    return false;
  }
  char buffer[65536];
  for (size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, file.get())) > 0;) {
    text->append(buffer, got);
    if (text->size() > kProgramBytesMax) break;  // CheckText says so
  }
  if (std::ferror(file.get()) != 0) {
    *message = "cannot read " + path + ": " + std::strerror(errno);
    *hint = "check the file and its file system";
    return false;
  }
  return true;
}

bool ModuleLoader::CheckText(const std::string& text, std::string* message, std::string* hint,
                             Position* position) const {
  if (text.size() > kProgramBytesMax) {
    *message = "this file is larger than " + std::to_string(kProgramBytesMax >> 20) + " MB";
    *hint = "a source file that large is likely data: keep data in a file that the program's Python code reads";
    return false;
  }
  if (vm::IsValidUtf8(text)) return true;
  // The first line that is not UTF-8 has the first wrong byte.
  uint32_t line = 1;
  size_t begin = 0;
  while (begin < text.size()) {
    size_t end = text.find('\n', begin);
    if (end == std::string::npos) end = text.size();
    if (!vm::IsValidUtf8(std::string_view(text).substr(begin, end - begin))) break;
    begin = end + 1;
    ++line;
  }
  uint32_t column = 1;
  size_t at = begin;
  for (size_t size = 1; at < text.size(); ++column) {
    for (size = 1; size <= 4 && !vm::IsValidUtf8(std::string_view(text).substr(at, size)); ++size) {
    }
    if (size > 4) break;
    at += size;
  }
  *position = {line, column};
  *message = "this file is not UTF-8";
  *hint = "save it as UTF-8; the first wrong byte is number " + std::to_string(at + 1);
  return false;
}

void ModuleLoader::Add(const std::string& name, std::string text, std::string identity) {
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);  // a byte order mark says nothing in UTF-8
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
  std::string text, message, hint;
  if (!Read(path, &text, &message, &hint)) {
    diagnostics_.ErrorAt(path, {1, 1}, message, hint);
    return {};
  }
  return LoadText(path, std::move(text));
}

std::vector<LoadedModule> ModuleLoader::LoadText(const std::string& name, std::string text) {
  std::string message, hint;
  Position position;
  if (!CheckText(text, &message, &hint, &position)) {
    diagnostics_.ErrorAt(name, position, message, hint);
    return {};
  }
  const bool blank = text.find_first_not_of(" \t\r\n\f\v") == std::string::npos;
  if (blank) {
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
  std::string text, message, hint;
  Position position;
  if (!HasSourceSuffix(path)) {
    diagnostics_.Error(file, item.path_span, "`" + item.path + "` is no Teal file",
                       "a module's name ends in .tl or .hk; Python functions are imported with "
                       "`from src.main import f`");
    return -1;
  }
  if (!Read(path, &text, &message, &hint)) {
    diagnostics_.Error(file, item.path_span, message, hint);
    return -1;
  }
  if (!CheckText(text, &message, &hint, &position)) {
    diagnostics_.ErrorAt(path, position, message, hint);
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

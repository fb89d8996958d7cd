#include "core/lang/check_python.h"

#include <filesystem>
#include <system_error>

namespace teal::lang {
namespace {

namespace fs = std::filesystem;

bool IsFile(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}
bool IsFolder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

}  // namespace

// A module is looked for where Python looks first: in the project's folder. What can be decided without Python:
//  - `a.b.c` whose first part is a folder or file of the project must be there to its end.
//  - Any other first part may be an installed package or the standard library: Python decides when the program starts,
//    and reports a missing one before any code runs.
//  - `src` is no such name by convention: a dotted module whose first part is `src` always belongs to the project.
void CheckPythonModule(Program& program, Unit& unit, const Item& item) {
  const std::string& module = item.module.text;
  if (module.empty()) return;
  const fs::path root = program.options.project_folder;
  fs::path at = root;
  std::string seen;
  for (size_t begin = 0; begin <= module.size();) {
    const size_t end = std::min(module.find('.', begin), module.size());
    const std::string part = module.substr(begin, end - begin);
    const bool first = begin == 0;
    const bool last = end == module.size();
    seen += (first ? "" : "/") + part;
    const fs::path next = at / part;
    const bool is_file = IsFile(next.string() + ".py");
    const bool is_folder = IsFolder(next);
    if (last ? is_file || is_folder : is_folder) {
      at = next;
      begin = end + 1;
      continue;
    }
    // An extension module, or a module that makes its own submodules: nothing a look at files could tell.
    if (!last && is_file) return;
    if (first && !(part == "src" && !last)) return;
    std::error_code ignored;
    if (last && IsFolder(at)) {
      for (const auto& entry : fs::directory_iterator(at, ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with(part + ".") &&
            (name.ends_with(".so") || name.ends_with(".pyd") || name.ends_with(".pyc"))) {
          return;
        }
      }
    }
    const std::string wanted = seen + (last ? ".py" : "");
    program.diagnostics->Error(*unit.file, item.module.span, "the Python module `" + module + "` is not there",
                               "there is no " + wanted + " in " + (root.empty() ? "." : root.string()));
    return;
  }
}

}  // namespace teal::lang

#include "core/serve/package_source.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>

#include "core/host/file.h"

namespace teal::serve {
namespace {

namespace fs = std::filesystem;

constexpr char kHint[] =
    "; name the folder that holds the program's Python code alone in teal.yaml, as python: {source: src}";

bool IsLeftOut(const std::string& name) {
  // What begins with a dot is of tools, or secret: .git, .venv, .teal, .env.
  return name.front() == '.' || name == "__pycache__" || name == "node_modules" || name.ends_with(".pyc");
}

// Calls a function with every file of the package: its path in the package, and its true path with what stat says.
class Walk {
 public:
  using Visit = std::function<Status(const std::string& path, const std::string& file, const struct stat& status)>;
  Walk(const PackageSource& source, Visit visit) : source_(source), visit_(std::move(visit)) {
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(source.folder.c_str(), nullptr), &std::free);
    if (real != nullptr) root_ = real.get();
  }

  Status Go() {
    if (root_.empty()) {
      return Fail(FailureCode::kUnavailable,
                  source_.folder + ": cannot be read: " + host::ErrnoText(errno == 0 ? ENOENT : errno));
    }
    if (source_.part.empty()) return Folder("", source_.folder, false, 1);
    if (source_.part == ".") return Folder("", source_.folder, true, 1);
    return Folder(source_.part, source_.folder + "/" + source_.part, true, 1);
  }

 private:
  // The names in a folder, sorted; false: it cannot be read.
  static bool Names(const std::string& folder, std::vector<std::string>* names) {
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), &::closedir);
    if (open == nullptr) return false;
    while (const dirent* entry = ::readdir(open.get())) {
      if (!IsLeftOut(entry->d_name)) names->emplace_back(entry->d_name);
    }
    std::sort(names->begin(), names->end());
    return true;
  }

  bool IsImported(const std::string& name) const {
    return std::any_of(source_.modules.begin(), source_.modules.end(), [&](const std::string& module) {
      const std::string first = module.substr(0, module.find('.'));
      return name == first || name == first + ".py";
    });
  }

  bool LeadsOut(const std::string& file) const {
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(file.c_str(), nullptr), &std::free);
    if (real == nullptr) return true;
    const std::string_view target = real.get();
    return target != root_ && !target.starts_with(root_ == "/" ? root_ : root_ + "/");
  }

  // Beside the program: folders that are imported, and those with Python files in them.
  bool IsWanted(const std::string& name, const std::string& folder) const {
    std::vector<std::string> names;
    return IsImported(name) || (Names(folder, &names) && std::any_of(names.begin(), names.end(), [](const auto& one) {
                                  return one.ends_with(".py");
                                }));
  }

  Status Folder(const std::string& path, const std::string& folder, bool all, size_t depth) {
    std::vector<std::string> names;
    if (!Names(folder, &names)) {
      return Fail(FailureCode::kUnavailable, folder + ": cannot be read: " + host::ErrnoText(errno));
    }
    for (const std::string& name : names) {
      const std::string file = folder + "/" + name;
      const std::string inner = path.empty() ? name : path + "/" + name;
      struct stat status{};
      if (::lstat(file.c_str(), &status) != 0) continue;  // gone meanwhile
      if (S_ISLNK(status.st_mode)) {
        if (LeadsOut(file)) {
          if (!all && !IsImported(name) && !name.ends_with(".py")) continue;
          return Fail(FailureCode::kInvalid, file + " is a link that leads out of " + source_.folder +
                                                 ", or nowhere: a package holds its files itself" + kHint);
        }
        if (::stat(file.c_str(), &status) != 0) continue;
      }
      if (S_ISDIR(status.st_mode)) {
        struct stat environment{};
        if (::stat((file + "/pyvenv.cfg").c_str(), &environment) == 0) continue;
        if (!all && !IsWanted(name, file)) continue;
        if (depth >= runtime::kPackagePartsMax) {
          return Fail(FailureCode::kTooLarge, file + ": folders go deeper than " +
                                                  std::to_string(runtime::kPackagePartsMax) +
                                                  ", or a link makes a circle" + kHint);
        }
        if (Status walked = Folder(inner, file, true, depth + 1); !walked) return walked;
      } else if (S_ISREG(status.st_mode) && (all || name.ends_with(".py"))) {
        if (++files_ > runtime::kPackageFilesMax) {
          return Fail(FailureCode::kTooLarge, source_.folder + " has more than " +
                                                  std::to_string(runtime::kPackageFilesMax) + " files" + kHint);
        }
        if (Status visited = visit_(inner, file, status); !visited) return visited;
      }
    }
    return Unit{};
  }

  const PackageSource& source_;
  const Visit visit_;
  std::string root_;  // without links
  size_t files_ = 0;
};

bool SaysNothing(const std::string& requirements) {
  bool at_start = true, comment = false;
  for (const char c : requirements) {
    if (c == '\n') {
      at_start = true;
      comment = false;
    } else if (at_start && c == '#') {
      comment = true;
    } else if (!comment && c != ' ' && c != '\t' && c != '\r') {
      return false;
    } else if (c != ' ' && c != '\t') {
      at_start = false;
    }
  }
  return true;
}

}  // namespace

PackageSource SourceOf(const runtime::ProjectConfig& config, const vm::Program& program) {
  PackageSource source;
  source.folder = config.folder;
  source.part = config.python_source;
  while (source.folder.size() > 1 && source.folder.back() == '/') source.folder.pop_back();
  for (const vm::Import& import : program.imports()) source.modules.push_back(import.module);
  if (!config.python_requirements.empty()) {
    source.requirements = (fs::path(config.folder) / config.python_requirements).lexically_normal().string();
    return source;
  }
  for (const char* name : {"requirements.lock", "requirements.txt"}) {
    const std::string file = config.folder + "/" + name;
    struct stat status{};
    if (::stat(file.c_str(), &status) != 0) continue;
    source.requirements = file;
    break;
  }
  return source;
}

Result<runtime::Package> CollectPackage(const PackageSource& source) {
  runtime::Package package;
  size_t total = 0;
  Walk walk(source, [&](const std::string& path, const std::string& file, const struct stat&) -> Status {
    if (const std::string why = runtime::WhyNoPackagePath(path); !why.empty()) {
      return Fail(FailureCode::kInvalid, file + ": its path " + why + ", and so it cannot be in a package");
    }
    Result<std::string> bytes = host::ReadSmallFile(file, runtime::kPackageBytesMax - total);
    if (!bytes && bytes.failure().code == FailureCode::kTooLarge) {
      return Fail(FailureCode::kTooLarge, "the Python code in " + source.folder + " has more than " +
                                              std::to_string(runtime::kPackageBytesMax >> 20) + " MiB, up to " + file +
                                              kHint);
    }
    if (!bytes) return bytes.failure();
    total += bytes->size();
    package.files.push_back({path, std::move(*bytes)});
    return Unit{};
  });
  if (Status walked = walk.Go(); !walked) return walked.failure();
  if (source.requirements.empty()) return package;
  Result<std::string> text = host::ReadSmallFile(source.requirements, runtime::kPackageRequirementsMax);
  if (!text) return text.failure();
  if (!SaysNothing(*text)) package.requirements = std::move(*text);
  return package;
}

std::string GlanceAt(const PackageSource& source) {
  std::string seen;
  const auto add = [&seen](const std::string& path, const struct stat& status) {
    seen += path + "\n" + std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec) + " " +
            std::to_string(status.st_size) + " " + std::to_string(status.st_ino) + "\n";
  };
  Walk walk(source, [&](const std::string& path, const std::string&, const struct stat& status) -> Status {
    add(path, status);
    return Unit{};
  });
  if (const Status walked = walk.Go(); !walked) seen += walked.failure().message;
  struct stat status{};
  if (!source.requirements.empty() && ::stat(source.requirements.c_str(), &status) == 0) {
    add(source.requirements, status);
  }
  return seen;
}

}  // namespace teal::serve

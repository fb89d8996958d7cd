#include "core/runtime/config.h"

#include <filesystem>

namespace teal::runtime {
namespace fs = std::filesystem;

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

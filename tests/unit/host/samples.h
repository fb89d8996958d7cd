// Folders and plugins for the tests.
#pragma once

#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "core/base/sha256.h"
#include "core/host/manifest.h"

namespace teal::host {

namespace fs = std::filesystem;

class TempFolder {
 public:
  TempFolder() {
    std::string name = (fs::temp_directory_path() / "teal-host-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TempFolder() {
    std::error_code error;
    fs::remove_all(path_, error);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline void WriteFile(const std::string& path, const std::string& text) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

inline nlohmann::json SampleManifest(const std::string& sha256) {
  return {{"manifest", 1},
          {"id", "sample"},
          {"version", "1.0"},
          {"description", "for tests"},
          {"library", "sample.so"},
          {"sha256", sha256},
          {"abi", {{"major", 1}, {"minor", 0}, {"host_minor_min", 0}}},
          {"interfaces", {"teal.memory/1"}},
          {"config", {{"type", "object"}}}};
}

// Puts `library` (its bytes) into the folder as sample.so, with a manifest that fits but for `changes`.
inline std::string PutPlugin(const std::string& folder, const std::string& library,
                             const nlohmann::json& changes = {}) {
  WriteFile(folder + "/sample.so", library);
  nlohmann::json manifest = SampleManifest(Hex(Sha256Of(library)));
  if (!changes.is_null()) manifest.merge_patch(changes);
  WriteFile(folder + "/sample.teal-plugin.json", manifest.dump());
  return folder + "/sample.teal-plugin.json";
}

// The bytes of one of the libraries that CMakeLists.txt builds. Each copy is made unlike every other, so that the
// process loads it anew.
inline std::string Sample(const std::string& name) {
  static int copies = 0;
  return ReadFile(std::string(TEAL_SAMPLES) + "/" + name + ".so") + std::to_string(++copies);
}

// For EXPECT_EXIT: ended by the signal; under a sanitizer, which takes the signal over, in any bad way.
inline auto DiedBy(int signal) {
  return [signal](int status) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(TEAL_SANITIZED)
    if (WIFEXITED(status)) return WEXITSTATUS(status) != 0;
#endif
    return WIFSIGNALED(status) && WTERMSIG(status) == signal;
  };
}

}  // namespace teal::host

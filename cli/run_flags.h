// `teal run` as it stands on the command line. A run that is kept is left to teal-serve, which reads the same words
// again.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace teal::cli {

struct RunFlags {
  std::string file;
  std::string function = "main";
  std::vector<std::string> arguments;
  std::string memory = "none";
  std::string memory_config;
  std::string resume;  // a session id
  std::string move_from;
  bool no_optimize = false;

  bool IsKept() const { return memory != "none" || !resume.empty(); }
};

// flags: outlives `app`.
CLI::App* AddRunCommand(CLI::App& app, RunFlags* flags);

}  // namespace teal::cli

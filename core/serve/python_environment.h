// Virtual environments of Python, one for each lock file and interpreter: DATA/python/<sha256>/. Made once, by
// `python -m venv` and pip, and then left as they are.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace teal::serve {

// For one thread at a time, but for Stop.
class PythonEnvironments {
 public:
  // data: the host's folder. Nothing is made before it is needed.
  explicit PythonEnvironments(const std::string& data) : folder_(data + "/python") {}

  // The interpreter of the environment in which the requirements are installed. Blocks, for minutes when they have to
  // be fetched. kUnavailable: with the end of what pip or venv said. The file `failed.log` in the folder has all of it.
  Result<std::string> Provide(const std::string& requirements, const std::string& interpreter);
  // From any thread: what is under way ends, and fails.
  void Stop() { stopped_ = true; }

 private:
  Status Run(const std::vector<std::string>& words, const std::string& log, const std::string& what);

  const std::string folder_;
  std::atomic<bool> stopped_{false};
};

}  // namespace teal::serve

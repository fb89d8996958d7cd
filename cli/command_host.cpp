// The commands around a host: left to teal-serve, the executable beside this one.
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "core/host/file.h"

namespace teal::cli {

int RunBeside(const Globals& globals, const std::string& executable, std::vector<std::string> words) {
  const std::string path = host::ExecutableFolder() + "/" + executable;
  words.insert(words.begin(), path);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(path.c_str(), arguments.data());
  ReportError(globals, path + " cannot be run: " + host::ErrnoText(errno), "it comes with teal; install teal again");
  return kExitNotFound;
}

}  // namespace teal::cli

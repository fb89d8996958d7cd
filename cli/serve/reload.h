// The program of a project that a host serves, and its changes.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "cli/globals.h"
#include "cli/program.h"
#include "cli/serve/wiring.h"

namespace teal::cli {

// For one thread.
class Reloader {
 public:
  // file: the program's. sessions: outlives this.
  Reloader(const Globals& globals, std::string file, HostedSessions* sessions);

  // New sessions take the program. kExitDone, or reported.
  int Begin(LoadedProgram loaded);
  // If files of the program have changed since the last look, and not since the one before: it is compiled, its Python
  // code loaded, and new sessions take it. What is wrong is reported, and changes nothing. A version that it replaces
  // is removed, unless sessions keep it. True: they were taken.
  bool Look();

 private:
  std::string Glance() const;

  const Globals& globals_;
  const std::string file_;
  const std::string name_;
  HostedSessions* const sessions_;
  LoadedProgram loaded_;  // the last that was taken
  std::string hash_;
  std::string taken_;  // how the files looked then
  std::string seen_;   // and at the last look
};

}  // namespace teal::cli

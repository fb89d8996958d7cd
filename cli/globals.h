// What every command knows: the flags of cli.md, "Everywhere".
#pragma once

#include <string>
#include <vector>

namespace teal::cli {

enum ExitCode : int {
  kExitDone = 0,
  kExitFailed = 1,  // the session failed or was cancelled; a test failed
  kExitUsage = 2,   // usage, compile or config error
  kExitUnreachable = 3,
  kExitNotFound = 4,
  kExitRefused = 5,  // key, permission, conflict; a library not to be trusted
  kExitMoved = 75,   // TEAL_MOVE_AT: the program was written down
  kExitInterrupted = 130,
};

struct Globals {
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  std::string color = "auto";  // auto, always, never
  std::string project;         // empty: the nearest parent with a teal.yaml
  std::string backend = "local";
  std::string stage;
  std::string key;
  std::vector<std::string> plugins;  // of --plugin
  std::vector<std::string> typed;    // the words of the command line

  // Whether what goes to stderr is coloured.
  bool ColorOnStderr() const;
};

// "teal: error: message" and "hint: …" on stderr, or the JSON form of a diagnostic without a place on stdout.
void ReportError(const Globals& globals, const std::string& message, const std::string& hint);

}  // namespace teal::cli

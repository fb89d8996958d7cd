// What a process of the kit was started with: by a person, or by the kit itself (one process a test, and the further
// processes some tests need). Set once in main, constant afterwards.
#pragma once

#include <string>
#include <vector>

namespace teal::kit {

struct Options {
  std::string library;        // absolute path of the plugin's library
  std::string manifest;       // absolute path of the manifest beside it, or empty
  std::string config = "{}";  // the plugin's section of teal.yaml as JSON
  std::string trigger;        // a trigger's section as JSON, or empty: the TRG rows are not offered
  bool json = false;
  std::string row;         // empty: all rows
  int timeout_factor = 1;  // of all times allowed

  // Of processes that the kit started itself.
  std::string run_row;  // the row to test
  std::string part;     // empty: the test's main process
  std::string space;    // begins every partition the test uses: a store may be used by many tests and many runs
  int board = -1;       // descriptor of the Board to speak to
  int shared = -1;      // of memory that a test's processes share, or -1
};

const Options& Given();
void SetGiven(Options options);

// The arguments that start this executable again for a test's process. `Given()` with the fields above.
std::vector<std::string> ArgumentsFor(const Options& options);

}  // namespace teal::kit

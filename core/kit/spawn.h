// Processes of the kit: one for each test, and the parts of a test that need a process of their own.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/kit/options.h"
#include "core/kit/verdict.h"

namespace teal::kit {

// What became of a process.
struct Ending {
  bool timed_out = false;  // it was killed for it
  int wait_status = 0;     // as waitpid gives it
};
// "exit code 3", "killed by signal 11 (Segmentation fault)".
std::string Describe(const Ending& ending);

// A process that runs this executable again with `options`. Standard output and error go to a file in memory.
// Not thread-safe.
class Process {
 public:
  // own_group: the process leads a group, so that Kill reaches what it starts itself.
  Process(Options options, bool own_group);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Empty if it runs, else why it could not be started.
  const std::string& error() const { return error_; }
  pid_t pid() const { return pid_; }
  const Board& board() const { return *board_; }
  // Waits for its end; past timeout_s it is killed.
  Ending Wait(int timeout_s);
  void Kill();
  bool Running();
  // The last bytes it wrote to standard output and error.
  std::string Output(std::size_t bytes_max) const;

 private:
  bool own_group_;
  pid_t pid_ = -1;
  bool ended_ = false;
  Ending ending_;
  Board* board_ = nullptr;
  int board_file_ = -1;
  int output_ = -1;
  std::string error_;
};

// What a test's process found, in one: its own verdict, or what became of it instead.
struct Finding {
  Result result = Result::kNone;
  std::string detail;
};
Finding Judge(Process& process, int timeout_s);

}  // namespace teal::kit

// Foreign code at the moments it is likeliest to fail: while it is loaded, opened and closed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace teal::host {

// While it lives, a crash of this thread (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP; a stack overflow
// too) prints
//   teal: error: plugin "x" crashed in open (SIGSEGV); …
// on standard error before the process ends as it would have. Also a call of exit. Guards nest on a thread; the
// innermost speaks. While any guard lives the handlers are the process's; a thread the plugin started is told as well,
// with every guarded plugin's name.
class CrashGuard {
 public:
  // `what`: `plugin "x"`; `doing`: "open".
  CrashGuard(const std::string& what, const char* doing);
  ~CrashGuard();
  CrashGuard(const CrashGuard&) = delete;
  CrashGuard& operator=(const CrashGuard&) = delete;

  struct Entry;
  Entry* entry() const { return entry_; }  // NULL: one guard too many

 private:
  Entry* const entry_;
};

// Runs `work` on a thread of its own, under a CrashGuard and with all other signals blocked, and waits for it; false if
// it takes longer than `ns_max`. Then the thread is given up: what `work` refers to must live for ever, so it owns it.
// If it comes back after all, `late` is called on that thread.
bool RunWithin(uint64_t ns_max, const std::string& what, const char* doing, std::function<void()> work,
               std::function<void()> late);

// A thread that hangs in a library's initialiser holds the dynamic loader's lock, and a normal exit waits for it: from
// now on exit() flushes the C streams and ends at once.
void ExitWithoutTheLoader();

}  // namespace teal::host

// Traces that run through several threads: from the entry point, by the calls that spawned each thread, to the failing
// line.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/vm/thread.h"

namespace teal::runtime {

// Of a stack deeper than this, the outermost and the innermost halves are kept.
inline constexpr size_t kSpawnFramesMax = 64;

// Where a thread was spawned: the stack of its spawner, cheap to take, and where that one was spawned. Immutable;
// lives as long as the session.
struct SpawnSite {
  struct Place {
    uint32_t function;  // index into the program's functions
    uint32_t pc;
    bool operator==(const Place&) const = default;
  };
  const SpawnSite* outer = nullptr;  // of the spawner; null: it is the main thread
  std::string tid;                   // of the spawner
  std::vector<Place> places;         // outermost first; the library's functions left out
};

// Precondition: `spawner` stopped to ask for the spawn.
std::unique_ptr<const SpawnSite> SpawnSiteOf(const vm::Thread& spawner, const SpawnSite* outer);

// The error with a trace from the entry point, for an error that ended thread `tid`, spawned at `site` (null: the main
// thread). An error that came from another thread has its whole trace already and stays as it is.
vm::Value WithWholeTrace(vm::Value error, std::string_view tid, const SpawnSite* site, const vm::Program& program);

// The error with `thread`'s own trace before the frames it has (those of foreign code, or none).
vm::Value WithTraceOf(const vm::Thread& thread, vm::Value error);

}  // namespace teal::runtime

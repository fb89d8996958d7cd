// The tables this plugin gives, and how a call that waits for the disk is put on a thread that may.
#pragma once

#include <teal/abi.h>

#include <exception>
#include <memory>
#include <new>
#include <utility>

#include "plugins/local/workers.hpp"
#include "teal/plugin.hpp"

namespace teal::local {

extern const teal_memory kMemoryTable;
extern const teal_threads kThreadsTable;

// Runs `body(Done&)` on a worker; whatever it throws becomes the call's error. Ends the call as closed where the
// workers have stopped.
template <typename Body>
void OnWorker(Workers& workers, plugin::Done done, Body body) {
  const auto shared = std::make_shared<plugin::Done>(std::move(done));
  const bool taken = workers.Add([shared, body] {
    try {
      body(*shared);
    } catch (const std::bad_alloc&) {
      if (*shared) shared->Fail({TEAL_NO_MEMORY, "out of memory"});
    } catch (const std::exception& e) {
      if (*shared) shared->Fail({TEAL_INTERNAL, e.what(), TEAL_OUTCOME_UNKNOWN});
    }
  });
  if (!taken) shared->Fail({TEAL_CLOSED, "closed before the call was begun"});
}

}  // namespace teal::local

// The engine behind a host: durable sessions over the plugin `local`, with Python for the program's steps.
#pragma once

#include <memory>
#include <string>

#include "cli/globals.h"
#include "cli/program.h"
#include "core/runtime/service.h"

namespace teal::cli {

enum class Serving {
  kAll,         // whatever is due
  kOneSession,  // what is asked for, and nothing else
};

class HostedSessions {
 public:
  virtual ~HostedSessions() = default;
  virtual runtime::SessionService& service() = 0;
  // It is about to end by itself: no session is held to have ended it, however it goes on. Thread-safe.
  virtual void WillStop() = 0;
  // Begins nothing more; comes back when what was on its way is durable. Calls that wait have been answered.
  virtual void Stop() = 0;
};

// loaded: without a program, sessions are only gone on with. data: the host's folder; the store is in its folder
// `store`. name: of the program, for people. Null: reported, and *code is the exit code.
std::unique_ptr<HostedSessions> OpenSessions(const Globals& globals, const LoadedProgram& loaded,
                                             const std::string& name, const std::string& data, Serving serving,
                                             int* code);

}  // namespace teal::cli

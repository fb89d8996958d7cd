// The engine behind a host: durable sessions over the plugin of a memory, with Python for the program's steps.
#pragma once

#include <memory>
#include <string>

#include "cli/globals.h"
#include "cli/program.h"
#include "core/host/instance.h"
#include "core/runtime/service.h"
#include "core/runtime/store.h"

namespace teal::cli {

enum class Serving {
  kAll,         // whatever is due
  kOneSession,  // what is asked for, and nothing else
};

// Which plugin keeps the sessions.
struct MemoryChoice {
  std::string plugin = "local";
  std::string config_file;      // JSON; empty: none is needed, or it is `local`'s own
  uint32_t lease_seconds = 30;  // where several hosts share it
};

class HostedSessions {
 public:
  virtual ~HostedSessions() = default;
  virtual runtime::SessionService& service() = 0;
  // Where all is kept; the same for single records, sealed where teal.yaml gives a key.
  virtual host::Instance& memory() = 0;
  virtual runtime::Store& store() = 0;
  // It is about to end by itself: no session is held to have ended it, however it goes on. Thread-safe.
  virtual void WillStop() = 0;
  // Carries sessions from now on. Use and UseNewest do it, if nobody did.
  virtual void Begin() = 0;
  // Packs the program's Python code, loads it, and lets new sessions take the program. Blocks. name: for people. An
  // exit code: kExitDone, or what is wrong has been reported and nothing has changed. *hash, if it is not null: the
  // program's.
  virtual int Use(const LoadedProgram& loaded, const std::string& name, std::string* hash) = 0;
  // New sessions take the program that was activated last. kNotFound: none ever was.
  virtual Status UseNewest() = 0;
  // Begins nothing more; comes back when what was on its way is durable. Calls that wait have been answered.
  virtual void Stop() = 0;
};

// config: outlives what is given. data: the host's folder; the store of `local` is in its folder `store`, packages in
// `packages`, environments of Python in `python`. Null: reported, and *code is the exit code.
std::unique_ptr<HostedSessions> OpenSessions(const Globals& globals, const runtime::ProjectConfig& config,
                                             const std::string& data, const MemoryChoice& memory, Serving serving,
                                             int* code);

}  // namespace teal::cli

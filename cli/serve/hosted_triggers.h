// The triggers of a project's teal.yaml on a host: found, opened and started, and taken anew when the file changes.
#pragma once

#include <memory>
#include <string>

#include "cli/globals.h"
#include "cli/serve/wiring.h"
#include "core/host/services.h"
#include "core/serve/keys.h"
#include "core/trigger/triggers.h"

namespace teal::cli {

// For one thread, but for service().
class HostedTriggers {
 public:
  // folder: of the project. data: the host's. sessions, keys: outlive this. Null: reported.
  static std::unique_ptr<HostedTriggers> Open(const Globals& globals, const std::string& folder,
                                              const std::string& data, HostedSessions* sessions, serve::KeyRing* keys);
  ~HostedTriggers();

  trigger::TriggerService* service() { return triggers_.get(); }
  // Where requests go that are not the control API's.
  const std::shared_ptr<host::HttpServer>& requests() const { return requests_; }
  // What teal.yaml says now. kExitDone, or reported; then what ran goes on where it can.
  int Apply();
  // No new events. Before the sessions stop.
  void Stop() { triggers_->Stop(); }

 private:
  HostedTriggers(const Globals& globals, std::string folder, std::string data)
      : globals_(globals), folder_(std::move(folder)), data_(std::move(data)) {}

  const Globals& globals_;
  const std::string folder_;
  const std::string data_;
  const std::shared_ptr<host::HttpServer> requests_ = std::make_shared<host::HttpServer>();
  std::unique_ptr<host::Services> services_;
  std::unique_ptr<trigger::Triggers> triggers_;
};

}  // namespace teal::cli

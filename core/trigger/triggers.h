// The triggers of a host: loads the plugin of each kind, starts the triggers, and makes of every event one durable
// session. Nothing here knows a kind by name.
//
// An event goes: emitted -> started (the session's id comes from source and id, so that a repeat finds the first) ->
// accepted, after the commit. What the host cannot take now is rejected with a growing delay; what will never fit goes,
// after kAttemptsMax, to the dead letters, which are kept in the host's memory, and is accepted then. A trigger has at
// most kCreditOfTrigger events on their way.
//
// One thread of its own does the work; the plugins' callbacks only put into its queue.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/host/plugin.h"
#include "core/host/services.h"
#include "core/runtime/service.h"
#include "core/runtime/store.h"
#include "core/trigger/service.h"

namespace teal::trigger {

inline constexpr uint64_t kCreditOfTrigger = 256;
inline constexpr uint32_t kAttemptsMax = 5;  // of an event that does not fit; others are tried for ever
inline constexpr uint64_t kEventBytesMax = 8ull << 20;

// A trigger of teal.yaml.
struct Declared {
  std::string name;  // its id, unique
  std::string kind;  // the id of its plugin
  std::string function;
  std::string config_json;  // its own section, references resolved
  uint64_t timeout_ns = 0;  // of its sessions; 0: none
  bool operator==(const Declared&) const = default;
};

struct TriggersOptions {
  runtime::SessionService* service = nullptr;  // outlives this
  host::Services* services = nullptr;          // for the plugins, with a durable state; outlives this
  runtime::Store* store = nullptr;             // for dead letters; outlives this
  // The plugin of a kind, or why there is none. On the thread that calls Apply.
  std::function<Result<const host::Plugin*>(const std::string& kind)> plugin_of;
  // Where whoever waits for a session may ask how it is doing; empty: its path of the control API.
  std::function<std::string(const std::string& sid)> location_of;
  std::function<uint64_t()> now_unix_ns;        // empty: the system's clock
  std::function<void(const std::string&)> log;  // what people who run the host should know
};

class Triggers : public TriggerService {
 public:
  explicit Triggers(TriggersOptions options);
  // Stop, if nobody did.
  ~Triggers() override;
  Triggers(const Triggers&) = delete;
  Triggers& operator=(const Triggers&) = delete;

  // These are the triggers from now on: new ones start, those that are gone stop, changed ones do both. instances: the
  // config of each kind's instance, JSON; a kind whose config changed is opened anew. Blocks. Failures name the trigger
  // and what to do; then nothing has changed, but for a trigger that could not be started (kUnavailable), which is
  // tried again.
  Status Apply(std::vector<Declared> declared, std::map<std::string, std::string> instances);
  // No new events; those on their way become sessions or are left to come again, replies that wait are answered.
  // Blocks, for a few seconds at most. Before the sessions stop.
  void Stop();

  void List(std::string after, uint64_t limit, runtime::Done<TriggerPage> done) override;
  void Fire(std::string name, uint64_t at_unix_ns, std::string event_json,
            runtime::Done<std::vector<runtime::StartAnswer>> done) override;
  void Dead(std::string after, uint64_t limit, runtime::Done<DeadPage> done) override;
  void ShowDead(std::string id, runtime::Done<DeadLetter> done) override;
  void RetryDead(std::string id, runtime::Done<runtime::SessionView> done) override;
  void DropDead(std::string id, runtime::Done<DeadLetter> done) override;
  std::string MetricsText() const override;

  class Desk;  // what it is made of

 private:
  const std::shared_ptr<Desk> desk_;
};

}  // namespace teal::trigger

// What a host's triggers offer to people: the door for the control API. docs/triggers.md and docs/control-api.md have
// the shapes that are promised.
//
// Thread-safe. Calls are asynchronous as SessionService's: `done` is called exactly once, on whatever thread, perhaps
// before the call returns; it must not block. Times are nanoseconds since 1970 UTC, 0 for none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/runtime/service.h"

namespace teal::trigger {

// Events by what came of them, since the host started.
struct TriggerCounts {
  uint64_t events = 0;    // emitted by the plugin, repeats included
  uint64_t started = 0;   // sessions
  uint64_t repeated = 0;  // had a session already
  uint64_t skipped = 0;   // overlap: skip
  uint64_t delayed = 0;   // given back, to come again later
  uint64_t refused = 0;   // answered with an error; nothing was started
  uint64_t dead = 0;      // went to the dead letters
};

struct TriggerView {
  std::string name;
  std::string kind;
  std::string function;
  bool running = false;     // else it is not started (yet), and last_error says why
  std::string status_json;  // what the plugin keeps under TEAL_STATE_STATUS; empty: nothing
  std::string last_sid;     // of the last delivery
  uint64_t last_delivery_unix_ns = 0;
  std::string last_error;  // empty: none
  uint64_t last_error_unix_ns = 0;
  TriggerCounts counts;
};

struct TriggerPage {
  std::vector<TriggerView> triggers;  // by name
  std::string cursor;                 // empty: no more
};

// An event that could not be made into a session.
struct DeadLetter {
  std::string id;  // "event-" and more: never that of a session
  std::string trigger;
  std::string function;
  std::string source;
  std::string event_id;
  std::string type;
  std::string error;
  uint64_t event_unix_ns = 0;
  uint64_t dead_unix_ns = 0;
  uint64_t data_bytes = 0;
  uint32_t attempts = 0;
};

struct DeadPage {
  std::vector<DeadLetter> letters;  // by id
  std::string cursor;               // empty: no more
};

// Whether `GET /dead/{id}` means a dead letter.
inline constexpr char kDeadLetterPrefix[] = "event-";

class TriggerService {
 public:
  virtual ~TriggerService() = default;

  // after: the cursor of the page before, or empty. limit: 1 to 1000.
  virtual void List(std::string after, uint64_t limit, runtime::Done<TriggerPage> done) = 0;
  // Starts what the trigger starts of `event_json`, an event as its source would tell it (the plugin's `decode`);
  // empty: of its time being there, now or as at a time. kUnfit: its plugin takes no such event.
  virtual void Fire(std::string name, uint64_t at_unix_ns, std::string event_json,
                    runtime::Done<std::vector<runtime::StartAnswer>> done) = 0;

  virtual void Dead(std::string after, uint64_t limit, runtime::Done<DeadPage> done) = 0;
  virtual void ShowDead(std::string id, runtime::Done<DeadLetter> done) = 0;
  // Starts its session; the letter is gone then.
  virtual void RetryDead(std::string id, runtime::Done<runtime::SessionView> done) = 0;
  virtual void DropDead(std::string id, runtime::Done<DeadLetter> done) = 0;

  // Prometheus text, to be put behind the host's own.
  virtual std::string MetricsText() const = 0;
};

}  // namespace teal::trigger

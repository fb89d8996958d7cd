// The control API over a SessionService: from a request to its answer, whatever carries them.
//
// Every answer goes to the request's Responder, on whatever thread the service answers. An Api lives until the last
// call of it is answered (shared_ptr); the service outlives the last Handle.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/base/result.h"
#include "core/base/sha256.h"
#include "core/runtime/service.h"
#include "core/serve/limits.h"
#include "core/serve/message.h"
#include "core/serve/metrics.h"
#include "core/serve/route.h"
#include "core/trigger/service.h"

namespace teal::serve {

// Remembers which body came with an idempotency key, the newest kBooked of them. Thread-safe.
class IdempotencyBook {
 public:
  static constexpr size_t kBooked = 100'000;
  // False: `key` came with another body before.
  bool Fits(const Sha256& key, const Sha256& body);

 private:
  std::mutex mutex_;
  // Guarded by mutex_.
  std::unordered_map<std::string, Sha256> bodies_;
  std::deque<std::string> order_;  // the oldest first
};

// Thread-safe.
class Api : public std::enable_shared_from_this<Api> {
 public:
  // Calls a function after so many ns, on any thread; drops it when the server is gone.
  using After = std::function<void(uint64_t ns, std::function<void()>)>;

  // Copies all that the host keeps into a folder, which is made; the answer comes on any thread. kInvalid: it cannot be
  // that folder, or this host makes no backups.
  using BackUp = std::function<void(std::string folder, std::function<void(const Status&)> done)>;

  // triggers: of the host, outlives the last Handle as the service does; null: it has none. back_up: may be empty.
  Api(runtime::SessionService* service, const ServeLimits& limits, std::shared_ptr<ServeCounters> counters, After after,
      trigger::TriggerService* triggers = nullptr, BackUp back_up = nullptr);

  void Handle(const Route& route, const RequestHead& head, std::string body, const Principal& principal,
              std::shared_ptr<Responder> responder);
  // From now on it is not ready, and takes no new sessions and events.
  void Stop() { stopping_ = true; }

 private:
  using Reply = std::shared_ptr<Responder>;
  using Slot = std::shared_ptr<void>;
  using Change = void (runtime::SessionService::*)(std::string, runtime::Done<runtime::SessionView>);

  // A slot, or null with an answer given.
  Slot TakeCall(Responder& responder);
  Slot TakeWait(Responder& responder);
  void Ready(Responder& responder);
  void Metrics(Responder& responder);
  void BackUpTo(std::string_view body, const Reply& reply);
  // api_programs.cpp
  using AlterProgramCall = void (runtime::SessionService::*)(std::string, runtime::Done<runtime::ProgramView>);
  void Programs(const Reply& reply);
  void AddProgram(std::string_view body, const Reply& reply);
  void AlterProgram(const std::string& hash, AlterProgramCall call, const Reply& reply);
  void Start(const RequestHead& head, std::string_view body, const Reply& reply);
  void WaitForStarted(const runtime::StartAnswer& started, uint64_t wait_ns, const Reply& reply);
  void List(const Route& route, const Reply& reply);
  void Get(const std::string& sid, const Principal& principal, const Reply& reply);
  void Wait(const Route& route, const Principal& principal, const Reply& reply);
  void Send(const Route& route, const RequestHead& head, std::string_view body, const Principal& principal,
            const Reply& reply);
  void ShowDead(const std::string& sid, const Reply& reply);
  // api_triggers.cpp
  void Triggers(const Route& route, const Reply& reply);
  void Fire(const std::string& name, std::string_view body, const Reply& reply);
  void ListDeadEvents(const std::string& cursor, uint64_t limit, std::string before, const Slot& slot,
                      const Reply& reply);
  void DeadEvent(Action action, const std::string& id, const Reply& reply);
  void Rerun(const std::string& sid, std::string_view body, const Reply& reply);
  void Alter(const std::string& sid, Change change, const Reply& reply);
  void Lines(const Route& route, const RequestHead& head, runtime::LineSort sort, const Reply& reply);
  void Look(const Route& route, const RequestHead& head, const Reply& reply);

  // Constant after construction.
  runtime::SessionService* const service_;
  trigger::TriggerService* const triggers_;
  const ServeLimits limits_;
  const std::shared_ptr<ServeCounters> counters_;
  const After after_;
  const BackUp back_up_;
  // Thread-safe by themselves.
  IdempotencyBook book_;
  std::atomic<bool> stopping_{false};
};

// ?limit=; nullopt: refused.
std::optional<uint64_t> PageLimitOf(const Route& route, Responder& responder);
// Whether what is dead and has this id is an event and no session.
bool IsDeadEvent(const std::string& id);
// Where dead events go on in a list of what is dead; nullopt: it is at its sessions.
std::optional<std::string> DeadEventsCursorOf(const std::string& cursor);

}  // namespace teal::serve

// What Triggers is made of. All of it belongs to the thread of its queue, unless said otherwise.
//
// Parts: triggers.cpp the public face; desk_life.cpp opening, starting, stopping; desk_deliver.cpp from an event to its
// session; desk_settle.cpp accept, reject, reply and dead letters; desk_overlap.cpp `overlap`; desk_ask.cpp what people
// ask.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/host/instance.h"
#include "core/trigger/dead_letters.h"
#include "core/trigger/event.h"
#include "core/trigger/triggers.h"
#include "core/trigger/work_queue.h"

namespace teal::trigger {

// A plugin and its one instance.
struct Kind {
  std::string id;
  std::string config_json;
  std::unique_ptr<host::Instance> instance;
  bool open = true;  // false: it is being closed, no call may begin
};

struct Delivery;

// One trigger. Its address is the ctx of `emit`.
struct Running : std::enable_shared_from_this<Running> {
  Declared declared;
  std::shared_ptr<Kind> kind;
  Triggers::Desk* desk = nullptr;  // outlives every emit
  enum class State : uint8_t { kStarting, kRunning, kWaiting, kStopping, kStopped } state = State::kStarting;
  uint32_t start_attempts = 0;
  uint64_t on_their_way = 0;  // events emitted and not settled
  TriggerCounts counts;
  std::string last_sid;
  uint64_t last_delivery_unix_ns = 0;
  std::string last_error;
  uint64_t last_error_unix_ns = 0;
  uint64_t last_logged_unix_ns = 0;
  std::unordered_map<std::string, uint32_t> attempts;  // of events that were given back, by source and id
  // overlap: skip and replace take one event at a time.
  std::deque<std::shared_ptr<Delivery>> in_line;  // the first is being looked at
  bool previous_known = false;
  std::string previous_sid;  // the last session started so, kept in the host's memory
};

// An event on its way.
struct Delivery {
  std::shared_ptr<Running> running;
  Event event;
  Call call;
  std::string sid;
  std::string headers;  // of the reply, alive until the plugin has it
  std::string body;
  uint32_t attempts = 0;
  bool in_line = false;   // of its trigger, for overlap
  bool accepted = false;  // asked of the plugin
  bool replied = false;
  std::function<void(runtime::Served<runtime::StartAnswer>)> by_hand;  // fired or retried: who is told
};
using DeliveryPtr = std::shared_ptr<Delivery>;

class Triggers::Desk : public std::enable_shared_from_this<Triggers::Desk> {
 public:
  explicit Desk(TriggersOptions options);

  WorkQueue& queue() { return queue_; }
  const TriggersOptions& options() const { return options_; }

  // desk_life.cpp; these three on the caller's thread.
  Status Apply(std::vector<Declared> declared, std::map<std::string, std::string> instances);
  void Stop();
  static void TEAL_CALL Emit(void* ctx, const teal_event* event);  // any thread

  // desk_ask.cpp
  void List(const std::string& after, uint64_t limit, runtime::Done<TriggerPage> done);
  void Fire(const std::string& name, uint64_t at_unix_ns, const std::string& event_json,
            runtime::Done<std::vector<runtime::StartAnswer>> done);
  void Dead(std::string after, uint64_t limit, runtime::Done<DeadPage> done);
  void ShowDead(std::string id, runtime::Done<DeadLetter> done);
  void RetryDead(std::string id, runtime::Done<runtime::SessionView> done);
  void DropDead(std::string id, runtime::Done<DeadLetter> done);
  std::string MetricsText() const;  // any thread

 private:
  using RunningPtr = std::shared_ptr<Running>;
  using CountOf = uint64_t TriggerCounts::*;

  uint64_t Now() const { return options_.now_unix_ns ? options_.now_unix_ns() : host::SystemNowUnixNs(); }
  void Log(const std::string& line) const {
    if (options_.log) options_.log(line);
  }
  void CountOne(Running& running, CountOf what);
  // Notes it for `teal triggers`, and tells it, a line a minute for each trigger at most.
  void NoteError(Running& running, const std::string& message);

  // desk_life.cpp
  Status Check(const std::vector<Declared>& declared, std::map<std::string, const host::Plugin*>* plugins);
  Status OpenKind(const std::string& id, const std::string& config_json, const host::Plugin& plugin);
  void CloseKind(const std::shared_ptr<Kind>& kind);
  void StopAll(std::vector<RunningPtr> triggers);
  void StartAll(std::vector<RunningPtr> triggers);
  void BeginStart(const RunningPtr& running, std::function<void()> then);
  void BeginStop(const RunningPtr& running, std::function<void()> then);

  // desk_deliver.cpp
  void Deliver(const RunningPtr& running, Event event);
  void Begin(const DeliveryPtr& delivery);
  void OnStarted(const DeliveryPtr& delivery, runtime::Served<runtime::StartAnswer> served);
  void OnRefused(const DeliveryPtr& delivery, const runtime::ServiceError& error);
  void Later(const DeliveryPtr& delivery, const std::string& why, uint64_t retry_after_ns);
  void Wrong(const DeliveryPtr& delivery, const runtime::ServiceError& error);

  // desk_settle.cpp
  void Accept(const DeliveryPtr& delivery);
  void Reject(const DeliveryPtr& delivery, uint64_t delay_ns);
  void Bury(const DeliveryPtr& delivery, const std::string& why);
  void AwaitEnd(const DeliveryPtr& delivery);
  void AnswerEnd(const DeliveryPtr& delivery, const runtime::SessionView& session);
  void Reply(const DeliveryPtr& delivery, uint32_t status, std::string body, uint64_t retry_after_s = 0);
  void Settled(const DeliveryPtr& delivery);  // the event is no longer on its way

  // desk_overlap.cpp
  void TakeInLine(const DeliveryPtr& delivery);
  void LookAtFirst(const RunningPtr& running);
  void LookAtPrevious(const DeliveryPtr& delivery);
  void BeginAsNext(const DeliveryPtr& delivery);
  void LeaveLine(const DeliveryPtr& delivery);

  // desk_ask.cpp
  TriggerView ViewOf(const Running& running) const;

  const TriggersOptions options_;
  WorkQueue queue_;
  DeadLetters dead_;
  std::map<std::string, RunningPtr> triggers_;          // by name
  std::map<std::string, std::shared_ptr<Kind>> kinds_;  // open ones
  std::set<DeliveryPtr> waiting_;                       // for the end of a session, to reply
  bool stopping_ = false;

  mutable std::mutex counts_mutex_;
  std::map<std::string, TriggerCounts> counts_;  // by kind; guarded by counts_mutex_
};

}  // namespace teal::trigger

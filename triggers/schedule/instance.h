// An instance of the plugin `schedule`: all its schedules on one thread, over one table of times.
//
// A wait is a second at most and then looks at the host's clock again: a clock that is set, or a machine that slept, is
// noticed. What is done with is kept in the host's state before `accept` ends, so that no fire time is lost or comes
// twice.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <teal/trigger.hpp>
#include <thread>
#include <vector>

#include "triggers/schedule/plan.h"

namespace teal::schedule {

class Instance {
 public:
  static std::unique_ptr<Instance> Open(const teal_host* host, std::string_view config, plugin::Error* error);
  Instance(const teal_host* host, const teal_state* state);
  ~Instance();
  void Close();

  static std::optional<plugin::Error> Validate(Instance* instance, std::string_view config);
  plugin::OpenCalls& calls() { return calls_; }
  void Start(plugin::Done done, std::string id, std::string config, teal_emit_fn emit, void* ctx);
  void Credit(std::string_view id, uint64_t count);
  void Accept(plugin::Done done, uint64_t token, std::string_view sid);
  void Reject(plugin::Done done, uint64_t token, uint64_t delay_ns);
  void Stop(plugin::Done done, std::string id);
  // {"fire":{"trigger":ID,"time":T}}: what it would emit at T; without a time: now, whatever the schedule says.
  static std::optional<plugin::Error> Decode(Instance* instance, std::string_view body, teal_emit_fn emit, void* ctx);

 private:
  struct Source;
  using SourcePtr = std::shared_ptr<Source>;
  struct Timer {
    SourcePtr source;
    int64_t time = 0;
  };
  using Timers = std::multimap<uint64_t, Timer>;  // by the moment, Unix ns
  // A schedule that runs.
  struct Source {
    std::string id;
    std::shared_ptr<const Section> section;
    Progress progress;
    teal_version version{};  // of what is kept
    std::string kept;        // the text of that
    uint64_t started_unix_ns = 0;
    int64_t cursor = 0;         // the last fire time that was taken from the schedule
    size_t open = 0;            // emitted and not settled, or to be emitted again
    std::deque<int64_t> ready;  // their time has come; they wait for credit
    bool stopped = false;
    Timers::iterator planned{};  // of the cursor; the end: its time has come
    plugin::Done starting;       // of a start under way
    bool saving = false;
    std::vector<plugin::Done> accepting;       // of the save under way
    std::vector<plugin::Done> accepting_next;  // of the next
  };
  struct Got {
    teal_status code = TEAL_OK;
    std::string message;
    std::string value;
    teal_version version{};
  };
  using Work = std::function<void()>;

  uint64_t Now() const { return host_->now_unix_ns(host_); }
  int64_t NowSeconds() const { return static_cast<int64_t>(Now() / 1'000'000'000); }
  void Post(Work work);
  void Run();
  // What follows is for the thread.
  void FireDue();
  void Plan(const SourcePtr& source);  // the next fire time into the table
  void Emit(const SourcePtr& source);  // what is ready, as credit allows
  void OnLoaded(const SourcePtr& source, const Got& got);
  void OnStartSaved(const SourcePtr& source, const Got& got);
  void FailStart(const SourcePtr& source, const Got& got);
  void Save(const SourcePtr& source);
  void OnSaved(const SourcePtr& source, const Got& got);
  void EndSave(const SourcePtr& source, const Got& got);
  void Get(const SourcePtr& source, std::function<void(Got)> then);
  void Put(const SourcePtr& source, std::function<void(Got)> then);
  struct Flight;

  const teal_host* const host_;
  const teal_state* const state_;
  plugin::OpenCalls calls_;
  plugin::OpenCalls own_calls_;  // of the host's state
  trigger::Desk<Timer> desk_;

  mutable std::mutex mutex_;
  std::mutex last_mutex_;  // for work after the thread's end
  std::condition_variable changed_;
  std::deque<Work> work_;  // guarded by mutex_
  bool closing_ = false;   // guarded by mutex_
  bool finished_ = false;  // the thread has ended; guarded by mutex_
  std::map<std::string, std::shared_ptr<const Section>, std::less<>> sections_;  // of those that run; guarded by mutex_

  std::map<std::string, SourcePtr, std::less<>> sources_;
  Timers timers_;
  std::thread thread_;
};

}  // namespace teal::schedule

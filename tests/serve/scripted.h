// Sessions that do what their function's name says, for testing the control API alone: nothing runs, nothing is kept.
//
//   echo(…)          done at once with its arguments        fail(kind)    failed at once
//   after(ms, x)     done with x after so many ms           never()       runs until it is cancelled
//   lines(n)         done, having written n lines           ticks(ms, n)  writes a line every ms, n times, then is done
//   wide(n, bytes)   done, having written n lines of so many bytes
//   dead()           is dead
//   refuse(code)     the start is refused with this code of ServiceError
// Event "ask" is replied to with what it was sent, "mute" never, all others wait for nobody.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/runtime/service.h"

namespace teal::serve_test {

class ScriptedSessions : public runtime::SessionService {
 public:
  ScriptedSessions();
  ~ScriptedSessions() override;

  void Start(runtime::StartRequest request, runtime::Done<runtime::StartAnswer> done) override;
  void Get(std::string sid, runtime::Done<runtime::SessionView> done) override;
  void Wait(std::string sid, uint64_t timeout_ns, runtime::Done<runtime::SessionView> done) override;
  void List(runtime::ListRequest request, runtime::Done<runtime::ListAnswer> done) override;
  void Send(std::string sid, std::string event, std::string value_json, std::string key, uint64_t reply_ns,
            runtime::Done<std::optional<std::string>> done) override;
  void Cancel(std::string sid, runtime::Done<runtime::SessionView> done) override;
  void Terminate(std::string sid, runtime::Done<runtime::SessionView> done) override;
  void Pause(std::string sid, runtime::Done<runtime::SessionView> done) override;
  void Resume(std::string sid, runtime::Done<runtime::SessionView> done) override;
  void RetryDead(std::string sid, runtime::Done<runtime::SessionView> done) override;
  void DropDead(std::string sid, runtime::Done<runtime::SessionView> done) override;
  void Rerun(std::string sid, std::string from, runtime::Done<runtime::SessionView> done) override;
  void Lines(std::string sid, runtime::LineSort sort, std::string cursor, uint64_t limit, uint64_t wait_ns,
             runtime::Done<runtime::LinesAnswer> done) override;
  void Threads(std::string sid, runtime::Done<std::vector<runtime::ThreadView>> done) override;
  void Published(std::string sid, runtime::Done<std::vector<std::pair<std::string, std::string>>> done) override;
  void Programs(runtime::Done<std::vector<runtime::ProgramView>> done) override;
  void AddProgram(runtime::NewProgram program, runtime::Done<runtime::ProgramAnswer> done) override;
  void ActivateProgram(std::string hash, runtime::Done<runtime::ProgramView> done) override;
  void RemoveProgram(std::string hash, runtime::Done<runtime::ProgramView> done) override;
  runtime::ServiceCounters Counters() const override;

 private:
  struct Entry {
    runtime::SessionView view;
    std::vector<runtime::LineView> lines;
    std::vector<std::string> events;             // name=value, key
    std::vector<std::function<bool()>> waiters;  // with mutex_; true: served
  };
  Entry* Find(const std::string& sid);
  void At(uint64_t ns, std::function<void()> function);
  void Begin(const std::string& sid, const std::vector<double>& numbers, const std::string& arguments);
  void End(const std::string& sid, runtime::ViewStatus status, const std::string& result);
  void Tick(const std::string& sid, uint64_t ns, int left);
  void Line(Entry& entry, std::string text);
  void Serve(Entry& entry, std::unique_lock<std::mutex>& lock);
  void Change(const std::string& sid, runtime::ViewStatus status, const runtime::Done<runtime::SessionView>& done,
              bool is_dead = false);
  void Run();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::map<std::string, Entry> sessions_;
  std::vector<std::string> order_;           // as they were started
  std::map<std::string, std::string> sids_;  // by id
  std::multimap<uint64_t, std::function<void()>> timers_;
  std::vector<std::function<void()>> ready_;  // answers, given without the mutex
  bool stopping_ = false;
  runtime::ServiceCounters counters_;
  std::thread thread_;
};

}  // namespace teal::serve_test

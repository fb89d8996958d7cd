#include "tests/serve/scripted.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/base/sha256.h"
#include "core/host/json.h"

namespace teal::serve_test {

using runtime::Done;
using runtime::Served;
using runtime::ServiceError;
using runtime::SessionView;
using runtime::ViewStatus;
using Code = ServiceError::Code;

namespace {

constexpr uint64_t kMs = 1'000'000;

uint64_t Now() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}
uint64_t UnixNow() {
  return static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
}

template <typename T>
Served<T> Refuse(Code code, std::string message, std::string hint = "") {
  Served<T> served;
  served.error = ServiceError{code, std::move(message), std::move(hint), 1500 * kMs};
  return served;
}
template <typename T>
Served<T> Unknown(const std::string& sid) {
  return Refuse<T>(Code::kNotFound, "there is no session " + sid, "teal sessions lists them");
}

const std::map<std::string, Code> kCodes = {{"invalid", Code::kInvalid},   {"not_found", Code::kNotFound},
                                            {"conflict", Code::kConflict}, {"too_large", Code::kTooLarge},
                                            {"unfit", Code::kUnfit},       {"overloaded", Code::kOverloaded},
                                            {"internal", Code::kInternal}, {"unavailable", Code::kUnavailable}};

}  // namespace

ScriptedSessions::ScriptedSessions() : thread_([this] { Run(); }) {}

ScriptedSessions::~ScriptedSessions() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ScriptedSessions::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    if (!ready_.empty()) {
      std::vector<std::function<void()>> ready = std::exchange(ready_, {});
      lock.unlock();
      for (const auto& give : ready) give();
      lock.lock();
      continue;
    }
    if (!timers_.empty() && timers_.begin()->first <= Now()) {
      const std::function<void()> due = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      due();  // with the mutex
      continue;
    }
    if (timers_.empty()) {
      changed_.wait(lock);
    } else {
      changed_.wait_for(lock,
                        std::chrono::nanoseconds(timers_.begin()->first - std::min(Now(), timers_.begin()->first)));
    }
  }
}

// Everything below runs with the mutex, but for the answers, which Run gives without.
void ScriptedSessions::At(uint64_t ns, std::function<void()> function) {
  timers_.emplace(Now() + ns, std::move(function));
  changed_.notify_all();
}

ScriptedSessions::Entry* ScriptedSessions::Find(const std::string& sid) {
  const auto found = sessions_.find(sid);
  return found == sessions_.end() ? nullptr : &found->second;
}

void ScriptedSessions::Serve(Entry& entry, std::unique_lock<std::mutex>&) {
  std::erase_if(entry.waiters, [](const std::function<bool()>& waiter) { return waiter(); });
  changed_.notify_all();
}

void ScriptedSessions::Line(Entry& entry, std::string text) {
  entry.lines.push_back({"0", UnixNow(), "info", std::move(text)});
}

void ScriptedSessions::End(const std::string& sid, ViewStatus status, const std::string& result) {
  Entry& entry = *Find(sid);
  if (HasEnded(entry.view.status)) return;
  entry.view.status = status;
  entry.view.ended_unix_ns = UnixNow();
  if (status == ViewStatus::kDone) {
    entry.view.result_json = result;
    ++counters_.sessions_done;
  } else if (status == ViewStatus::kFailed) {
    entry.view.error_json = result;
  }
  std::unique_lock<std::mutex> none;
  Serve(entry, none);
}

void ScriptedSessions::Tick(const std::string& sid, uint64_t ns, int left) {
  Entry& entry = *Find(sid);
  if (HasEnded(entry.view.status)) return;
  if (left == 0) return End(sid, ViewStatus::kDone, "null");
  Line(entry, "tick " + std::to_string(left) + "\n");
  std::unique_lock<std::mutex> none;
  Serve(entry, none);
  At(ns, [this, sid, ns, left] { Tick(sid, ns, left - 1); });
}

void ScriptedSessions::Begin(const std::string& sid, const std::vector<double>& numbers, const std::string& arguments) {
  Entry& entry = *Find(sid);
  const std::string& function = entry.view.function;
  const double first = numbers.empty() ? 0 : numbers[0];
  const double second = numbers.size() < 2 ? 0 : numbers[1];
  if (function == "echo") {
    End(sid, ViewStatus::kDone, arguments);
  } else if (function == "dead") {
    entry.view.error_json = R"({"kind":"dead","message":"dead: as asked","data":null,"trace":[]})";
    End(sid, ViewStatus::kDead, "");
  } else if (function == "fail") {
    End(sid, ViewStatus::kFailed, R"({"kind":"K","message":"it failed","data":null,"trace":[]})");
  } else if (function == "after") {
    At(static_cast<uint64_t>(first * kMs), [this, sid, arguments] { End(sid, ViewStatus::kDone, arguments); });
  } else if (function == "lines" || function == "wide") {
    for (int i = 0; i < static_cast<int>(first); ++i) {
      Line(entry, function == "wide" ? std::string(static_cast<size_t>(second), 'w') + "\n"
                                     : "line " + std::to_string(i) + " \"ä\"\n");
    }
    End(sid, ViewStatus::kDone, "null");
  } else if (function == "ticks") {
    Tick(sid, static_cast<uint64_t>(first * kMs), static_cast<int>(second));
  }
}

void ScriptedSessions::Start(runtime::StartRequest request, Done<runtime::StartAnswer> done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto answer = [&](Served<runtime::StartAnswer> served) {
    ready_.push_back([done, served] { done(served); });
    changed_.notify_all();
  };
  const Result<host::Json> parsed = host::ParseJson(request.arguments_json);
  const host::Json arguments = parsed ? parsed.value() : host::Json::array();
  if (request.function == "refuse") {
    return answer(
        Refuse<runtime::StartAnswer>(kCodes.at(arguments[0].get<std::string>()), "refused as told", "the hint"));
  }
  const std::vector<std::string> known = {"echo", "fail", "after", "never", "lines", "ticks", "wide", "dead"};
  if (std::find(known.begin(), known.end(), request.function) == known.end()) {
    return answer(Refuse<runtime::StartAnswer>(Code::kInvalid, "the program has no function " + request.function));
  }
  if (!request.id.empty() && sids_.contains(request.id) && request.on_conflict != runtime::OnConflict::kRestart) {
    if (request.on_conflict == runtime::OnConflict::kReject) {
      return answer(Refuse<runtime::StartAnswer>(Code::kConflict, "there is a session with this id"));
    }
    return answer({std::nullopt, {Find(sids_[request.id])->view, false}});
  }
  const std::string sid = "S" + std::to_string(order_.size());
  Entry& entry = sessions_[sid];
  entry.view.sid = sid;
  entry.view.id = request.id;
  entry.view.function = request.function;
  entry.view.labels = request.labels;
  entry.view.program = "abcdef";
  entry.view.created_unix_ns = entry.view.started_unix_ns = UnixNow();
  if (!request.event_name.empty()) entry.events.push_back(request.event_name + "=" + request.event_json);
  order_.push_back(sid);
  if (!request.id.empty()) sids_[request.id] = sid;
  ++counters_.sessions_started;
  std::vector<double> numbers;
  for (const host::Json& argument : arguments) numbers.push_back(argument.is_number() ? argument.get<double>() : 0);
  answer({std::nullopt, {entry.view, true}});
  Begin(sid, numbers, request.arguments_json);
}

void ScriptedSessions::Get(std::string sid, Done<SessionView> done) {
  Wait(std::move(sid), 0, std::move(done));
}

void ScriptedSessions::Wait(std::string sid, uint64_t timeout_ns, Done<SessionView> done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Entry* const entry = Find(sid);
  changed_.notify_all();
  if (entry == nullptr) {
    ready_.push_back([done, sid] { done(Unknown<SessionView>(sid)); });
    return;
  }
  const auto open = std::make_shared<bool>(true);
  // The timer of a wait that is over must not hold on to `done`.
  const auto kept = std::make_shared<Done<SessionView>>(std::move(done));
  const auto give = [this, kept, entry, open] {
    if (!std::exchange(*open, false)) return;
    ready_.push_back([done = std::exchange(*kept, nullptr), view = entry->view] { done({std::nullopt, view}); });
  };
  if (HasEnded(entry->view.status) || timeout_ns == 0) return give();
  entry->waiters.emplace_back([entry, give, open] {
    if (HasEnded(entry->view.status)) give();
    return !*open;
  });
  At(timeout_ns, give);
}

void ScriptedSessions::List(runtime::ListRequest request, Done<runtime::ListAnswer> done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  runtime::ListAnswer answer;
  size_t at = request.cursor.empty() ? order_.size() : std::stoul(request.cursor);
  for (; at > 0 && answer.sessions.size() < request.limit; --at) {
    const SessionView& view = Find(order_[at - 1])->view;
    const bool labelled = std::all_of(request.labels.begin(), request.labels.end(), [&](const auto& label) {
      return std::find(view.labels.begin(), view.labels.end(), label) != view.labels.end();
    });
    if (labelled && view.created_unix_ns >= request.since_unix_ns &&
        (!request.status || *request.status == view.status)) {
      answer.sessions.push_back(view);
    }
  }
  if (at > 0) answer.cursor = std::to_string(at);
  ready_.push_back([done, answer] { done({std::nullopt, answer}); });
  changed_.notify_all();
}

void ScriptedSessions::Send(std::string sid, std::string event, std::string value_json, std::string key,
                            uint64_t reply_ns, Done<std::optional<std::string>> done) {
  using Reply = std::optional<std::string>;
  const std::lock_guard<std::mutex> lock(mutex_);
  changed_.notify_all();
  Entry* const entry = Find(sid);
  if (entry == nullptr) {
    ready_.push_back([done, sid] { done(Unknown<Reply>(sid)); });
  } else if (HasEnded(entry->view.status)) {
    ready_.push_back([done] { done(Refuse<Reply>(Code::kConflict, "the session has ended")); });
  } else {
    const std::string kept = event + "=" + value_json;
    if (key.empty() || std::find(entry->events.begin(), entry->events.end(), kept + " " + key) == entry->events.end()) {
      entry->events.push_back(key.empty() ? kept : kept + " " + key);
    }
    if (reply_ns == 0 || event == "ask") {
      ready_.push_back([done, event, value_json, reply_ns] {
        done({std::nullopt, reply_ns > 0 && event == "ask" ? Reply(value_json) : Reply()});
      });
    } else {
      At(reply_ns, [this, done] { ready_.push_back([done] { done({std::nullopt, Reply()}); }); });
    }
  }
}

void ScriptedSessions::Change(const std::string& sid, ViewStatus status, const Done<SessionView>& done, bool is_dead) {
  const std::lock_guard<std::mutex> lock(mutex_);
  changed_.notify_all();
  Entry* const entry = Find(sid);
  if (entry == nullptr) {
    ready_.push_back([done, sid] { done(Unknown<SessionView>(sid)); });
    return;
  }
  if (is_dead != (entry->view.status == ViewStatus::kDead) || (HasEnded(entry->view.status) && !is_dead)) {
    const std::string why = is_dead ? "the session is not dead" : "the session has ended";
    ready_.push_back([done, why] { done(Refuse<SessionView>(Code::kConflict, why)); });
    return;
  }
  if (is_dead) entry->view.status = ViewStatus::kRunning;
  if (HasEnded(status)) {
    End(sid, status, "");
  } else {
    entry->view.status = status;
  }
  ready_.push_back([done, view = entry->view] { done({std::nullopt, view}); });
}

void ScriptedSessions::Cancel(std::string sid, Done<SessionView> done) {
  Change(sid, ViewStatus::kCancelled, done);
}
void ScriptedSessions::Terminate(std::string sid, Done<SessionView> done) {
  Change(sid, ViewStatus::kTerminated, done);
}
void ScriptedSessions::Pause(std::string sid, Done<SessionView> done) {
  Change(sid, ViewStatus::kPaused, done);
}
void ScriptedSessions::Resume(std::string sid, Done<SessionView> done) {
  Change(sid, ViewStatus::kRunning, done);
}

void ScriptedSessions::RetryDead(std::string sid, Done<SessionView> done) {
  Change(sid, ViewStatus::kRunning, done, true);
}
void ScriptedSessions::DropDead(std::string sid, Done<SessionView> done) {
  Change(sid, ViewStatus::kTerminated, done, true);
}

void ScriptedSessions::Rerun(std::string sid, std::string from, Done<SessionView> done) {
  runtime::StartRequest request;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    changed_.notify_all();
    if (const Entry* const entry = Find(sid); entry != nullptr && from == "start") {
      request.function = entry->view.function;
    } else {
      ready_.push_back([done, sid, from] {
        done(from == "start" ? Unknown<SessionView>(sid)
                             : Refuse<SessionView>(Code::kUnfit, "no state of step " + from));
      });
      return;
    }
  }
  Start(std::move(request),
        [done](Served<runtime::StartAnswer> answer) { done({answer.error, answer.value.session}); });
}

void ScriptedSessions::Lines(std::string sid, runtime::LineSort sort, std::string cursor, uint64_t limit,
                             uint64_t wait_ns, Done<runtime::LinesAnswer> done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  changed_.notify_all();
  Entry* const entry = Find(sid);
  if (entry == nullptr) {
    ready_.push_back([done, sid] { done(Unknown<runtime::LinesAnswer>(sid)); });
    return;
  }
  const auto open = std::make_shared<bool>(true);
  const size_t from = cursor.empty() ? 0 : std::stoul(cursor);
  const auto kept = std::make_shared<Done<runtime::LinesAnswer>>(std::move(done));
  const auto give = [this, entry, kept, open, from, limit, sort, cursor] {
    if (!std::exchange(*open, false)) return;
    runtime::LinesAnswer answer;
    const size_t to = std::min(entry->lines.size(), from + limit);
    for (size_t i = from; i < to; ++i) {
      answer.lines.push_back(entry->lines[i]);
      if (sort == runtime::LineSort::kHistory)
        answer.lines.back().text = "{\"event\":\"step\",\"step\":" + std::to_string(i) + "}";
    }
    answer.next = answer.lines.empty() ? cursor : std::to_string(to);
    answer.ended = HasEnded(entry->view.status) && to == entry->lines.size();
    ready_.push_back([done = std::exchange(*kept, nullptr), answer] { done({std::nullopt, answer}); });
  };
  const auto has_news = [entry, from] { return entry->lines.size() > from || HasEnded(entry->view.status); };
  if (has_news() || wait_ns == 0) return give();
  entry->waiters.emplace_back([has_news, give, open] {
    if (has_news()) give();
    return !*open;
  });
  At(wait_ns, give);
}

void ScriptedSessions::Threads(std::string sid, Done<std::vector<runtime::ThreadView>> done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  changed_.notify_all();
  if (Find(sid) == nullptr) {
    ready_.push_back([done, sid] { done(Unknown<std::vector<runtime::ThreadView>>(sid)); });
    return;
  }
  runtime::ThreadView main{"0", "", "waiting", "thread 0.1", "main", "a.tl", 3, {}, 120};
  main.frames.push_back({"main", "a.tl", 3, {{"x", "[1, \"two\"]"}}});
  runtime::ThreadView child{"0.1", "0", "waiting", "a timer", "f", "a.tl", 7, {}, 90};
  ready_.push_back([done, main, child] { done({std::nullopt, {main, child}}); });
}

void ScriptedSessions::Published(std::string sid, Done<std::vector<std::pair<std::string, std::string>>> done) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  const std::lock_guard<std::mutex> lock(mutex_);
  changed_.notify_all();
  Entry* const entry = Find(sid);
  if (entry == nullptr) {
    ready_.push_back([done, sid] { done(Unknown<Pairs>(sid)); });
    return;
  }
  // What the test wants to see: how many lines there are, and the events that came.
  host::Json events = entry->events;
  const Pairs pairs = {{"events", host::ToText(events)}, {"lines", std::to_string(entry->lines.size())}};
  ready_.push_back([done, pairs] { done({std::nullopt, pairs}); });
}

void ScriptedSessions::Programs(Done<std::vector<runtime::ProgramView>> done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  changed_.notify_all();
  ready_.push_back([done] { done({std::nullopt, {{"abcdef", "scripted", UnixNow(), true, 1}}}); });
}

// There is one program, and what is added is another.
void ScriptedSessions::AddProgram(runtime::NewProgram program, Done<runtime::ProgramAnswer> done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  changed_.notify_all();
  ready_.push_back([done, program] {
    done({std::nullopt, {{Hex(Sha256Of(program.executable)), program.name, UnixNow(), program.activate}, true}});
  });
}

void ScriptedSessions::ActivateProgram(std::string hash, Done<runtime::ProgramView> done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  changed_.notify_all();
  ready_.push_back([done, hash] {
    if (hash != "abcdef")
      return done({ServiceError{ServiceError::Code::kNotFound, "there is no program " + hash, "", 0}, {}});
    done({std::nullopt, {hash, "scripted", UnixNow(), true}});
  });
}

void ScriptedSessions::RemoveProgram(std::string, Done<runtime::ProgramView> done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  changed_.notify_all();
  ready_.push_back([done] { done({ServiceError{ServiceError::Code::kConflict, "the program is active", "", 0}, {}}); });
}

runtime::ServiceCounters ScriptedSessions::Counters() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return counters_;
}

}  // namespace teal::serve_test

// Host builtins that need the session: times, timeouts, other sessions, what is published.
#include <cassert>
#include <cstdio>

#include "core/runtime/carry.h"
#include "core/runtime/host_alone.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using vm::FutureKind;
using vm::Tag;
using vm::Value;

Session::Handled Session::HostSleep(ThreadRecord& record) {
  double seconds = 0;
  Value error;
  if (!SecondsOf(record.thread->request().arguments[0], "sleep", &seconds, &error)) return RaiseHere(record, error);
  // A thread that moved here in its sleep goes on sleeping until the same time.
  if (record.wake_ns == 0) record.wake_ns = After(scheduler_.clock().NowUnixNs(), seconds);
  Park(record, Phase::kWaiting, WaitKind::kTime);
  scheduler_.SetTimer({record.wake_ns, 0, this, TimerKind::kThread, record.generation, &record});
  return Handled::kParked;
}

Session::Handled Session::HostTimer(ThreadRecord& record, bool at) {
  double seconds = 0;
  Value error;
  const Value& argument = record.thread->request().arguments[0];
  if (!SecondsOf(argument, at ? "timer_at" : "timer", &seconds, &error)) return RaiseHere(record, error);
  uint64_t step = 0;
  if (!TakeEffectStep(record, &step)) return Handled::kParked;
  const int64_t due = After(at ? 0 : scheduler_.clock().NowUnixNs(), seconds);
  return AnswerHere(record, MakeFuture(FutureKind::kTimer, record.name, step, due, Value(), Value()));
}

Session::Handled Session::HostTimeout(ThreadRecord& record) {
  const std::span<Value> arguments = record.thread->request().arguments;
  double seconds = 0;
  Value error;
  if (arguments[0].tag() != Tag::kFuture) {
    return RaiseHere(record, vm::MakeError("type", "timeout: the first argument is a future, not a value of type " +
                                                       std::string(TypeName(arguments[0]))));
  }
  if (!SecondsOf(arguments[1], "timeout", &seconds, &error)) return RaiseHere(record, error);
  FutureCell* inner = CellOf(arguments[0]);
  if (inner == nullptr) return RaiseHere(record, vm::MakeError("type", "timeout: a future of another session"));
  uint64_t step = 0;
  if (!TakeEffectStep(record, &step)) return Handled::kParked;
  const int64_t now = scheduler_.clock().NowUnixNs();
  const int64_t due = After(now, seconds);
  vm::Share(arguments[0]);
  Value future = MakeFuture(FutureKind::kTimeout, record.name, step, due, Value(), std::move(arguments[0]));
  AddCell(future)->made_ns = now;
  return AnswerHere(record, std::move(future));
}

void Session::TimerFired(const Timer& timer) {
  switch (timer.kind) {
    case TimerKind::kFuture: {
      FutureCell& cell = *static_cast<FutureCell*>(timer.target);
      cell.armed = false;
      if (cell.kind == FutureKind::kTimer) {
        Resolve(cell, true, Value());
        return EndIfOver();
      }
      FutureCell* inner = cell.inner;
      const auto& made = static_cast<MadeCell&>(cell);
      const int64_t given_ns = made.Made().deadline_unix_ns - made.made_ns;
      char seconds[32];
      std::snprintf(seconds, sizeof seconds, "%.6g",
                    static_cast<double>(given_ns) / static_cast<double>(kNanosecondsPerSecond));
      Resolve(cell, false, vm::MakeError("timeout", "no result within " + std::string(seconds) + " s"));
      CancelFuture(*inner);
      return EndIfOver();
    }
    case TimerKind::kThread: {
      ThreadRecord& record = *static_cast<ThreadRecord*>(timer.target);
      record.wake_ns = 0;
      if (record.wait == WaitKind::kTime) return Answer(record, record.thread->request().arguments[0]);  // its seconds
      if (record.wait == WaitKind::kPlace) {
        return PlaceOf(record).limiter().TimerFired();
      }
      assert(record.wait == WaitKind::kRetry);
      // The thread itself makes the next attempt when it runs again: its request is still there.
      Unpark(record);
      return scheduler_.MakeReady(&record);
    }
    case TimerKind::kTerminate: {
      ThreadRecord& record = *static_cast<ThreadRecord*>(timer.target);
      record.terminate = true;
      if (record.phase == Phase::kRunning) return;  // its slice ends soon
      Drop(record);
      return EndIfOver();
    }
  }
}

Session::Handled Session::HostPublish(ThreadRecord& record) {
  const std::span<Value> arguments = record.thread->request().arguments;
  if (arguments[0].tag() != Tag::kString) {
    return RaiseHere(record, vm::MakeError("type", "publish: the key is a string, not a value of type " +
                                                       std::string(TypeName(arguments[0]))));
  }
  if (const auto why = WhyNotCarried(arguments[1], "value")) {
    return RaiseHere(record, vm::MakeError("type", "publish: " + *why));
  }
  vm::Share(arguments[1]);
  published_[std::string(arguments[0].Text())] = arguments[1];
  return AnswerHere(record, arguments[1]);
}

// start(f, args…, :id k, :on_conflict "same"|"reject") gives the session's id. A session that has this id already is
// the answer itself (same, the default), or the error `conflict` (reject).
Session::Handled Session::HostStart(ThreadRecord& record) {
  const vm::Request& request = record.thread->request();
  std::span<Value> arguments = request.arguments;
  SessionStart start;
  bool reject = false;
  if (request.keywords) {
    const vm::Hash* options = arguments.back().As<vm::Hash>();
    arguments = arguments.first(arguments.size() - 1);
    for (uint64_t i = 0; i < options->used; ++i) {
      if (vm::Hash::IsHole(options->entries[i])) continue;
      const auto& [key, value] = options->entries[i];
      const bool is_text = value.tag() == Tag::kString || value.tag() == Tag::kSymbol;
      if (key.Text() == "id" && is_text && !value.Text().empty()) {
        start.id = kept_ != nullptr ? std::string(value.Text()) : SidOf(value.Text());
      } else if (key.Text() == "on_conflict" && is_text && (value.Text() == "same" || value.Text() == "reject")) {
        reject = value.Text() == "reject";
      } else {
        return RaiseHere(
            record,
            vm::MakeError(key.Text() == "id" || key.Text() == "on_conflict" ? "type" : "arity",
                          "start: no option :" + std::string(key.Text()) + " with the value " + SourceForm(value) +
                              "; there are :id (a string) and :on_conflict (\"same\" or \"reject\")"));
      }
    }
  }
  if (arguments.empty() || !arguments[0].IsCallable()) {
    return RaiseHere(record, vm::MakeError("type", "start: the first argument is the function to start"));
  }
  for (size_t i = 1; i < arguments.size(); ++i) {
    if (const auto why = WhyNotCarried(arguments[i], "argument " + std::to_string(i))) {
      return RaiseHere(record, vm::MakeError("type", "start: " + *why));
    }
  }
  if (kept_ != nullptr) {
    start.program = program_;
    start.function = arguments[0];
    vm::Share(start.function);
    for (size_t i = 1; i < arguments.size(); ++i) {
      vm::Share(arguments[i]);
      start.arguments.push_back(arguments[i]);
    }
    start.limits = limits_;
    start.foreign = foreign_;
    const std::string name = arguments[0].tag() == Tag::kFunction ? program_->functions()[arguments[0].AsIndex()].name
                                                                  : SourceForm(arguments[0]);
    return HandlePeer(record, [start = std::move(start), name, reject](KeepEvents& host, const std::string& key,
                                                                       KeepEvents::PeerDone done) {
      host.StartFor(key, start, name, reject, std::move(done));
    });
  }
  if (!start.id.empty() && runtime_->Find(start.id) != nullptr) {
    if (reject) return RaiseHere(record, vm::MakeError("conflict", "start: there is a session with this id already"));
    return AnswerHere(record, vm::MakeString(start.id));
  }
  uint64_t step = 0;
  if (!TakeEffectStep(record, &step)) return Handled::kParked;
  start.program = program_;
  start.function = arguments[0];
  vm::Share(start.function);
  for (size_t i = 1; i < arguments.size(); ++i) {
    vm::Share(arguments[i]);
    start.arguments.push_back(std::move(arguments[i]));
  }
  start.limits = limits_;
  start.fakes = start_.fakes;
  Result<Session*> started = runtime_->Add(std::move(start));
  if (!started.ok()) return RaiseHere(record, vm::MakeError("conflict", "start: " + started.failure().message));
  return AnswerHere(record, vm::MakeString((*started)->sid()));
}

}  // namespace teal::runtime

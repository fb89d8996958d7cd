#include "core/runtime/record_check.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <tuple>

#include "core/runtime/history.h"
#include "core/runtime/record_children.h"

namespace teal::runtime::record {
namespace {

constexpr uint32_t kLogLevelMax = 3;

// Strictly ascending.
template <typename Items, typename Before>
bool Ascends(const Items& items, Before before) {
  return std::adjacent_find(items.begin(), items.end(), [&](const auto& a, const auto& b) { return !before(a, b); }) ==
         items.end();
}

bool Tids(const std::vector<std::string>& tids) {
  return std::all_of(tids.begin(), tids.end(), IsTid) && Ascends(tids, std::less<std::string>());
}

bool StepsEnd(uint64_t first, uint64_t count) {
  return count > 0 && first + (count - 1) >= first;
}

std::string FaultOf(const Wait& wait) {
  uint64_t members = wait.others.size();
  for (size_t i = 0; i < wait.own.size(); i++) {
    const Range& range = wait.own[i];
    if (!StepsEnd(range.first, range.count)) return "wait: a range without end or without steps";
    if (i > 0 &&
        (range.first <= wait.own[i - 1].first || range.first - wait.own[i - 1].first <= wait.own[i - 1].count)) {
      return "wait: ranges not in order, or two that are one";
    }
    members += range.count;
  }
  if (!Tids(wait.others)) return "wait: its tids are damaged or not in order";
  if (!Ascends(wait.events, [](const EventWait& a, const EventWait& b) { return a.step < b.step; })) {
    return "wait: its events are not in order";
  }
  const bool watches = wait.watch_own.has_value() || !wait.watch_other.empty();
  const bool some = wait.kind == WaitKind::kSome;
  if (some != (wait.wanted > 0) || (!some && wait.failures_allowed > 0)) return "wait: numbers that its kind has not";
  switch (wait.kind) {
    case WaitKind::kOne:
      if (members != 1 || !wait.events.empty() || watches) return "wait: not for one thread";
      return {};
    case WaitKind::kEvent:
      if (members != 0 || wait.events.size() != 1 || watches) return "wait: not for one event";
      return {};
    case WaitKind::kTimer:
      if (members != 0 || !wait.events.empty() || watches || wait.deadline_unix_ns == 0) return "wait: not for a time";
      return {};
    case WaitKind::kAny:
    case WaitKind::kSome:
      if (watches) return "wait: it watches, though any member wakes it";
      break;
    case WaitKind::kAll:
    case WaitKind::kSettle:
      if (watches != (members > 0)) return "wait: it watches no member, or none is there";
      break;
  }
  if (members == 0 && wait.events.empty() && wait.deadline_unix_ns == 0) return "wait: for nothing";
  if (wait.watch_own && !wait.watch_other.empty()) return "wait: it watches two";
  if (wait.watch_own &&
      std::none_of(wait.own.begin(), wait.own.end(), [&](const Range& range) { return range.Has(*wait.watch_own); })) {
    return "wait: it watches a child that is no member";
  }
  if (!wait.watch_other.empty() && !std::binary_search(wait.others.begin(), wait.others.end(), wait.watch_other)) {
    return "wait: it watches a thread that is no member";
  }
  return {};
}

struct FaultOfEntry {
  std::string operator()(const Spawn& spawn) const {
    if (!StepsEnd(spawn.first, spawn.count)) return "outbox: a spawn without end or without steps";
    return spawn.function.empty() || spawn.arguments.empty() ? "outbox: a spawn without function or arguments" : "";
  }
  std::string operator()(const CancelThread& cancel) const {
    return (cancel.sid.empty() || IsSid(cancel.sid)) && IsTid(cancel.tid) ? "" : "outbox: a cancel of nobody";
  }
  std::string operator()(const StartSession& start) const {
    return IsSid(start.sid) && !start.function.empty() && !start.arguments.empty() ? "" : "outbox: a start of nothing";
  }
  std::string operator()(const SendEvent& send) const {
    return IsSid(send.sid) && !send.id.empty() && !send.value.empty() ? "" : "outbox: an event without id or value";
  }
  std::string operator()(const EndEventWait&) const { return {}; }
};

std::string FaultOf(const std::vector<Line>& lines) {
  for (const Line& line : lines) {
    if (line.level > (line.kind == LineKind::kLog ? kLogLevelMax : 0)) return "lines: a level that its kind has not";
    if (!line.tid.empty() && !IsTid(line.tid)) return "lines: a damaged tid";
  }
  return {};
}

// What each status has and has not.
std::string FaultOfStatus(const Thread& t) {
  if ((t.status == Status::kRunning) != t.lease.has_value()) return "lease: running, and only running, has one";
  if (t.status != Status::kRunning && !t.in_flight.empty()) return "in_flight: though it is not running";
  if ((t.status == Status::kWaiting) != t.wait.has_value()) return "wait: waiting, and only waiting, has one";
  const int forms = (t.state.empty() ? 0 : 1) + (t.start ? 1 : 0) + (t.chained.empty() ? 0 : 1);
  const bool ended = IsFinal(t.status) || IsErase(t.status);
  if (forms != (ended ? 0 : 1)) return "state: not one of state, start and chained, as long as it has not ended";
  if (t.state.empty() && !t.segments.empty()) return "segments: without a state";
  if ((t.status == Status::kDone || t.status == Status::kFailed) && t.result.empty()) return "result: it has none";
  if (!IsFinal(t.status) && !t.result.empty()) return "result: though it has not ended";
  if (t.state.empty() && !t.answer.empty()) return "answer: to no request";
  if (t.answer.empty() && t.answer_failed) return "answer: none, and yet an error";
  if (ended && !t.outcomes.empty()) return "outcomes: though it has ended";
  if (IsErase(t.status) && !(t.outbox.empty() && t.children.empty() && t.lines.empty() && t.waiters.empty())) {
    return "status: erased, and yet it holds something";
  }
  return {};
}

std::string FaultOfThread(const Thread& t) {
  if (std::string fault = FaultOfStatus(t); !fault.empty()) return fault;
  if (t.commit_id.incarnation == Incarnation{}) return "commit_id: of no runner";
  if (t.lease && t.lease->until_unix_ns == 0) return "lease: without end";
  if (t.start && t.start->arguments.empty()) return "start: without arguments";
  int pending = 0;
  for (const Effect& effect : t.in_flight) {
    if (effect.attempt == 0) return "in_flight: attempts are counted from 1";
    if (effect.function.empty() != effect.arguments.empty()) return "in_flight: a function without arguments";
    pending += effect.function.empty() ? 1 : 0;
  }
  if (pending > 1) return "in_flight: two pending requests";
  if (!Ascends(t.in_flight, [](const Effect& a, const Effect& b) { return a.step < b.step; })) {
    return "in_flight: steps not in order";
  }
  for (const Outcome& outcome : t.outcomes) {
    if (outcome.value.empty()) return "outcomes: one without a value";
  }
  if (!Ascends(t.outcomes, [](const Outcome& a, const Outcome& b) { return a.step < b.step; })) {
    return "outcomes: steps not in order";
  }
  for (const Made& made : t.made) {
    if (made.future.empty()) return "made: no future";
    const bool is_pending = made.state == MadeState::kPending;
    if (is_pending != made.outcome.empty() || is_pending != (made.order == 0))
      return "made: an outcome too few or too many";
  }
  if (t.wait) {
    if (std::string fault = FaultOf(*t.wait); !fault.empty()) return fault;
  }
  for (const Outgoing& entry : t.outbox) {
    if (std::string fault = std::visit(FaultOfEntry(), entry.what); !fault.empty()) return fault;
  }
  if (std::string fault = FaultOf(t.children); !fault.empty()) return fault;
  for (const std::string& segment : t.segments) {
    if (segment.empty()) return "segments: one without bytes";
  }
  if (t.course.site.size() % 2 != 0) return "course: half a place";
  if (!std::isfinite(t.course.priority)) return "course: a priority that is no number";
  if (t.waiters.size() > kWaitersMax) return "waiters: more than " + std::to_string(kWaitersMax);
  if (!Tids(t.waiters)) return "waiters: damaged or not in order";
  return FaultOf(t.lines);
}

std::string FaultOfInbox(const std::vector<Inbox>& all) {
  if (!Ascends(all, [](const Inbox& a, const Inbox& b) { return a.name < b.name; })) return "inbox: names not in order";
  size_t values = 0;
  uint64_t bytes = 0;
  for (const Inbox& inbox : all) {
    if (inbox.values.empty() && inbox.seen.empty()) return "inbox: a name with nothing";
    if (inbox.seen.size() > kSeenMax) return "inbox: more than " + std::to_string(kSeenMax) + " ids seen";
    for (const std::string& id : inbox.seen) {
      if (id.size() != kSeenBytes) return "inbox: an id seen that has not " + std::to_string(kSeenBytes) + " bytes";
    }
    for (const EventValue& value : inbox.values) {
      if (value.id.empty() || value.value.empty()) return "inbox: a value without id or content";
      bytes += value.id.size() + value.value.bytes.size();
    }
    values += inbox.values.size();
  }
  if (values > kInboxValuesMax) return "inbox: more than " + std::to_string(kInboxValuesMax) + " values";
  return bytes > kInboxBytesMax ? "inbox: more than " + std::to_string(kInboxBytesMax) + " bytes" : "";
}

std::string FaultOfEvents(const Session& s) {
  if (std::string fault = FaultOfInbox(s.inbox); !fault.empty()) return fault;
  if (!Ascends(s.event_waiters, [](const EventWaiters& a, const EventWaiters& b) { return a.name < b.name; })) {
    return "event_waiters: names not in order";
  }
  for (const EventWaiters& waiters : s.event_waiters) {
    if (waiters.waiters.empty()) return "event_waiters: a name with nobody";
    for (const EventWaiter& waiter : waiters.waiters) {
      if (!IsTid(waiter.tid)) return "event_waiters: a damaged tid";
    }
  }
  for (const Taken& taken : s.taken) {
    if (!IsTid(taken.tid) || taken.value.id.empty() || taken.value.value.empty()) return "taken: nothing, or by nobody";
  }
  if (!Ascends(s.taken,
               [](const Taken& a, const Taken& b) { return std::tie(a.tid, a.step) < std::tie(b.tid, b.step); })) {
    return "taken: not in order";
  }
  return {};
}

std::string FaultOf(std::string_view field, const Part& part) {
  const std::string name(field);
  if (part.size == 0) return name + ": without bytes";
  if ((part.pieces == 0) != (part.bytes.size() == part.size) || (part.pieces > 0 && !part.bytes.empty())) {
    return name + ": neither in place nor in pieces";
  }
  if (part.pieces == 0 && Sha256Of(part.bytes) != part.hash) return name + ": its bytes are not those of its hash";
  return {};
}

}  // namespace

std::string FaultOf(const ParsedKey& at, const Thread& thread) {
  if (!IsTid(thread.owner)) return "owner: it has none";
  if (ChildTid(thread.owner, thread.step) != at.tid)
    return "owner: step " + std::to_string(thread.step) + " of " + thread.owner + " is another thread";
  if (IsErase(thread.status)) return "status: only sessions are erased";
  return FaultOfThread(thread);
}

std::string FaultOf(const ParsedKey&, const Session& s) {
  if (!s.main.owner.empty() || s.main.step != 0) return "main: the main thread has no owner";
  if (!s.main.verified) return "main: it is always verified";
  if (std::string fault = FaultOfThread(s.main); !fault.empty()) return "main: " + fault;
  const bool erased = s.main.status == Status::kErased;
  if (erased != (s.program == Sha256{})) return "program: until it is erased, and no longer";
  // Main may have ended before the threads that it started: then the session goes on.
  if (!IsFinal(s.main.status) && !IsErase(s.main.status) && s.ended_unix_ns != 0) {
    return "ended_unix_ns: though it has not ended";
  }
  if (s.carrier && s.carrier->until_unix_ns == 0) return "carrier: without an end";
  if (s.carrier && (s.ended_unix_ns != 0 || IsErase(s.main.status))) return "carrier: though it has ended";
  if (!Ascends(s.labels, [](const Label& a, const Label& b) { return a.key < b.key; })) return "labels: not in order";
  if (!Ascends(s.published, [](const Published& a, const Published& b) { return a.key < b.key; })) {
    return "published: not in order";
  }
  for (const Published& published : s.published) {
    if (published.value.empty()) return "published: a key without a value";
  }
  if (s.paused && s.paused->reason.empty()) return "paused: without a reason";
  if (IsErase(s.main.status) && !(s.inbox.empty() && s.event_waiters.empty() && s.taken.empty() && !s.paused)) {
    return "status: erased, and yet it holds something";
  }
  if (s.replied.size() > kRepliesMax) return "replied: more than " + std::to_string(kRepliesMax);
  for (const std::string& id : s.replied) {
    if (id.size() != kReplyIdBytes) return "replied: an id that has not " + std::to_string(kReplyIdBytes) + " bytes";
  }
  if (IsErase(s.main.status) && !(s.history.empty() && s.replied.empty())) return "status: erased, and yet it tells";
  if (std::string fault = HistoryFault(s.history); !fault.empty()) return fault;
  return FaultOfEvents(s);
}

std::string FaultOf(const ParsedKey& at, const Value& value) {
  if (value.bytes.empty() != value.blob.has_value()) return "bytes: neither in place nor in a blob, or both";
  if (value.blob) return value.blob->size == 0 ? "blob: without bytes" : "";
  return Sha256Of(value.bytes) == at.hash ? "" : "bytes: they are not those of its hash";
}

std::string FaultOf(const ParsedKey&, const Output& output) {
  return output.lines.empty() ? "lines: none" : FaultOf(output.lines);
}

std::string FaultOf(const ParsedKey&, const History& history) {
  return history.entries.empty() ? "entries: none" : HistoryFault(history.entries);
}

std::string FaultOf(const ParsedKey&, const Start& start) {
  return start.function.empty() || start.arguments.empty() ? "start: without function or arguments" : "";
}

std::string FaultOf(const ParsedKey&, const Reply& reply) {
  return reply.value.empty() ? "value: none" : "";
}

std::string FaultOf(const ParsedKey& at, const Program& program) {
  if (std::string fault = FaultOf("executable", program.executable); !fault.empty()) return fault;
  if (program.package) {
    if (std::string fault = FaultOf("package", *program.package); !fault.empty()) return fault;
  }
  const Sha256 package = program.package ? program.package->hash : Sha256{};
  return ProgramId(program.executable.hash, package) == at.hash ? "" : "executable, package: of another program";
}

std::string FaultOf(const ParsedKey&, const SweeperPart& part) {
  return part.holder.has_value() == (part.until_unix_ns > 0) ? "" : "holder: without an end, or an end without it";
}

}  // namespace teal::runtime::record

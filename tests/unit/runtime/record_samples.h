// Records for the tests of the record formats: fixed samples, and random ones that keep every rule.
#pragma once

#include <random>
#include <set>
#include <string>

#include "core/runtime/record.h"
#include "core/runtime/record_children.h"
#include "core/runtime/record_key.h"

namespace teal::runtime::record {

inline const std::string kSid = "abcdefghijklmnopqrstuvwx27";
inline constexpr Incarnation kRunner = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
inline constexpr Incarnation kOtherRunner = {16, 15};

// A child of main, step 3, that runs and has one effect in flight.
inline Thread RunningThread() {
  Thread t;
  t.status = Status::kRunning;
  t.commit_id = {kRunner, 7};
  t.epoch = 2;
  t.lease = Lease{kRunner, 1'700'000'030'000'000'000, {}};
  t.state = Content::Of("state");
  t.in_flight.push_back({4, {}, {}, false, true, 1, 0, {}});
  t.owner = "0";
  t.step = 3;
  return t;
}

// The same, parked on its children 5 to 9.
inline Thread WaitingThread() {
  Thread t = RunningThread();
  t.status = Status::kWaiting;
  t.commit_id.counter = 8;
  t.lease.reset();
  t.in_flight.clear();
  t.verified = true;
  t.wait = Wait{WaitKind::kAll, {{5, 5, {}}}, {}, {}, 6, "", 0, 0, 0, {}};
  ListChildren(&t.children, 5, 5);
  t.outbox.push_back({Spawn{5, 5, Content::Of("f"), Content::At(Sha256Of("arguments"), 9), false, 0, {}}, {}});
  return t;
}

inline Thread DoneThread() {
  Thread t = WaitingThread();
  t.status = Status::kDone;
  t.commit_id.counter = 9;
  t.wait.reset();
  t.outbox.clear();
  t.children.clear();
  t.state = {};
  t.result = Content::Of("value");
  return t;
}

inline Session WaitingSession() {
  Session s;
  s.main = WaitingThread();
  s.main.owner.clear();
  s.main.step = 0;
  s.main.wait = Wait{WaitKind::kEvent, {}, {}, {{"approved", 12, {}}}, {}, "", 0, 0, 0, {}};
  s.main.waiters = {"0.1", "0.2.3"};
  s.main.lines.push_back({LineKind::kLog, 1, 1'700'000'000'000'000'001, "hello", {}, {}});
  s.program = Sha256Of("program");
  s.function = "main";
  s.source = "api";
  s.id = "order-17";
  s.labels = {{"customer", "acme", {}}, {"region", "eu", {}}};
  s.created_unix_ns = 1'700'000'000'000'000'000;
  s.started_unix_ns = 1'700'000'000'500'000'000;
  s.deadline_unix_ns = 1'800'000'000'000'000'000;
  s.retention_ns = 604'800'000'000'000;
  s.inbox.push_back({"other", {{"id-1", Content::Of("v1"), {}}}, {SeenId("id-0")}, {}});
  s.event_waiters.push_back({"approved", {{"0", 12, {}}, {"0.2", 4, {}}}, {}});
  s.taken.push_back({"0.2", 4, "approved", {"id-2", Content::Of("v2"), {}}, {}});
  return s;
}

class RandomRecords {
 public:
  explicit RandomRecords(uint64_t seed) : random_(seed) {}

  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Coin() { return Below(2) == 0; }
  uint64_t Number() { return random_() >> Below(64); }
  std::string Text(size_t most) {
    std::string text(1 + Below(most), '\0');
    for (char& c : text) c = static_cast<char>(random_());
    return text;
  }
  Sha256 Hash() { return Sha256Of(Text(8)); }
  Incarnation Runner() {
    Incarnation one{1};
    for (size_t i = 1; i < one.size(); i++) one[i] = static_cast<uint8_t>(random_());
    return one;
  }
  // A field of number 1000, as a newer release might add it.
  std::string Unknown() { return Below(4) == 0 ? std::string("\xc2\x3e\x02") + "xy" : ""; }
  Content Some() {
    Content c = Coin() ? Content::Of(Text(40)) : Content::At(Hash(), 1 + Number() / 2);
    c.unknown = Unknown();
    return c;
  }
  std::string Tid() { return ChildTid(Coin() ? "0" : "0.7", Number()); }
  std::vector<std::string> Tids(size_t most) {
    std::set<std::string> tids;
    for (uint64_t n = Below(most + 1); n > 0; n--) tids.insert(Tid());
    return {tids.begin(), tids.end()};
  }

  Wait AnyWait() {
    Wait w;
    w.kind = static_cast<WaitKind>(1 + Below(7));
    w.unknown = Unknown();
    if (Coin()) w.deadline_unix_ns = 1 + Number() / 2;
    switch (w.kind) {
      case WaitKind::kOne:
        if (Coin())
          w.own = {{Number(), 1, Unknown()}};
        else
          w.others = {Tid()};
        return w;
      case WaitKind::kEvent:
        w.events = {{Text(9), Number(), Unknown()}};
        return w;
      case WaitKind::kTimer:
        w.deadline_unix_ns = 1 + Number() / 2;
        return w;
      default:
        break;
    }
    uint64_t at = Below(5);
    for (uint64_t n = 1 + Below(4); n > 0; n--) {
      w.own.push_back({at, 1 + Below(9), Unknown()});
      at += w.own.back().count + 1 + Below(3);
    }
    w.others = Tids(3);
    if (Coin()) w.events = {{Text(9), 3, {}}, {Text(9), 5, Unknown()}};
    if (w.kind == WaitKind::kSome) {
      w.wanted = 1 + Below(3);
      w.failures_allowed = Below(3);
    }
    if (w.kind == WaitKind::kAll || w.kind == WaitKind::kSettle) {
      if (!w.others.empty() && Coin())
        w.watch_other = w.others.back();
      else
        w.watch_own = w.own.back().first;
    }
    return w;
  }

  Outgoing Entry() {
    Outgoing out;
    out.unknown = Unknown();
    switch (Below(5)) {
      case 0:
        out.what = Spawn{Number() / 2, 1 + Below(99), Some(), Some(), Coin(), Number(), Unknown()};
        break;
      case 1:
        out.what = CancelThread{Coin() ? kSid : "", Tid(), Unknown()};
        break;
      case 2:
        out.what = StartSession{kSid, Text(9), Some(), Some(), Unknown()};
        break;
      case 3:
        out.what = SendEvent{kSid, Text(9), Text(9), Some(), Unknown()};
        break;
      default:
        out.what = EndEventWait{Text(9), Number(), Coin(), Unknown()};
    }
    return out;
  }

  std::vector<Line> Lines() {
    std::vector<Line> lines;
    for (uint64_t n = Below(4); n > 0; n--) {
      Line line{static_cast<LineKind>(1 + Below(3)), 0, Number(), Text(30), Below(2) == 0 ? "" : Tid(), Unknown()};
      if (line.kind == LineKind::kLog) line.level = static_cast<uint32_t>(Below(4));
      lines.push_back(line);
    }
    return lines;
  }

  // Of the main thread; `OfChild` makes it that of a child.
  Thread Main(Status status) {
    Thread t;
    t.status = status;
    t.commit_id = {Runner(), Number()};
    t.epoch = Number();
    t.verified = true;
    t.settle_delay_ns = Coin() ? 0 : Number();
    t.attempts = static_cast<uint32_t>(Below(5));
    t.pieces = Below(3);
    t.unknown = Unknown();
    t.cancel = static_cast<Cancel>(Below(3));
    if (IsErase(status)) return t;
    if (status == Status::kRunning) {
      t.lease = Lease{t.commit_id.incarnation, 1 + Number() / 2, Unknown()};
      uint64_t step = Below(9);
      for (uint64_t n = Below(3); n > 0; n--, step += 1 + Below(9)) {
        t.in_flight.push_back(
            {step, Some(), Some(), Coin(), Coin(), 1 + static_cast<uint32_t>(Below(9)), 0, Unknown()});
      }
    }
    if (status == Status::kWaiting) t.wait = AnyWait();
    if (IsFinal(status)) {
      if (status != Status::kCancelled || Coin()) t.result = Some();
    } else {
      const uint64_t form = Below(3);
      if (form == 0) t.state = Some();
      if (form == 0 && Coin()) t.segments = {Text(50), Text(50)};
      if (form == 1) t.start = Start{Some(), Some(), Coin(), Unknown()};
      if (form == 2) t.chained = Some();
      if (Coin()) t.outcomes = {{2, Coin(), Some(), Unknown()}, {7, Coin(), Some(), Unknown()}};
    }
    for (uint64_t n = Below(4); n > 0; n--) t.outbox.push_back(Entry());
    for (uint64_t n = Below(6); n > 0; n--) ListChildren(&t.children, Below(100), 1 + Below(9), {Coin(), Coin()});
    t.course.depth = static_cast<uint32_t>(Below(5));
    if (Coin()) t.course.site = {static_cast<uint32_t>(Number()), 9};
    if (Coin()) t.course.effect_step = Below(3);
    t.course.cancel_raised = Coin();
    t.course.priority = static_cast<float>(Below(9)) / 2;
    t.course.unknown = Unknown();
    t.lines = Lines();
    t.waiters = Tids(4);
    return t;
  }
  Thread OfChild(Thread t) {
    t.owner = "0.7";
    t.step = Number();
    t.verified = Coin();
    return t;
  }

  Session AnySession() {
    Session s;
    s.main = Main(static_cast<Status>(1 + Below(8)));
    s.function = Text(9);
    s.source = Text(5);
    s.id = Text(9);
    s.created_unix_ns = Number();
    s.started_unix_ns = Number();
    s.deadline_unix_ns = Number();
    s.retention_ns = Number();
    s.unknown = Unknown();
    if (s.main.status != Status::kErased) s.program = Hash();
    if (IsFinal(s.main.status)) s.ended_unix_ns = 1 + Number() / 2;
    if (Coin()) s.labels = {{"a", Text(5), Unknown()}, {"b", "", {}}};
    if (IsErase(s.main.status)) return s;
    if (Coin()) s.paused = Paused{Text(9), Number(), Unknown()};
    if (Coin()) s.inbox = {{"", {{Text(9), Some(), Unknown()}}, {}, Unknown()}, {"x", {}, {SeenId(Text(9))}, {}}};
    if (Coin()) s.event_waiters = {{Text(9), {{Tid(), Number(), Unknown()}, {"0", 1, {}}}, Unknown()}};
    if (Coin())
      s.taken = {{"0", 4, Text(9), {Text(9), Some(), {}}, Unknown()}, {"0", 5, "", {Text(9), Some(), {}}, {}}};
    return s;
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace teal::runtime::record

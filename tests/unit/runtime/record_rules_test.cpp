// The rules of protocol.md that records and a clock decide, each by its number.
#include "core/runtime/record_rules.h"

#include <gtest/gtest.h>

#include "tests/unit/runtime/record_samples.h"

namespace teal::runtime::record {
namespace {

constexpr uint64_t kNow = 1'000'007 * kSecond;     // 2 s after a multiple of due_round
constexpr uint64_t kSettle = 1'000'050 * kSecond;  // kNow + 30 s, rounded up to 15 s
const Constants kConstants;

uint64_t DueWritten(const Thread& t) {
  return Due(t, kNow, Occasion::kWritten, kConstants);
}

TEST(RecordRules, Section3DueOfThreads) {
  ASSERT_EQ(kNow % kConstants.due_round_ns, 2 * kSecond);
  Thread t = RunningThread();
  t.lease->until_unix_ns = kNow + 30 * kSecond;
  EXPECT_EQ(DueWritten(t), kSettle) << "a lease is rounded up";
  t.lease->until_unix_ns = kSettle;
  EXPECT_EQ(DueWritten(t), kSettle) << "a multiple stays";

  t = WaitingThread();
  EXPECT_EQ(DueWritten(t), kSettle);
  EXPECT_EQ(Due(t, kNow, Occasion::kSettled, kConstants), 0u);
  t.wait->deadline_unix_ns = kNow + 3;
  EXPECT_EQ(DueWritten(t), kNow + 3) << "a deadline is not rounded";
  EXPECT_EQ(Due(t, kNow, Occasion::kSettled, kConstants), kNow + 3);
  t.wait->deadline_unix_ns = kSettle + 3;
  EXPECT_EQ(DueWritten(t), kSettle) << "the earlier of the two";
  EXPECT_EQ(Due(t, kNow, Occasion::kSettled, kConstants), kSettle + 3);
  t.cancel = Cancel::kCancel;
  EXPECT_EQ(DueWritten(t), kNow);

  t = DoneThread();
  EXPECT_EQ(DueWritten(t), kSettle);
  EXPECT_EQ(Due(t, kNow, Occasion::kSettled, kConstants), 0u);
  t.settle_delay_ns = kConstants.fan_out_settle_delay_ns;
  EXPECT_EQ(DueWritten(t), 1'000'620 * kSecond) << "a member of a large fan-out: 10 min";
  t.settle_delay_ns = UINT64_MAX;
  EXPECT_EQ(DueWritten(t), UINT64_MAX) << "no overflow";

  t = WaitingThread();
  t.wait.reset();
  t.status = Status::kReady;
  EXPECT_EQ(DueWritten(t), kSettle);
  EXPECT_EQ(Due(t, kNow, Occasion::kHandedOver, kConstants), kNow);
  Constants exact;
  exact.due_round_ns = 0;
  EXPECT_EQ(Due(t, kNow, Occasion::kWritten, exact), kNow + 30 * kSecond);
}

TEST(RecordRules, Section3DueOfSessions) {
  const auto due = [](const Session& s, Occasion occasion) { return Due(s, kNow, occasion, kConstants); };
  Session s = WaitingSession();
  s.taken.clear();
  s.deadline_unix_ns = 0;
  EXPECT_EQ(due(s, Occasion::kWritten), kSettle);
  EXPECT_EQ(due(s, Occasion::kSettled), 0u);
  s.deadline_unix_ns = kSettle + 1;
  EXPECT_EQ(due(s, Occasion::kSettled), kSettle + 1) << "the session's own timeout";
  s.inbox.push_back({"approved", {{"id", Content::Of("v"), {}}}, {}, {}});
  EXPECT_EQ(due(s, Occasion::kSettled), kNow) << "P-23: its event arrived";
  s.inbox.pop_back();
  s.taken.push_back({"0", 12, "approved", {"id", Content::Of("v"), {}}, {}});
  EXPECT_EQ(due(s, Occasion::kWritten), kNow) << "P-23: it was given to main's wait";
  s.taken[0].step = 13;
  EXPECT_EQ(due(s, Occasion::kWritten), kSettle) << "another wait's";
  s.paused = Paused{"limit", 1, {}};
  EXPECT_EQ(due(s, Occasion::kWritten), 0u);
  s.paused.reset();

  s.main.wait.reset();
  s.main.status = Status::kDone;
  s.ended_unix_ns = 5 * kSecond;
  EXPECT_EQ(due(s, Occasion::kWritten), kSettle);
  EXPECT_EQ(due(s, Occasion::kSettled), 5 * kSecond + s.retention_ns);
  s.main.status = Status::kErasing;
  EXPECT_EQ(due(s, Occasion::kWritten), kNow);
  s.main.status = Status::kErased;
  EXPECT_EQ(due(s, Occasion::kWritten), kNow + kConstants.dedup_ns);
}

TEST(RecordRules, P9P10P27Leases) {
  const Lease lease{kRunner, 100 * kSecond, {}};
  EXPECT_FALSE(LeaseIsOver(lease, 105 * kSecond - 1, kConstants)) << "P-10: skew_max more";
  EXPECT_TRUE(LeaseIsOver(lease, 105 * kSecond, kConstants));
  const uint64_t length = 30 * kSecond;
  EXPECT_TRUE(MayStartEffect(5, 5 + 22 * kSecond - 1, length, kConstants)) << "P-9: less than lease - guard";
  EXPECT_FALSE(MayStartEffect(5, 5 + 22 * kSecond, length, kConstants));
  EXPECT_FALSE(MayStartEffect(5, 6, kConstants.guard_ns, kConstants)) << "P-9: a lease no longer than the guard";
  EXPECT_EQ(NextLease(0, kConstants), 30 * kSecond);
  uint64_t at = NextLease(0, kConstants);
  for (int i = 0; i < 3; i++) at = NextLease(at, kConstants);
  EXPECT_EQ(at, 240 * kSecond) << "P-27: each twice as long";
  EXPECT_EQ(NextLease(NextLease(at, kConstants), kConstants), 600 * kSecond) << "P-27: up to 10 min";
}

// P-15, in full: each kind of wait against each kind of child.
TEST(RecordRules, P15Wakes) {
  struct Row {
    WaitKind kind;
    bool watched_done, other_done, other_failed;
  };
  const Row rows[] = {
      {WaitKind::kAll, true, false, true},
      {WaitKind::kSettle, true, false, false},
      {WaitKind::kAny, true, true, true},
      {WaitKind::kSome, true, true, true},
  };
  const auto child = [](uint64_t step, Status status) {
    Thread t = DoneThread();
    t.owner = "0.3";
    t.step = step;
    t.status = status;
    return t;
  };
  for (const Row& row : rows) {
    Wait wait{row.kind, {{5, 5, {}}}, {"0.1", "0.2"}, {}, {}, "", 0, 0, 0, {}};
    if (row.kind == WaitKind::kAll || row.kind == WaitKind::kSettle) wait.watch_own = 6;
    const auto wakes = [&](const Thread& c) { return Wakes(wait, "0.3", ChildTid(c.owner, c.step), c); };
    EXPECT_EQ(wakes(child(6, Status::kDone)), row.watched_done);
    EXPECT_EQ(wakes(child(9, Status::kDone)), row.other_done);
    EXPECT_EQ(wakes(child(9, Status::kFailed)), row.other_failed);
    EXPECT_EQ(wakes(child(9, Status::kCancelled)), row.other_failed) << "P-19: cancelled is a failure";
    EXPECT_FALSE(wakes(child(10, Status::kFailed))) << "no member";
    for (Status s : {Status::kReady, Status::kRunning, Status::kWaiting}) EXPECT_FALSE(wakes(child(6, s)));
    Thread foreign = child(1, Status::kFailed);
    foreign.owner = "0";
    EXPECT_EQ(wakes(foreign), row.other_failed) << "another's thread";
    foreign.step = 6;
    EXPECT_FALSE(wakes(foreign)) << "the step of another owner";
    if (row.kind == WaitKind::kAll || row.kind == WaitKind::kSettle) {
      wait.watch_own.reset();
      wait.watch_other = "0.2";
      foreign.step = 2;
      foreign.status = Status::kDone;
      EXPECT_TRUE(wakes(foreign)) << "the watched foreign member";
      foreign.step = 1;
      EXPECT_FALSE(wakes(foreign));
    }
  }
  const Wait one{WaitKind::kOne, {{6, 1, {}}}, {}, {}, {}, "", 0, 0, 0, {}};
  EXPECT_TRUE(Wakes(one, "0.3", "0.3.6", child(6, Status::kCancelled)));
  EXPECT_FALSE(Wakes(one, "0.3", "0.3.6", child(6, Status::kWaiting)));
  EXPECT_FALSE(Wakes(one, "0.3", "0.3.7", child(7, Status::kDone)));
}

TEST(RecordRules, Section3Transitions) {
  // Rows: from; columns: to. absent ready running waiting done failed cancelled erasing erased.
  const char* threads[] = {".xxxxxx..", "..xxxxx..", ".xxxxxx..", "..xxxxx..", "x........",
                           "x........", "x........", ".........", "........."};
  const char* sessions[] = {".xxxxx...", ".xxxxxx..", ".xxxxxx..", "..xxxxx..", ".......x.",
                            ".......x.", ".......x.", "........x", "x........"};
  const auto status = [](int i) { return i == 0 ? std::nullopt : std::optional(static_cast<Status>(i)); };
  for (int from = 0; from < 9; from++) {
    for (int to = 0; to < 9; to++) {
      EXPECT_EQ(MayChange(status(from), status(to), Holder::kThread), threads[from][to] == 'x') << from << to;
      EXPECT_EQ(MayChange(status(from), status(to), Holder::kSession), sessions[from][to] == 'x') << from << to;
    }
  }
}

// P-2: a side write leaves all progress fields but outbox and due. Each field is tried.
TEST(RecordRules, P2SideWrites) {
  const Session before = WaitingSession();
  Session after = before;
  after.main.cancel = Cancel::kCancel;
  after.main.waiters.push_back("0.9");
  after.main.outbox.clear();
  after.inbox.clear();
  after.taken.clear();
  after.event_waiters.clear();
  after.paused = Paused{"limit", 1, {}};
  EXPECT_EQ(SideWriteFault(before, after), "");

  using Change = void (*)(Session*);
  const Change progress[] = {
      [](Session* s) { s->main.status = Status::kReady; },
      [](Session* s) { s->main.commit_id.counter++; },
      [](Session* s) { s->main.epoch++; },
      [](Session* s) { s->main.lease = Lease{}; },
      [](Session* s) { s->main.verified = false; },
      [](Session* s) { s->main.state.bytes += 'x'; },
      [](Session* s) { s->main.start = Start{}; },
      [](Session* s) { s->main.chained = Content::Of("x"); },
      [](Session* s) { s->main.in_flight.emplace_back(); },
      [](Session* s) { s->main.wait->deadline_unix_ns++; },
      [](Session* s) { s->main.children.clear(); },
      [](Session* s) { s->main.result = Content::Of("x"); },
      [](Session* s) { s->main.owner = "0"; },
      [](Session* s) { s->main.step++; },
      [](Session* s) { s->main.outcomes.emplace_back(); },
      [](Session* s) { s->main.segments.emplace_back("x"); },
      [](Session* s) { s->main.settle_delay_ns++; },
      [](Session* s) { s->main.attempts++; },
      [](Session* s) { s->main.course.depth++; },
      [](Session* s) { s->main.lines.clear(); },
      [](Session* s) { s->main.pieces++; },
      [](Session* s) { s->main.unknown += 'x'; },
      [](Session* s) { s->program[0]++; },
      [](Session* s) { s->function += 'x'; },
      [](Session* s) { s->source += 'x'; },
      [](Session* s) { s->id += 'x'; },
      [](Session* s) { s->labels.clear(); },
      [](Session* s) { s->created_unix_ns++; },
      [](Session* s) { s->started_unix_ns++; },
      [](Session* s) { s->ended_unix_ns++; },
      [](Session* s) { s->deadline_unix_ns++; },
      [](Session* s) { s->retention_ns++; },
      [](Session* s) { s->unknown += 'x'; },
      // Side fields, but not so.
      [](Session* s) { s->main.outbox.pop_back(), s->main.outbox.push_back({CancelThread{"", "0.1", {}}, {}}); },
      [](Session* s) { s->main.waiters.clear(); },
  };
  for (size_t i = 0; i < std::size(progress); i++) {
    after = before;
    progress[i](&after);
    EXPECT_NE(SideWriteFault(before, after), "") << "change " << i;
  }
  // P-19: what has ended takes neither cancel nor waiter; settling clears.
  Thread done = DoneThread();
  done.waiters = {"0.1"};
  Thread settled = done;
  settled.waiters.clear();
  EXPECT_EQ(SideWriteFault(done, settled), "");
  EXPECT_NE(SideWriteFault(settled, done), "");
  settled.cancel = Cancel::kCancel;
  EXPECT_NE(SideWriteFault(done, settled), "");
  EXPECT_EQ(SideWriteFault(RunningThread(),
                           [] {
                             Thread t = RunningThread();
                             t.cancel = Cancel::kCancel;
                             return t;
                           }()),
            "");
}

TEST(RecordRules, P2P10P16P19ProgressWrites) {
  const Thread running = RunningThread();
  EXPECT_EQ(ProgressWriteFault(nullptr, running), "") << "P-7";
  EXPECT_EQ(ProgressWriteFault(&running, WaitingThread()), "");
  const auto fault = [&](const Thread& before, const Thread& after) { return ProgressWriteFault(&before, after); };
  Thread after = WaitingThread();
  after.commit_id = running.commit_id;
  EXPECT_NE(fault(running, after).find("P-2"), std::string::npos);
  after = running;
  after.commit_id.counter++;
  EXPECT_NE(fault(running, after).find("P-16"), std::string::npos) << "nothing moves";
  after.lease->until_unix_ns++;
  EXPECT_EQ(fault(running, after), "") << "P-27: renewed";
  after.epoch++;
  after.commit_id.incarnation = after.lease->holder = kOtherRunner;
  EXPECT_EQ(fault(running, after), "") << "P-10: taken over";
  after.epoch--;
  EXPECT_NE(fault(running, after).find("P-10"), std::string::npos) << "taken over under the same epoch";
  after = WaitingThread();
  after.commit_id.incarnation = kOtherRunner;
  EXPECT_NE(fault(running, after).find("P-10"), std::string::npos) << "parked by another without taking over";
  Thread parked = WaitingThread();
  parked.commit_id.counter++;
  parked.outbox.clear();
  EXPECT_NE(fault(WaitingThread(), parked).find("P-16"), std::string::npos) << "parked as before";
  parked.wait->watch_own = 7;
  EXPECT_EQ(fault(WaitingThread(), parked), "") << "P-16: another watch";
  parked.epoch++;
  EXPECT_NE(fault(WaitingThread(), parked).find("P-10"), std::string::npos);
  Thread done = DoneThread();
  EXPECT_EQ(fault(WaitingThread(), done), "");
  done.commit_id.counter++;
  EXPECT_NE(fault(DoneThread(), done), "") << "P-19";
  done.verified = false;
  EXPECT_NE(fault(WaitingThread(), done).find("verified"), std::string::npos);

  Session session = WaitingSession();
  session.main.wait.reset();
  session.main.status = Status::kReady;
  Session current = session;
  current.program = Sha256Of("current");
  current.main.commit_id.counter++;
  EXPECT_EQ(ProgressWriteFault(&session, current), "") << "P-30";
  current.program = session.program;
  EXPECT_NE(ProgressWriteFault(&session, current), "");
}

TEST(RecordRules, P3SideFieldsAreTakenOver) {
  Session found = WaitingSession();
  found.main.cancel = Cancel::kTerminate;
  Session mine;
  mine.main = RunningThread();
  AdoptSide(found, &mine);
  EXPECT_EQ(mine.main.cancel, Cancel::kTerminate);
  EXPECT_EQ(mine.main.waiters, found.main.waiters);
  EXPECT_TRUE(mine.inbox == found.inbox && mine.taken == found.taken && mine.event_waiters == found.event_waiters);
  EXPECT_EQ(mine.main.status, Status::kRunning);
  EXPECT_TRUE(IsFenced(RunningThread().commit_id, WaitingThread()));
  EXPECT_FALSE(IsFenced(WaitingThread().commit_id, WaitingThread()));
}

TEST(RecordRules, P8P20P25Deletion) {
  EXPECT_TRUE(Lists(WaitingThread(), 5) && Lists(WaitingThread(), 9));
  EXPECT_FALSE(Lists(WaitingThread(), 4) || Lists(WaitingThread(), 10));
  EXPECT_TRUE(MayDelete(DoneThread(), false));
  EXPECT_FALSE(MayDelete(DoneThread(), true)) << "P-20: as long as it is listed";
  EXPECT_TRUE(MayDelete(RunningThread(), false)) << "P-8: an orphan that was never verified";
  EXPECT_FALSE(MayDelete(WaitingThread(), false)) << "verified and not final";
  Thread main = DoneThread();
  main.owner.clear();
  EXPECT_FALSE(MayDelete(main, false)) << "P-21: it is erased";
  EXPECT_FALSE(StaysListed({}, DoneThread()));
  EXPECT_TRUE(StaysListed({0, 1, true, false, {}}, DoneThread()));
  EXPECT_TRUE(StaysListed({}, WaitingThread())) << "P-20: children or outbox of its own";
  Thread poison = RunningThread();
  poison.attempts = 4;
  EXPECT_FALSE(IsPoison(poison, kConstants));
  poison.attempts = 5;
  EXPECT_TRUE(IsPoison(poison, kConstants));
}

}  // namespace
}  // namespace teal::runtime::record

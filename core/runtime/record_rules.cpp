#include "core/runtime/record_rules.h"

#include <algorithm>

#include "core/runtime/record_children.h"
#include "core/runtime/record_key.h"

namespace teal::runtime::record {
namespace {

constexpr uint64_t kNever = UINT64_MAX;

uint64_t Plus(uint64_t time, uint64_t duration) {
  return time > kNever - duration ? kNever : time + duration;
}

uint64_t RoundUp(uint64_t time, uint64_t round) {
  const uint64_t past = round == 0 ? 0 : time % round;
  return past == 0 ? time : Plus(time, round - past);
}

// 0 means none.
uint64_t Earlier(uint64_t a, uint64_t b) {
  if (a == 0 || b == 0) return a + b;
  return std::min(a, b);
}

uint64_t SettleAt(const Thread& thread, uint64_t now, const Constants& constants) {
  const uint64_t delay = thread.settle_delay_ns > 0 ? thread.settle_delay_ns : constants.settle_delay_ns;
  return RoundUp(Plus(now, delay), constants.due_round_ns);
}

uint64_t DueOf(const Thread& thread, uint64_t deadline, bool awake, uint64_t now, Occasion occasion,
               const Constants& constants) {
  const bool settled = occasion == Occasion::kSettled;
  switch (thread.status) {
    case Status::kReady:
      return occasion == Occasion::kHandedOver ? now : SettleAt(thread, now, constants);
    case Status::kRunning:
      return thread.lease ? RoundUp(thread.lease->until_unix_ns, constants.due_round_ns) : now;
    case Status::kWaiting:
      if (awake || thread.cancel != Cancel::kNo) return now;
      return settled ? deadline : Earlier(deadline, SettleAt(thread, now, constants));
    case Status::kDone:
    case Status::kFailed:
    case Status::kCancelled:
      return settled ? 0 : SettleAt(thread, now, constants);
    case Status::kErasing:
      return now;
    case Status::kErased:
      return Plus(now, constants.dedup_ns);
  }
  return now;
}

bool HasStep(const std::vector<Range>& ranges, uint64_t step) {
  return std::any_of(ranges.begin(), ranges.end(), [step](const Range& range) { return range.Has(step); });
}

}  // namespace

uint64_t Due(const Thread& thread, uint64_t now, Occasion occasion, const Constants& constants) {
  return DueOf(thread, thread.wait ? thread.wait->deadline_unix_ns : 0, false, now, occasion, constants);
}

uint64_t Due(const Session& session, uint64_t now, Occasion occasion, const Constants& constants) {
  const Thread& main = session.main;
  if (session.paused && !IsFinal(main.status) && !IsErase(main.status)) return 0;
  if (IsFinal(main.status) && occasion == Occasion::kSettled) {
    return Plus(session.ended_unix_ns, session.retention_ns);
  }
  const uint64_t deadline = Earlier(main.wait ? main.wait->deadline_unix_ns : 0, session.deadline_unix_ns);
  return DueOf(main, deadline, EventArrived(session), now, occasion, constants);
}

bool EventArrived(const Session& session) {
  if (!session.main.wait) return false;
  for (const EventWait& wait : session.main.wait->events) {
    for (const Taken& taken : session.taken) {
      if (taken.tid == kMainTid && taken.step == wait.step) return true;
    }
    for (const Inbox& inbox : session.inbox) {
      if (inbox.name == wait.name && !inbox.values.empty()) return true;
    }
  }
  return false;
}

bool LeaseIsOver(const Lease& lease, uint64_t now, const Constants& constants) {
  return now >= Plus(lease.until_unix_ns, constants.skew_max_ns);
}

bool MayStartEffect(uint64_t sent_ns, uint64_t now_ns, uint64_t lease_ns, const Constants& constants) {
  return lease_ns > constants.guard_ns && now_ns >= sent_ns && now_ns - sent_ns < lease_ns - constants.guard_ns;
}

uint64_t NextLease(uint64_t lease_ns, const Constants& constants) {
  if (lease_ns == 0) return constants.lease_ns;
  return lease_ns > constants.lease_max_ns / 2 ? constants.lease_max_ns : lease_ns * 2;
}

bool IsMember(const Wait& wait, std::string_view waiter, std::string_view tid, const Thread& child) {
  if (child.owner == waiter && HasStep(wait.own, child.step)) return true;
  return std::binary_search(wait.others.begin(), wait.others.end(), tid);
}

bool Wakes(const Wait& wait, std::string_view waiter, std::string_view tid, const Thread& child) {
  if (!IsFinal(child.status) || !IsMember(wait, waiter, tid, child)) return false;
  const bool watched =
      wait.watch_own ? child.owner == waiter && child.step == *wait.watch_own : tid == wait.watch_other;
  switch (wait.kind) {
    case WaitKind::kOne:
    case WaitKind::kAny:
    case WaitKind::kSome:
      return true;
    case WaitKind::kAll:
      return watched || child.status != Status::kDone;
    case WaitKind::kSettle:
      return watched;
    case WaitKind::kEvent:
    case WaitKind::kTimer:
      return false;
  }
  return false;
}

bool Lists(const Thread& owner, uint64_t step) {
  return FindChild(owner.children, step) != nullptr;
}

bool MayDelete(const Thread& thread, bool wanted) {
  return !thread.IsMain() && !wanted && (IsFinal(thread.status) || !thread.verified);
}

bool StaysListed(const Children& entry, const Thread& child) {
  return entry.shared || entry.has_children || !child.children.empty() || !child.outbox.empty();
}

bool IsPoison(const Thread& thread, const Constants& constants) {
  return thread.attempts >= constants.claims_max;
}

bool IsFenced(const CommitId& taken_up, const Thread& found) {
  return found.commit_id != taken_up;
}

}  // namespace teal::runtime::record

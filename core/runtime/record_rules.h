// The rules of protocol.md that are decided by records and a clock alone. Each names its P-n. All functions are pure:
// runners, sweepers and the simulator ask the same ones. Times in nanoseconds since 1970 UTC, durations in nanoseconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/runtime/record.h"

namespace teal::runtime::record {

inline constexpr uint64_t kSecond = 1'000'000'000;

// Section 2's constants, all configurable.
struct Constants {
  uint64_t lease_ns = 30 * kSecond;
  uint64_t lease_max_ns = 600 * kSecond;  // P-27
  uint64_t guard_ns = 8 * kSecond;
  uint64_t skew_max_ns = 5 * kSecond;
  uint64_t settle_delay_ns = 30 * kSecond;
  uint64_t fan_out_settle_delay_ns = 600 * kSecond;  // of members of a fan-out of more than fan_out_members
  uint64_t fan_out_members = 16;
  uint64_t claim_after_ns = 1 * kSecond;
  uint32_t inline_max = 16;
  uint32_t outbox_entries_max = 256;
  uint64_t outbox_bytes_max = 64 * 1024;
  uint64_t record_target_bytes = 4096;
  uint64_t due_round_ns = 15 * kSecond;
  uint64_t retention_ns = 7 * 86'400 * kSecond;
  uint64_t dedup_ns = 14 * 86'400 * kSecond;
  uint32_t claims_max = 5;  // P-25
};

// ---- Due times (section 3) ----

// What led to the write.
enum class Occasion : uint8_t {
  kWritten,
  kHandedOver,  // `ready`, to be run at once
  kSettled,     // the sweeper's clearing (P-18)
};

// The due time to write with the record, 0 for none: the table of section 3. Leases and settling are rounded up to a
// multiple of due_round (section 7), deadlines are not. `now`: when it is written.
uint64_t Due(const Thread& thread, uint64_t now, Occasion occasion, const Constants& constants);
// The main thread's, with the session's own deadline, retention and events; while it is paused, none: resuming sets it.
uint64_t Due(const Session& session, uint64_t now, Occasion occasion, const Constants& constants);

// Whether an event that main waits for is there (P-23).
bool EventArrived(const Session& session);

// ---- Leases ----

// P-10, by the sweeper's clock: over at `until` + skew_max, not before.
bool LeaseIsOver(const Lease& lease, uint64_t now, const Constants& constants);
// P-9: `sent_ns` and `now_ns` on the monotonic clock, the first from before the commit was sent.
bool MayStartEffect(uint64_t sent_ns, uint64_t now_ns, uint64_t lease_ns, const Constants& constants);
// P-27: how long the next lease is, after one of `lease_ns`; 0: the first.
uint64_t NextLease(uint64_t lease_ns, const Constants& constants);

// ---- Waiting (P-15) ----

// Whether `tid`, whose record is `child`, is one of those that `waiter` waits for.
bool IsMember(const Wait& wait, std::string_view waiter, std::string_view tid, const Thread& child);
// The one predicate that runners and sweepers use.
bool Wakes(const Wait& wait, std::string_view waiter, std::string_view tid, const Thread& child);

// ---- Children (P-8, P-20) ----

bool Lists(const Thread& owner, uint64_t step);
// Whether the record may be deleted, given whether its owner lists it in a session that is not marked: final, or never
// verified and so seen by nobody (P-8). Main's record never is: it is erased.
bool MayDelete(const Thread& thread, bool wanted);
// Whether a listed child must stay listed when it is consumed.
bool StaysListed(const Children& entry, const Thread& child);

// P-25: so many claims without progress end the thread as `failed: runner_lost`.
bool IsPoison(const Thread& thread, const Constants& constants);

// ---- Writes ----

enum class Holder : uint8_t { kThread, kSession };

// Section 3's figure, for progress writes; nullopt: absent. Deletions of orphans are MayDelete's.
bool MayChange(std::optional<Status> from, std::optional<Status> to, Holder holder);

// P-2, P-19: empty if `after` is a side write on `before`: commit_id and all progress fields are as they were, but that
// the outbox may have been cleared; cancel only grows; waiters only grow, or after the end only shrink. Else the field.
std::string SideWriteFault(const Thread& before, const Thread& after);
std::string SideWriteFault(const Session& before, const Session& after);

// P-2, P-10, P-16, P-19: empty if `after` is a progress write on `before` (null: absent). Else what is wrong.
std::string ProgressWriteFault(const Thread* before, const Thread& after);
std::string ProgressWriteFault(const Session* before, const Session& after);

// P-3: gives `mine` the side fields of the record found, before it is decided anew and written again.
void AdoptSide(const Thread& found, Thread* mine);
void AdoptSide(const Session& found, Session* mine);

// P-3: whether the runner that took the thread up at `taken_up` still carries it.
bool IsFenced(const CommitId& taken_up, const Thread& found);

}  // namespace teal::runtime::record

// A commit, and what becomes of it when the reply is lost (P-4).
//
// While every reply is known this is one flight, or several of which all but the last certainly did nothing. As soon as
// one flight has an unknown outcome the commit is in doubt, for good: that flight may land at any later moment. Then
// what counts is read, not replied:
//
//  1. Every put is there byte for byte, with its due time and not under the version that it was to replace, and every
//     delete is absent: applied. Safe: the records are as the commit makes them, and each version given back belongs to
//     the very bytes that the caller thinks are there. Whether this flight or an equal write of another did it makes no
//     difference (store.h). The reads are not one moment, but each of them alone proves its record.
//  2. Every condition holds on what was read: the flights in doubt have not landed. The very same commit again. Safe
//     even if one of them lands between the read and the new flight, or after it: the first to land changes the
//     versions that all are conditional on, so the others fail as wholes. The conflict that the new flight then gets is
//     one with our own write; so no conflict is believed while in doubt, but read, and 1 finds the own bytes. Without
//     conditions the flight that lands late writes the same bytes once more: kAny is for what never changes.
//  3. Some puts are as in 1, all others as in 2: the flight landed between two of the reads, since a commit lands
//  whole.
//     Read again. What stays so after some more reads is no such moment (a record created by this commit and deleted
//     again); that goes to 4.
//  4. Else a condition neither holds nor was it broken by our own bytes: a conflict, with what was found. A condition
//     on a version that does not hold will not hold again (P-1), so the flights in doubt are harmless from now on; one
//     on absence may land after a delete, which the protocol bears as any late write (P-8). But the commit may have
//     been applied, and one of its records written over since. Bytes cannot tell that; the caller can, from the commit
//     id in the record: the result says `doubtful`.
//
// A conflict in the very first flight is the memory's own word that nothing was applied. Only when the record in the
// way holds our very bytes it is not believed, but read: a memory that repeats by itself may meet its own earlier
// write, and the border's promise to notice (ERR-3) costs nothing to check here.
#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "core/runtime/memory_store_call.h"

namespace teal::runtime::store {
namespace {

using Kind = StoreWrite::Kind;

// Reads in a row that may show half a commit before it is taken for a conflict.
constexpr uint32_t kTornReadsMax = 5;

teal_op ToAbi(const StoreWrite& write) {
  teal_op op{};
  op.key = {Bytes(write.key.partition), Bytes(write.key.sort)};
  switch (write.kind) {
    case Kind::kPut:
      op.kind = TEAL_PUT;
      op.value = Bytes(write.bytes);
      op.due_unix_ns = write.due_unix_ns;
      op.expires_unix_ns = write.expires_unix_ns;
      break;
    case Kind::kDelete:
      op.kind = TEAL_DELETE;
      break;
    case Kind::kCheck:
      assert(write.condition != StoreCondition::kAny);
      op.kind = TEAL_CHECK;
      break;
  }
  switch (write.condition) {
    case StoreCondition::kAny:
      op.condition = TEAL_IF_ANY;
      break;
    case StoreCondition::kAbsent:
      op.condition = TEAL_IF_ABSENT;
      break;
    case StoreCondition::kVersion:
      op.condition = TEAL_IF_VERSION;
      std::memcpy(op.expected.opaque, write.expected.data(), write.expected.size());
      break;
  }
  return op;
}

// Whether the condition holds on what was read.
bool Holds(const StoreWrite& write, const std::optional<StoreItem>& found) {
  switch (write.condition) {
    case StoreCondition::kAny:
      return true;
    case StoreCondition::kAbsent:
      return !found;
    case StoreCondition::kVersion:
      return found && found->version == write.expected;
  }
  return false;
}

// Whether the record is as the write leaves it. A version that was to be replaced was not, whatever its bytes: a write
// may change nothing but the due time.
bool IsMine(const StoreWrite& write, const std::optional<StoreItem>& found) {
  if (write.kind == Kind::kDelete) return !found;
  return write.kind == Kind::kPut && found && found->due_unix_ns == write.due_unix_ns && found->bytes == write.bytes &&
         !(write.condition == StoreCondition::kVersion && found->version == write.expected);
}

class CommitCall : public Call {
 public:
  CommitCall(std::shared_ptr<Core> core, uint64_t deadline_ns, std::vector<StoreWrite> writes,
             std::function<void(Result<StoreCommitted>)> done)
      : Call(std::move(core), deadline_ns), writes_(std::move(writes)), done_(std::move(done)) {
    if (writes_.size() > few_.size()) many_.resize(writes_.size());
    ops_ = many_.empty() ? few_.data() : many_.data();
    std::transform(writes_.begin(), writes_.end(), ops_, ToAbi);
  }

  void Next() override {
    if (reading_) {
      Read();
    } else {
      Send();
    }
  }

  void Fail(Failure failure) override {
    if (in_doubt_) {
      failure.code = FailureCode::kUnavailable;
      failure.message += "; its outcome is unknown";
    }
    done_(std::move(failure));
    End();
  }

 private:
  teal_status Enter(const teal_call* call) override {
    return core().table()->commit(core().instance(), call, ops_, writes_.size());
  }

  void Landed(const teal_error* error, const void* result) override {
    if (error == nullptr) return Applied(TakeIn(static_cast<const teal_commit_result*>(result)));
    const host::Error why = host::FromAbi(error);
    if (why.outcome == TEAL_OUTCOME_UNKNOWN) {
      Doubt();
      return Again(why);
    }
    if (why.code != TEAL_CONFLICT) return Retry(why);
    if (result == nullptr) return GiveUp({TEAL_INTERNAL, TEAL_NOT_APPLIED, 0, 0, "the memory gave no result"});
    Conflict(why, TakeIn(static_cast<const teal_commit_result*>(result)));
  }

  void Applied(const teal_commit_result& in) {
    if (in.count != writes_.size()) {
      in_doubt_ = true;
      return GiveUp({TEAL_INTERNAL, TEAL_OUTCOME_UNKNOWN, 0, 0, "the memory gave no version for each record"});
    }
    StoreCommitted out{.applied = true, .versions = std::vector<StoreVersion>(writes_.size())};
    for (size_t i = 0; i < writes_.size(); ++i) {
      std::memcpy(out.versions[i].data(), in.versions[i].opaque, sizeof in.versions[i].opaque);
    }
    EndApplied(std::move(out));
  }

  void Conflict(const host::Error& why, const teal_commit_result& in) {
    if (in.failed_op >= writes_.size()) {
      return GiveUp({TEAL_INTERNAL, TEAL_NOT_APPLIED, 0, 0, "the memory names an operation that is none"});
    }
    std::optional<StoreItem> found;
    if (in.found != nullptr) found = ItemOf(*in.found);
    const StoreWrite& write = writes_[in.failed_op];
    if (in_doubt_ || (write.kind == Kind::kPut && IsMine(write, found))) {
      Doubt();
      return Again(why);
    }
    EndConflict(in.failed_op, std::move(found));
  }

  // Before Again: what comes next is to read.
  void Doubt() {
    if (!in_doubt_) core().counters().unknown.fetch_add(1, std::memory_order_relaxed);
    in_doubt_ = true;
    reading_ = true;
  }

  void Read() {
    std::vector<record::Key> keys;
    keys.reserve(writes_.size());
    for (const StoreWrite& write : writes_) keys.push_back(write.key);
    core().Get(std::move(keys), deadline_ns(), [this](Result<Items> items) {
      if (!items) return Fail(items.failure());
      Decide(*items);
    });
  }

  // In a sink, like Landed.
  void Decide(Items& found) {
    assert(in_doubt_ && found.size() == writes_.size());
    bool changes = false;  // something would be seen of the commit
    bool all_mine = true;  // case 1
    bool all_hold = true;  // case 2
    bool half = true;      // case 3, if neither
    size_t broken = 0;     // case 4: the first write whose condition does not hold, rather one that is not ours
    for (size_t i = writes_.size(); i-- > 0;) {
      const bool holds = Holds(writes_[i], found[i]);
      const bool mine = IsMine(writes_[i], found[i]);
      if (writes_[i].kind != Kind::kCheck) {
        changes = true;
        all_mine = all_mine && mine;
      }
      all_hold = all_hold && holds;
      if (holds) continue;
      if (!mine || half) broken = i;
      half = half && mine;
    }
    if (changes && all_mine) return EndFound(found);
    const host::Error why{TEAL_UNAVAILABLE, TEAL_OUTCOME_UNKNOWN, 0, 0, "its reply was lost"};
    if (all_hold) {
      reading_ = false;
      return Again(why);
    }
    if (half && ++torn_reads_ < kTornReadsMax) return Again(why);
    EndConflict(broken, std::move(found[broken]));
  }

  void EndFound(const Items& found) {
    StoreCommitted out{.applied = true, .versions = std::vector<StoreVersion>(writes_.size())};
    for (size_t i = 0; i < writes_.size(); ++i) {
      if (writes_[i].kind == Kind::kPut) out.versions[i] = found[i]->version;
      if (writes_[i].kind == Kind::kCheck) out.versions[i] = writes_[i].expected;
    }
    EndApplied(std::move(out));
  }

  void EndApplied(StoreCommitted out) {
    StoreCounters& counters = core().counters();
    uint64_t bytes = 0;
    for (const StoreWrite& write : writes_) bytes += write.kind == Kind::kPut ? write.bytes.size() : 0;
    counters.commits.fetch_add(1, std::memory_order_relaxed);
    counters.writes.fetch_add(writes_.size(), std::memory_order_relaxed);
    counters.bytes.fetch_add(bytes, std::memory_order_relaxed);
    done_(std::move(out));
    End();
  }

  void EndConflict(size_t write, std::optional<StoreItem> found) {
    core().counters().conflicts.fetch_add(1, std::memory_order_relaxed);
    done_(StoreCommitted{.conflict = static_cast<uint32_t>(write), .found = std::move(found), .doubtful = in_doubt_});
    End();
  }

  std::string What() const override {
    return "cannot write \"" + record::Text(writes_[0].key) +
           (writes_.size() > 1 ? "\" and " + std::to_string(writes_.size() - 1) + " more" : "\"");
  }

  const std::vector<StoreWrite> writes_;
  const std::function<void(Result<StoreCommitted>)> done_;
  std::array<teal_op, 2> few_;
  std::vector<teal_op> many_;
  teal_op* ops_ = nullptr;
  // As in Call: owned by whoever has the call at the moment.
  bool in_doubt_ = false;
  bool reading_ = false;
  uint32_t torn_reads_ = 0;
};

std::optional<Failure> Refused(const StoreLimits& limits, const std::vector<StoreWrite>& writes) {
  const auto over = [](const std::string& what, uint64_t has, const char* limit, uint64_t most) {
    return Fail(FailureCode::kTooLarge, what + " has " + std::to_string(has) + ", and the memory takes at most " +
                                            std::to_string(most) + " (" + limit + ")");
  };
  if (writes.empty()) return Fail(FailureCode::kInvalid, "a commit of nothing");
  const auto whole = [&] { return "the commit that begins with \"" + record::Text(writes[0].key) + "\""; };
  if (writes.size() > limits.commit_ops_max) {
    return over("the number of operations of " + whole(), writes.size(), "commit_ops_max", limits.commit_ops_max);
  }
  uint64_t bytes = 0;
  for (const StoreWrite& write : writes) {
    const uint64_t value = write.kind == Kind::kPut ? write.bytes.size() : 0;
    if (value > limits.value_bytes_max) {
      return over("the value of \"" + record::Text(write.key) + "\", in bytes,", value, "value_bytes_max",
                  limits.value_bytes_max);
    }
    bytes += value + write.key.partition.size() + write.key.sort.size();
  }
  if (bytes > limits.commit_bytes_max) {
    return over(whole() + ", in bytes,", bytes, "commit_bytes_max", limits.commit_bytes_max);
  }
  return std::nullopt;
}

}  // namespace

void StartCommit(const std::shared_ptr<Core>& core, std::vector<StoreWrite> writes,
                 std::function<void(Result<StoreCommitted>)> done) {
  if (std::optional<Failure> refused = Refused(core->limits(), writes)) return done(std::move(*refused));
  const uint64_t deadline_ns = core->NowNs() + core->options().try_ns_max;
  (new CommitCall(core, deadline_ns, std::move(writes), std::move(done)))->Send();
}

}  // namespace teal::runtime::store

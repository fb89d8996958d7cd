#include "tests/sim/faulty_store.h"

#include <algorithm>
#include <cassert>

namespace teal::sim {
namespace {

double& RateOf(FaultyOptions& options, Fault fault) {
  return options.rates[static_cast<size_t>(fault)];
}

}  // namespace

std::string_view NameOf(Fault fault) {
  static constexpr std::array<std::string_view, kFaults> kNames = {
      "lost_applied", "lost_not_applied", "late",       "own_conflict", "touched", "throttled", "unavailable",
      "full",         "read_failed",      "stale_scan", "stale_due",    "at_once", "dropped",   "landed_after_crash"};
  return kNames[static_cast<size_t>(fault)];
}

FaultyOptions Rough(double much) {
  FaultyOptions options;
  RateOf(options, Fault::kLostApplied) = 0.04 * much;
  RateOf(options, Fault::kLostNotApplied) = 0.04 * much;
  RateOf(options, Fault::kLate) = 0.04 * much;
  RateOf(options, Fault::kOwnConflict) = 0.03 * much;
  RateOf(options, Fault::kTouched) = 0.05 * much;
  RateOf(options, Fault::kThrottled) = 0.05 * much;
  RateOf(options, Fault::kUnavailable) = 0.003 * much;
  RateOf(options, Fault::kFull) = 0.001 * much;
  RateOf(options, Fault::kReadFailed) = 0.05 * much;
  RateOf(options, Fault::kStaleScan) = 0.3 * much;
  RateOf(options, Fault::kStaleDue) = 0.3 * much;
  RateOf(options, Fault::kAtOnce) = 0.1 * much;
  RateOf(options, Fault::kDropped) = 0.5;
  return options;
}

SimCaps CapsOf(const FaultyOptions& options) {
  SimCaps caps;
  caps.shared = options.shared;
  caps.commit_ops_max = options.commit_ops_max;
  caps.value_bytes_max = options.value_bytes_max;
  caps.commit_bytes_max = std::max<uint64_t>(1 << 20, options.value_bytes_max + 2 * caps.key_bytes_max);
  caps.get_keys_max = 4;       // so that gets of few keys come in parts
  caps.scan_records_max = 16;  // and scans in pages
  return caps;
}

FaultyStore::FaultyStore(SimMemory& memory, FaultyOptions options, uint64_t seed)
    : memory_(memory),
      options_(options),
      random_(seed),
      connection_(memory, [this](const CallFacts& facts) { return Decide(facts); }) {
  runtime::MemoryStoreOptions of_store;
  of_store.try_ns_max = options.try_ns_max;
  of_store.seed = random_.Next() | 1;  // 0 would be a seed from the machine
  of_store.now_ns = [&loop = memory.loop()] { return static_cast<uint64_t>(loop.now()); };
  of_store.after = [&loop = memory.loop(), alive = alive_](uint64_t delay_ns, std::function<void()> run) {
    // A host that has crashed sends nothing again.
    loop.After(delay_ns, [alive, run = std::move(run)] {
      if (*alive) run();
    });
  };
  store_ = std::make_unique<runtime::MemoryStore>(SimConnection::Table(), connection_.instance(), of_store);
}

FaultyStore::~FaultyStore() {
  *alive_ = false;
  connection_.Close();  // the store waits for what is in the memory
  store_.reset();
}

void FaultyStore::Crash() {
  *alive_ = false;
  connection_.Cut([this] {
    const bool dropped = Meets(Fault::kDropped);
    if (!dropped) ++faults_[static_cast<size_t>(Fault::kLandedAfterCrash)];
    return !dropped;
  });
}

// ---- Faults ----

bool FaultyStore::Meets(Fault fault) {
  const auto index = static_cast<size_t>(fault);
  if (!random_.Happens(options_.rates[index])) return false;
  ++faults_[index];
  return true;
}

size_t FaultyStore::PartOf(const CallFacts& facts) const {
  uint64_t hash = facts.kind == CallKind::kScanDue ? facts.shard : 0xcbf29ce484222325;  // FNV-1a
  for (const char c : facts.partition) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return static_cast<size_t>(hash % kParts);
}

bool FaultyStore::IsAway(const CallFacts& facts, Fate& fate) {
  const int64_t now = memory_.loop().now();
  const auto awhile = [&] { return now + static_cast<int64_t>(random_.Between(1, options_.away_ns_max)); };
  int64_t& until = away_until_[PartOf(facts)];
  if (Meets(Fault::kUnavailable)) until = std::max(until, awhile());
  if (now < until) {
    // Cut before or after it came there, who knows: with commits half of them say so.
    const bool unknown = facts.kind == CallKind::kCommit && random_.Happens(0.5);
    fate.lands = unknown && random_.Happens(0.5);
    fate.code = TEAL_UNAVAILABLE;
    fate.outcome = unknown ? TEAL_OUTCOME_UNKNOWN : TEAL_NOT_APPLIED;
    return true;
  }
  if (facts.grows && Meets(Fault::kFull)) full_until_ = std::max(full_until_, awhile());
  if (!facts.grows || now >= full_until_) return false;
  fate.lands = false;
  fate.code = TEAL_UNAVAILABLE;
  fate.retry_after_ns = 200'000'000;
  return true;
}

Fate FaultyStore::Decide(const CallFacts& facts) {
  Fate fate;
  fate.lands_after_ns = random_.Between(options_.delay_ns_min, options_.delay_ns_max);
  fate.replies_after_ns = fate.lands_after_ns + random_.Between(options_.delay_ns_min, options_.delay_ns_max);
  if (IsAway(facts, fate)) return fate;
  if (Meets(Fault::kThrottled)) {
    fate.lands = false;
    fate.code = TEAL_THROTTLED;
    fate.retry_after_ns = random_.Happens(0.5) ? random_.Between(0, 2'000'000'000) : 0;
    return fate;
  }
  if (facts.kind == CallKind::kCommit) {
    DecideCommit(fate);
  } else if (Meets(Fault::kReadFailed)) {
    fate.lands = false;
    fate.code = TEAL_TIMEOUT;
    fate.outcome = TEAL_OUTCOME_UNKNOWN;
  } else if ((facts.kind == CallKind::kScan && Meets(Fault::kStaleScan)) ||
             (facts.kind == CallKind::kScanDue && Meets(Fault::kStaleDue))) {
    fate.stale_ns = random_.Between(0, options_.stale_ns_max);
  }
  // What lands after its reply cannot do both at once.
  if (fate.lands_after_ns <= fate.replies_after_ns) fate.at_once = Meets(Fault::kAtOnce);
  return fate;
}

void FaultyStore::DecideCommit(Fate& fate) {
  fate.touched = Meets(Fault::kTouched);
  if (Meets(Fault::kOwnConflict)) {
    fate.own_conflict = true;
    return;
  }
  const bool applied = Meets(Fault::kLostApplied);
  const bool late = !applied && Meets(Fault::kLate);
  const bool never = !applied && !late && Meets(Fault::kLostNotApplied);
  if (!applied && !late && !never) return;
  fate.code = TEAL_TIMEOUT;
  fate.outcome = TEAL_OUTCOME_UNKNOWN;
  fate.lands = !never;
  // Most late writes land among their repeats, some when everybody has forgotten them.
  if (late) {
    fate.lands_after_ns =
        fate.replies_after_ns + random_.Between(0, random_.Happens(0.5) ? 50'000'000 : options_.late_ns_max);
  }
}

// ---- The store ----

template <typename T>
std::function<void(Result<T>)> FaultyStore::Wrapped(std::function<void(Result<T>)> done) {
  assert(*alive_ && "a host that has crashed calls its store");
  ++open_calls_;
  return [this, alive = alive_, done = std::move(done)](Result<T> result) {
    if (!*alive) return;
    --open_calls_;
    done(std::move(result));
  };
}

void FaultyStore::Get(std::vector<runtime::record::Key> keys,
                      std::function<void(Result<std::vector<std::optional<runtime::StoreItem>>>)> done) {
  store_->Get(std::move(keys), Wrapped(std::move(done)));
}

void FaultyStore::Commit(std::vector<runtime::StoreWrite> writes,
                         std::function<void(Result<runtime::StoreCommitted>)> done) {
  store_->Commit(std::move(writes), Wrapped(std::move(done)));
}

void FaultyStore::Scan(std::string partition, std::string prefix, uint64_t limit, std::string cursor,
                       std::function<void(Result<runtime::StorePage>)> done) {
  store_->Scan(std::move(partition), std::move(prefix), limit, std::move(cursor), Wrapped(std::move(done)));
}

void FaultyStore::ScanDue(uint32_t shard, uint32_t shards, uint64_t until_unix_ns, uint64_t limit, std::string cursor,
                          std::function<void(Result<runtime::StorePage>)> done) {
  store_->ScanDue(shard, shards, until_unix_ns, limit, std::move(cursor), Wrapped(std::move(done)));
}

}  // namespace teal::sim

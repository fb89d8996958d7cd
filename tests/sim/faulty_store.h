// One host's store in the simulator: the very MemoryStore that `serve` runs, over the simulated memory, in virtual
// time. The faults happen below it, at the border, by seed: so its own P-4 is in play. Everything runs on the loop's
// thread, and the same seed gives the same run.
//
//   SimLoop loop;
//   SimMemory memory(loop, CapsOf(options));
//   FaultyStore host(memory, options, seed);   // one a host; a restarted host is a new one, with a seed of its own
//   … host.Commit(…); while (loop.RunOne()) {} …
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/runtime/memory_store.h"
#include "tests/sim/loop.h"
#include "tests/sim/random.h"
#include "tests/sim/sim_memory.h"

namespace teal::sim {

enum class Fault : uint8_t {
  kLostApplied,     // a commit is applied, and its reply lost
  kLostNotApplied,  // a commit is not applied, and its reply lost
  kLate,            // a commit's reply is lost, and it is applied up to late_ns_max later
  kOwnConflict,     // a commit is applied, and answered as a conflict with itself
  kTouched,         // somebody writes the record, as it is, before the commit lands: a true conflict
  kThrottled,       // sometimes with advice when to come again
  kUnavailable,     // the part of the memory is away for a while; commits in the air then are of unknown outcome
  kFull,            // no commit with a put is taken for a while, by nobody's store
  kReadFailed,      // a get or a page fails once
  kStaleScan,
  kStaleDue,
  kAtOnce,   // the callback comes before the call returns
  kDropped,  // a commit in the air at the host's crash that does not land
  kLandedAfterCrash,
};
inline constexpr size_t kFaults = 14;
std::string_view NameOf(Fault fault);
using FaultCounts = std::array<uint64_t, kFaults>;

struct FaultyOptions {
  uint64_t commit_ops_max = 100;  // 1: the floor
  uint64_t value_bytes_max = 65'536;
  bool shared = false;  // what the memory says of itself
  // From a call's beginning to where it lands, and from there to its callback.
  uint64_t delay_ns_min = 50'000;
  uint64_t delay_ns_max = 20'000'000;
  // The share of calls of a kind that meet the fault, by Fault; kDropped: of the commits in the air at a crash.
  // kUnavailable and kFull: the share of calls with which such a while begins.
  std::array<double, kFaults> rates{};
  uint64_t late_ns_max = 120'000'000'000;
  uint64_t stale_ns_max = 30'000'000'000;
  uint64_t away_ns_max = 20'000'000'000;  // of kUnavailable and kFull
  uint64_t try_ns_max = 30'000'000'000;   // as in MemoryStoreOptions
};
// Every fault at a rate with which work still gets done. Scaled by `much`: 0 is none, 1 is rough.
FaultyOptions Rough(double much);
SimCaps CapsOf(const FaultyOptions& options);

class FaultyStore : public runtime::Store {
 public:
  // The memory, and the loop under it, outlive the store.
  FaultyStore(SimMemory& memory, FaultyOptions options, uint64_t seed);
  // The host's end, if it has not crashed: nothing more calls back. Not from a callback.
  ~FaultyStore() override;
  FaultyStore(const FaultyStore&) = delete;
  FaultyStore& operator=(const FaultyStore&) = delete;

  // What was applied stays. Of the commits in the air each lands or not; no callback comes, now or ever. Nothing may be
  // called any more. From anywhere, also from a callback.
  void Crash();

  const FaultCounts& faults() const { return faults_; }
  size_t open_calls() const { return open_calls_; }  // whose callback has not come

  const runtime::StoreLimits& limits() const override { return store_->limits(); }
  const runtime::StoreCounters& counters() const override { return store_->counters(); }
  void Get(std::vector<runtime::record::Key> keys,
           std::function<void(Result<std::vector<std::optional<runtime::StoreItem>>>)> done) override;
  void Commit(std::vector<runtime::StoreWrite> writes,
              std::function<void(Result<runtime::StoreCommitted>)> done) override;
  void Scan(std::string partition, std::string prefix, uint64_t limit, std::string cursor,
            std::function<void(Result<runtime::StorePage>)> done) override;
  void ScanDue(uint32_t shard, uint32_t shards, uint64_t until_unix_ns, uint64_t limit, std::string cursor,
               std::function<void(Result<runtime::StorePage>)> done) override;

 private:
  static constexpr size_t kParts = 8;  // of the memory, that are away each for itself

  Fate Decide(const CallFacts& facts);
  void DecideCommit(Fate& fate);
  bool IsAway(const CallFacts& facts, Fate& fate);
  bool Meets(Fault fault);
  size_t PartOf(const CallFacts& facts) const;
  template <typename T>
  std::function<void(Result<T>)> Wrapped(std::function<void(Result<T>)> done);

  SimMemory& memory_;
  const FaultyOptions options_;
  SimRandom random_;
  FaultCounts faults_{};
  std::array<int64_t, kParts> away_until_{};
  int64_t full_until_ = 0;
  size_t open_calls_ = 0;
  // Shared with the callbacks and delays that may outlive the host in the loop: false once it has crashed.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  SimConnection connection_;
  std::unique_ptr<runtime::MemoryStore> store_;
};

}  // namespace teal::sim

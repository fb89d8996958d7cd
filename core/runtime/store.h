// The records of all sessions, as the runtime sees a memory (`teal.memory/1`): keys, bytes, versions and due times. It
// knows nothing of what the bytes mean.
//
// All calls are asynchronous: `done` is called exactly once, on whatever thread, perhaps before the call returns; locks
// of the memory may be held. So it must not block, and must not call the store: it hands on what came, to a thread or a
// queue that does. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/runtime/record_key.h"

namespace teal::runtime {

// Of a record; never used twice for a key (P-1). All zero: of no record.
using StoreVersion = std::array<uint8_t, 32>;

struct StoreItem {
  record::Key key;
  std::string bytes;
  StoreVersion version{};
  uint64_t due_unix_ns = 0;  // 0: never
};

enum class StoreCondition : uint8_t { kAny, kAbsent, kVersion };

// One operation of a commit. Keys of one commit are distinct.
struct StoreWrite {
  enum class Kind : uint8_t { kPut, kDelete, kCheck };
  Kind kind = Kind::kPut;
  StoreCondition condition = StoreCondition::kAny;  // kCheck: kAbsent or kVersion
  record::Key key;
  std::string bytes;             // kPut
  StoreVersion expected{};       // with kVersion
  uint64_t due_unix_ns = 0;      // kPut; 0: never
  uint64_t expires_unix_ns = 0;  // kPut; 0: never; a hint: gone some time after it where the memory can
};

// What came of a commit whose outcome is known.
struct StoreCommitted {
  bool applied = false;                // all of it, or nothing
  std::vector<StoreVersion> versions;  // applied: one a write; zero after a delete and a check of absence
  uint32_t conflict = 0;               // not applied: the write whose condition did not hold
  std::optional<StoreItem> found;      // not applied: the record in the way; none: it is absent
  // Not applied, as far as reading can tell: a reply was lost on the way, so the commit may have been applied and one
  // of its records written over since (a cancel flag, a waiter). The own commit id in a record of it proves that (P-4).
  bool doubtful = false;
};

struct StorePage {
  std::vector<StoreItem> items;  // of ScanDue: keys and due times only
  bool more = false;
  std::string next;  // the cursor of the next page
};

// Of the memory; hold for its life.
struct StoreLimits {
  uint64_t value_bytes_max = 0;
  uint64_t commit_ops_max = 1;    // 1: the floor, single records only
  uint64_t commit_bytes_max = 0;  // keys and values together
  bool durable = false;           // what was acknowledged survives the loss of power
  bool shared = false;            // several hosts may have it open at once
};

// Of this process, since it began; for metrics, tests and benchmarks.
struct StoreCounters {
  std::atomic<uint64_t> commits{0};  // sent and applied
  std::atomic<uint64_t> writes{0};   // operations of those
  std::atomic<uint64_t> bytes{0};    // values written by those
  std::atomic<uint64_t> conflicts{0};
  std::atomic<uint64_t> unknown{0};  // outcomes that had to be found out (P-4)
  std::atomic<uint64_t> repeats{0};  // calls sent again: throttled, not reached, or unknown
  std::atomic<uint64_t> gets{0};     // records asked for
  std::atomic<uint64_t> scans{0};    // pages
};

class Store {
 public:
  virtual ~Store() = default;
  virtual const StoreLimits& limits() const = 0;
  virtual const StoreCounters& counters() const = 0;

  // All calls fail with
  //   kUnavailable  the memory could not be reached for longer than the store tries; nothing of a commit that failed so
  //                 was applied, unless the message says that its outcome is unknown
  //   kTooLarge     a limit above was passed
  //   kInvalid, kInternal  the memory refused the call as wrong
  //   kCorrupt      what the memory keeps is damaged

  // In the order of the keys; absent records are nullopt. Each is linearizable.
  virtual void Get(std::vector<record::Key> keys,
                   std::function<void(Result<std::vector<std::optional<StoreItem>>>)> done) = 0;
  // Linearizable; all or nothing. P-4 is done here: a reply that is lost is found out by reading. Two writes of a key
  // with the same bytes and due time must therefore mean the same: it does not matter which of them was applied. Nor
  // does it of two deletes. An outcome that stays unknown is kUnavailable. Where a commit was sent twice, the second
  // may land after the first was deleted again, as a late write may (P-8). kAny is for what never changes.
  virtual void Commit(std::vector<StoreWrite> writes, std::function<void(Result<StoreCommitted>)> done) = 0;
  // In sort order; what exists throughout is given. limit >= 1.
  virtual void Scan(std::string partition, std::string prefix, uint64_t limit, std::string cursor,
                    std::function<void(Result<StorePage>)> done) = 0;
  // Due at `until` or before, the earliest first within a page; may be stale. One of `shards` parts.
  virtual void ScanDue(uint32_t shard, uint32_t shards, uint64_t until_unix_ns, uint64_t limit, std::string cursor,
                       std::function<void(Result<StorePage>)> done) = 0;
};

}  // namespace teal::runtime

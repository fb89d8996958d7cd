// The store over a memory plugin: a table "teal.memory/1" and its instance. It knows neither which plugin nor how it
// was opened.
//
// What it adds to the table: the back-off where the memory is throttled or away, finding out what became of a commit
// whose reply was lost (P-4, in memory_store_commit.cpp), splitting of large gets, and counters.
//
// A callback of the border is a sink: it may not call the memory again. So whatever must follow a reply is run by
// `after`, on a thread that begins when it is needed first. Calls that succeed at once never need it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/runtime/store.h"
#include "teal/abi.h"

namespace teal::runtime {

namespace store {
class Core;
class Delays;
}  // namespace store

struct MemoryStoreOptions {
  // Before a call is sent again: a random time up to a ceiling that begins with the first and doubles to the second,
  // and what the memory asks for (retry_after_ns) besides.
  uint64_t backoff_first_ns = 10'000'000;
  uint64_t backoff_max_ns = 1'000'000'000;
  // From the beginning of a call to its last try. A try is not cut short: how long one takes is the memory's business.
  uint64_t try_ns_max = 30'000'000'000;
  uint64_t seed = 0;                 // of the random times; 0: from the machine
  std::function<uint64_t()> now_ns;  // a clock that does not jump; empty: the machine's
  // Runs `run` once, after the delay and never before it returns; from a callback of the border, too. Empty: a thread.
  std::function<void(uint64_t delay_ns, std::function<void()> run)> after;
};

class MemoryStore : public Store {
 public:
  // Table and instance outlive the store. Precondition: the table's `caps` succeeds.
  MemoryStore(const teal_memory* table, teal_instance* instance, MemoryStoreOptions options = {});
  // Ends what waits to be sent again with kUnavailable, and waits for the calls that are in the memory. No call may
  // begin meanwhile. Not from a callback.
  ~MemoryStore() override;
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;

  const StoreLimits& limits() const override;
  const StoreCounters& counters() const override;
  void Get(std::vector<record::Key> keys,
           std::function<void(Result<std::vector<std::optional<StoreItem>>>)> done) override;
  void Commit(std::vector<StoreWrite> writes, std::function<void(Result<StoreCommitted>)> done) override;
  void Scan(std::string partition, std::string prefix, uint64_t limit, std::string cursor,
            std::function<void(Result<StorePage>)> done) override;
  void ScanDue(uint32_t shard, uint32_t shards, uint64_t until_unix_ns, uint64_t limit, std::string cursor,
               std::function<void(Result<StorePage>)> done) override;

 private:
  std::unique_ptr<store::Delays> delays_;  // none with an `after` from outside
  std::shared_ptr<store::Core> core_;
};

}  // namespace teal::runtime

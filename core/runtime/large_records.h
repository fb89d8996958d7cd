// A store whose records may be larger than its memory takes: what is too large lies in parts, which are values of the
// same session (v/), and its key holds the list of them (docs/formats/records.md, "Large records"). Commits that are
// too large as a whole are made to fit in the same way. A commit without anything large passes as it is.
//
// Parts are named by their content and go before the commit that refers to them; those of a record that was written
// over stay until the session is erased. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/runtime/store.h"

namespace teal::runtime {

class LargeRecords : public Store {
 public:
  // Calls a function soon, not from within a callback of the store.
  using Later = std::function<void(std::function<void()>)>;

  // store: outlives this, as do its answers.
  LargeRecords(Store* store, Later later);

  const StoreLimits& limits() const override { return limits_; }
  const StoreCounters& counters() const override { return store_->counters(); }
  void Get(std::vector<record::Key> keys,
           std::function<void(Result<std::vector<std::optional<StoreItem>>>)> done) override;
  void Commit(std::vector<StoreWrite> writes, std::function<void(Result<StoreCommitted>)> done) override;
  void Scan(std::string partition, std::string prefix, uint64_t limit, std::string cursor,
            std::function<void(Result<StorePage>)> done) override;
  void ScanDue(uint32_t shard, uint32_t shards, uint64_t until_unix_ns, uint64_t limit, std::string cursor,
               std::function<void(Result<StorePage>)> done) override;

 private:
  struct Plan;
  void CommitLarge(std::vector<StoreWrite> writes, std::function<void(Result<StoreCommitted>)> done);
  Status Split(StoreWrite* write, std::vector<StoreWrite>* parts) const;
  void SendNext(std::shared_ptr<Plan> plan);
  // Puts the record together that a commit found in its way.
  void JoinFound(Result<StoreCommitted> outcome, std::function<void(Result<StoreCommitted>)> done);
  // Puts the parts of those items together that have some, then calls done.
  void Join(std::vector<StoreItem*> items, std::function<void(const Status&)> done);

  Store* const store_;
  const Later later_;
  StoreLimits limits_;
  const uint64_t value_max_;   // of the store
  const uint64_t commit_max_;  // of the store, less what commits need besides
};

}  // namespace teal::runtime

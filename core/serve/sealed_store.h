// A store whose memory sees sealed values only (seal.h). Keys, due times and sizes stay as they are. Thread-safe, as
// the store below; its callbacks come on the threads of that one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/runtime/store.h"
#include "core/serve/seal.h"

namespace teal::serve {

// What to do with a record in clear.
enum class ClearRecords {
  kRefuse,  // somebody may have put it there
  kRead,    // it is from before values were sealed
};

class SealedStore : public runtime::Store {
 public:
  // store: outlives this, as do its answers.
  SealedStore(runtime::Store* store, std::shared_ptr<const Seal> seal, ClearRecords clear);

  const runtime::StoreLimits& limits() const override { return limits_; }
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
  Status Open(runtime::StoreItem* item) const;

  runtime::Store* const store_;
  const std::shared_ptr<const Seal> seal_;
  const ClearRecords clear_;
  runtime::StoreLimits limits_;
};

// Whether a host may open `store` with these keys (null: without any): looks at the programs it holds, which
// every host writes first. kInvalid
// says what to give. Blocks.
Status CheckSealing(runtime::Store* store, const Seal* seal, ClearRecords clear);

}  // namespace teal::serve

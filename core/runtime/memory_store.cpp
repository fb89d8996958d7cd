#include "core/runtime/memory_store.h"

#include <chrono>
#include <random>

#include "core/runtime/memory_store_call.h"
#include "core/runtime/memory_store_delays.h"

namespace teal::runtime {
namespace store {
namespace {

uint64_t SteadyNs() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

uint64_t DeadlineOf(const Core& core) {
  return core.NowNs() + core.options().try_ns_max;
}

host::Error Wrong(std::string message) {
  return {TEAL_INTERNAL, TEAL_NOT_APPLIED, 0, 0, std::move(message)};
}

// A get, of which each part is a call of no more keys than the memory takes.
struct Gathering {
  std::vector<record::Key> keys;
  std::vector<teal_key> raw;
  std::function<void(Result<Items>)> done;
  Items items;
  std::atomic<uint64_t> parts{0};  // that have not ended
  std::mutex mutex;
  std::optional<Failure> failure;  // the first one; guarded by mutex
};

class GetPart : public Call {
 public:
  GetPart(std::shared_ptr<Core> core, uint64_t deadline_ns, std::shared_ptr<Gathering> whole, size_t first,
          size_t count)
      : Call(std::move(core), deadline_ns), whole_(std::move(whole)), first_key_(first), count_(count) {}

  void Fail(Failure failure) override {
    {
      const std::lock_guard lock(whole_->mutex);
      if (!whole_->failure) whole_->failure = std::move(failure);
    }
    EndPart();
  }

 private:
  teal_status Enter(const teal_call* call) override {
    return core().table()->get(core().instance(), call, whole_->raw.data() + first_key_, count_);
  }

  void Landed(const teal_error* error, const void* result) override {
    if (error != nullptr) return Retry(host::FromAbi(error));
    const teal_page page = TakeIn(static_cast<const teal_page*>(result));
    // The records come in the order of the keys; those of absent keys are left out.
    size_t at = first_key_;
    const size_t end = first_key_ + count_;
    for (uint64_t i = 0; i < page.count; ++i) {
      const teal_record& record = page.records[i];
      while (at < end && !Is(record.key, whole_->keys[at])) ++at;
      if (at == end) return GiveUp(Wrong("the memory gave a record that was not asked for, or not in order"));
      whole_->items[at++] = ItemOf(record);
    }
    EndPart();
  }

  void EndPart() {
    // The last part to end sees what all others have put there.
    if (whole_->parts.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      if (whole_->failure) {
        whole_->done(std::move(*whole_->failure));
      } else {
        whole_->done(std::move(whole_->items));
      }
    }
    End();
  }

  std::string What() const override {
    return "cannot read \"" + record::Text(whole_->keys[first_key_]) +
           (count_ > 1 ? "\" and " + std::to_string(count_ - 1) + " more" : "\"");
  }

  static bool Is(const teal_key& key, const record::Key& mine) {
    return View(key.sort) == mine.sort && View(key.partition) == mine.partition;
  }

  const std::shared_ptr<Gathering> whole_;
  const size_t first_key_;
  const size_t count_;
};

// A page of scan or scan_due.
class PageCall : public Call {
 public:
  struct Query {
    bool due = false;
    std::string partition;
    std::string prefix;
    uint32_t shard = 0;
    uint32_t shards = 1;
    uint64_t until_unix_ns = 0;
    uint64_t limit = 0;
    std::string cursor;
  };

  PageCall(std::shared_ptr<Core> core, uint64_t deadline_ns, Query query, std::function<void(Result<StorePage>)> done)
      : Call(std::move(core), deadline_ns), query_(std::move(query)), done_(std::move(done)) {}

  void Fail(Failure failure) override {
    done_(std::move(failure));
    End();
  }

 private:
  teal_status Enter(const teal_call* call) override {
    const teal_memory& table = *core().table();
    teal_instance* const instance = core().instance();
    const Query& q = query_;
    if (q.due) return table.scan_due(instance, call, q.shard, q.shards, q.until_unix_ns, q.limit, Bytes(q.cursor));
    return table.scan(instance, call, Bytes(q.partition), Bytes(q.prefix), q.limit, Bytes(q.cursor));
  }

  void Landed(const teal_error* error, const void* result) override {
    if (error != nullptr) return Retry(host::FromAbi(error));
    const teal_page in = TakeIn(static_cast<const teal_page*>(result));
    StorePage page;
    page.items.reserve(in.count);
    for (uint64_t i = 0; i < in.count; ++i) page.items.push_back(ItemOf(in.records[i]));
    page.more = in.more != 0;
    page.next = Copy(in.next);
    done_(std::move(page));
    End();
  }

  std::string What() const override {
    if (query_.due) return "cannot look for what is due";
    return "cannot list \"" + query_.prefix + "\" of \"" + query_.partition + "\"";
  }

  const Query query_;
  const std::function<void(Result<StorePage>)> done_;
};

void StartPage(const std::shared_ptr<Core>& core, PageCall::Query query, std::function<void(Result<StorePage>)> done) {
  if (query.limit == 0 || query.shard >= query.shards) {
    return done(Fail(FailureCode::kInvalid, "a page needs a limit of 1 or more, and a shard below their number"));
  }
  core->counters().scans.fetch_add(1, std::memory_order_relaxed);
  (new PageCall(core, DeadlineOf(*core), std::move(query), std::move(done)))->Send();
}

}  // namespace

void Core::Get(std::vector<record::Key> keys, uint64_t deadline_ns, std::function<void(Result<Items>)> done) {
  if (keys.empty()) return done(Items{});
  const size_t count = keys.size();
  const auto whole = std::make_shared<Gathering>();
  whole->keys = std::move(keys);
  whole->raw.reserve(count);
  for (const record::Key& key : whole->keys) whole->raw.push_back({Bytes(key.partition), Bytes(key.sort)});
  whole->items.resize(count);
  whole->done = std::move(done);
  const size_t most = static_cast<size_t>(std::min<uint64_t>(get_keys_max_, count));
  whole->parts = (count + most - 1) / most;
  for (size_t first = 0; first < count; first += most) {
    (new GetPart(shared_from_this(), deadline_ns, whole, first, std::min(most, count - first)))->Send();
  }
}

}  // namespace store

MemoryStore::MemoryStore(const teal_memory* table, teal_instance* instance, MemoryStoreOptions options) {
  if (!options.now_ns) options.now_ns = &store::SteadyNs;
  if (options.seed == 0) {
    std::random_device device;
    options.seed = uint64_t{device()} << 32 | device();
  }
  if (!options.after) {
    delays_ = std::make_unique<store::Delays>();
    options.after = [delays = delays_.get()](uint64_t delay_ns, std::function<void()> run) {
      delays->After(delay_ns, std::move(run));
    };
  }
  core_ = std::make_shared<store::Core>(table, instance, std::move(options));
}

MemoryStore::~MemoryStore() {
  core_->Close();
  delays_.reset();  // what it still holds finds nothing that waits
}

const StoreLimits& MemoryStore::limits() const {
  return core_->limits();
}
const StoreCounters& MemoryStore::counters() const {
  return core_->counters();
}

void MemoryStore::Get(std::vector<record::Key> keys,
                      std::function<void(Result<std::vector<std::optional<StoreItem>>>)> done) {
  core_->counters().gets.fetch_add(keys.size(), std::memory_order_relaxed);
  core_->Get(std::move(keys), store::DeadlineOf(*core_), std::move(done));
}

void MemoryStore::Commit(std::vector<StoreWrite> writes, std::function<void(Result<StoreCommitted>)> done) {
  store::StartCommit(core_, std::move(writes), std::move(done));
}

void MemoryStore::Scan(std::string partition, std::string prefix, uint64_t limit, std::string cursor,
                       std::function<void(Result<StorePage>)> done) {
  store::StartPage(
      core_,
      {.partition = std::move(partition), .prefix = std::move(prefix), .limit = limit, .cursor = std::move(cursor)},
      std::move(done));
}

void MemoryStore::ScanDue(uint32_t shard, uint32_t shards, uint64_t until_unix_ns, uint64_t limit, std::string cursor,
                          std::function<void(Result<StorePage>)> done) {
  store::StartPage(core_,
                   {.due = true,
                    .shard = shard,
                    .shards = shards,
                    .until_unix_ns = until_unix_ns,
                    .limit = limit,
                    .cursor = std::move(cursor)},
                   std::move(done));
}

}  // namespace teal::runtime

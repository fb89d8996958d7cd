#include "core/serve/sealed_store.h"

#include <algorithm>
#include <future>
#include <utility>

namespace teal::serve {

using runtime::StoreCommitted;
using runtime::StoreItem;
using runtime::StorePage;
using runtime::StoreWrite;
namespace record = runtime::record;

namespace {

constexpr uint64_t kProgramsLookedAt = 100;

// Whether a host with these keys can read the record.
Status CheckItem(const StoreItem& item, const Seal* seal, ClearRecords clear) {
  if (!IsSealed(item.bytes)) {
    if (seal == nullptr || clear == ClearRecords::kRead) return Unit{};
    return Fail(FailureCode::kInvalid,
                "`encryption` is set, and what the store holds is in clear; set encryption.allow_clear: true too: what "
                "is written from then on is sealed, and what was written before is read");
  }
  if (seal == nullptr) {
    return Fail(FailureCode::kInvalid, "the store is sealed with the key " + SealedWith(item.bytes) +
                                           "; give it as encryption.key in teal.yaml");
  }
  if (seal->Knows(item.bytes)) return Unit{};
  return Fail(FailureCode::kInvalid, "the store holds what is sealed with the key " + SealedWith(item.bytes) +
                                         ", and encryption.key is " + seal->key().IdText() +
                                         "; give the other one under encryption.previous");
}

}  // namespace

SealedStore::SealedStore(runtime::Store* store, std::shared_ptr<const Seal> seal, ClearRecords clear)
    : store_(store), seal_(std::move(seal)), clear_(clear), limits_(store->limits()) {
  limits_.value_bytes_max -= std::min<uint64_t>(limits_.value_bytes_max, kSealedBytesMore);
  limits_.commit_bytes_max -=
      std::min<uint64_t>(limits_.commit_bytes_max / 2, limits_.commit_ops_max * kSealedBytesMore);
}

Status SealedStore::Open(StoreItem* item) const {
  if (!IsSealed(item->bytes)) {
    if (clear_ == ClearRecords::kRead) return Unit{};
    return Fail(FailureCode::kCorrupt,
                "the record " + record::Text(item->key) +
                    " is in clear, though `encryption` is set; if it is from before that, set encryption.allow_clear");
  }
  Result<std::string> opened = seal_->Open(item->key, item->bytes);
  if (!opened.ok()) return opened.failure();
  item->bytes = std::move(*opened);
  return Unit{};
}

void SealedStore::Get(std::vector<record::Key> keys,
                      std::function<void(Result<std::vector<std::optional<StoreItem>>>)> done) {
  store_->Get(std::move(keys), [this, done = std::move(done)](Result<std::vector<std::optional<StoreItem>>> found) {
    if (!found.ok()) return done(std::move(found));
    for (std::optional<StoreItem>& item : *found) {
      if (!item) continue;
      if (const Status opened = Open(&*item); !opened) return done(opened.failure());
    }
    done(std::move(found));
  });
}

void SealedStore::Commit(std::vector<StoreWrite> writes, std::function<void(Result<StoreCommitted>)> done) {
  for (StoreWrite& write : writes) {
    if (write.kind != StoreWrite::Kind::kPut) continue;
    Result<std::string> sealed = seal_->Close(write.key, write.bytes);
    if (!sealed.ok()) return done(sealed.failure());
    write.bytes = std::move(*sealed);
  }
  store_->Commit(std::move(writes), [this, done = std::move(done)](Result<StoreCommitted> committed) {
    if (committed.ok() && committed->found) {
      if (const Status opened = Open(&*committed->found); !opened) return done(opened.failure());
    }
    done(std::move(committed));
  });
}

void SealedStore::Scan(std::string partition, std::string prefix, uint64_t limit, std::string cursor,
                       std::function<void(Result<StorePage>)> done) {
  store_->Scan(std::move(partition), std::move(prefix), limit, std::move(cursor),
               [this, done = std::move(done)](Result<StorePage> page) {
                 if (!page.ok()) return done(std::move(page));
                 for (StoreItem& item : page->items) {
                   if (const Status opened = Open(&item); !opened) return done(opened.failure());
                 }
                 done(std::move(page));
               });
}

void SealedStore::ScanDue(uint32_t shard, uint32_t shards, uint64_t until_unix_ns, uint64_t limit, std::string cursor,
                          std::function<void(Result<StorePage>)> done) {
  store_->ScanDue(shard, shards, until_unix_ns, limit, std::move(cursor), std::move(done));
}

Status CheckSealing(runtime::Store* store, const Seal* seal, ClearRecords clear) {
  // Programs: they are written before any session is.
  std::promise<Result<StorePage>> promise;
  store->Scan(record::ProgramKey({}).partition, {}, kProgramsLookedAt, {},
              [&](Result<StorePage> page) { promise.set_value(std::move(page)); });
  const Result<StorePage> page = promise.get_future().get();
  if (!page.ok()) return page.failure();
  for (const StoreItem& item : page.value().items) {
    if (const Status fits = CheckItem(item, seal, clear); !fits) return fits;
  }
  return Unit{};
}

}  // namespace teal::serve

// The table of teal.memory/1. Commits go to the committer, blobs to the workers; gets and scans are answered at once.
#include <algorithm>
#include <array>

#include "plugins/local/calls.hpp"
#include "plugins/local/instance.hpp"

namespace {

using teal::Bytes;
using teal::Copy;
using teal::View;
using teal::local::kLimits;
using teal::local::Page;
using teal::plugin::Done;
using teal::plugin::Error;
using teal::plugin::Take;

Error Invalid(const char* message) {
  return {TEAL_INVALID, message};
}

void Finish(Done& done, const std::optional<Error>& error, const Page& page) {
  if (error) return done.Fail(*error);
  teal_page out{};
  out.struct_size = sizeof out;
  out.more = page.more ? 1 : 0;
  out.count = page.records.size();
  out.records = page.records.data();
  out.next = Bytes(page.next);
  done.Ok(&out);
}

teal_status TEAL_CALL Caps(teal_instance* instance, teal_memory_caps* out) {
  const uint64_t durable = instance->config.unsafe_no_sync ? 0 : TEAL_MEMORY_DURABLE;
  teal::GiveOut(out, teal::plugin::Caps(kLimits, TEAL_MEMORY_WATCH | TEAL_MEMORY_BLOBS | TEAL_MEMORY_EXPIRY | durable));
  return TEAL_OK;
}

teal_status TEAL_CALL Commit(teal_instance* instance, const teal_call* call, const teal_op* ops, uint64_t count) {
  if (!teal::plugin::WellFormed(ops, count)) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(kLimits, ops, count)) return done.Fail(*error);
    instance->committer->Add(call, ops, count, std::move(done));
  });
}

// One key of a get: adds the record found, whose bytes stay in `value`.
std::optional<Error> GetOne(teal_instance* instance, const teal_key& key, rocksdb::PinnableSlice& value,
                            std::vector<teal_record>& found) {
  thread_local std::string record_key;
  record_key.assign(1, teal::local::kRecordSpace);
  teal::local::AppendKey(record_key, View(key.partition), View(key.sort));
  const rocksdb::Status status = instance->store->Read(record_key, &value);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return teal::local::ToError(status, "cannot read the record");
  const auto record = teal::local::ReadRecord({value.data(), value.size()});
  if (!record) return Error{TEAL_CORRUPT, "the record found is damaged; restore a backup"};
  found.push_back({key, Bytes(record->value), record->version, record->due, record->expires});
  return std::nullopt;
}

teal_status TEAL_CALL Get(teal_instance* instance, const teal_call* call, const teal_key* keys, uint64_t count) {
  if (!teal::plugin::WellFormed(keys, count)) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(kLimits, keys, count)) return done.Fail(*error);
    Page page;
    page.records.reserve(count);
    rocksdb::PinnableSlice first;
    std::vector<rocksdb::PinnableSlice> others(count - 1);
    for (uint64_t i = 0; i < count; ++i) {
      if (const auto error = GetOne(instance, keys[i], i == 0 ? first : others[i - 1], page.records)) {
        return done.Fail(*error);
      }
    }
    Finish(done, std::nullopt, page);
  });
}

teal_status TEAL_CALL Scan(teal_instance* instance, const teal_call* call, teal_bytes partition, teal_bytes prefix,
                           uint64_t limit, teal_bytes cursor) {
  if (partition.size == 0 || limit == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(kLimits, "partition", partition.size)) return done.Fail(*error);
    if (const auto error = TooLarge(kLimits, "sort prefix", prefix.size)) return done.Fail(*error);
    if (cursor.size != 0 && !View(cursor).starts_with(View(prefix))) {
      return done.Fail(Invalid("the cursor is not of this scan; begin without one"));
    }
    Page page;
    const auto error = instance->store->Scan(View(partition), View(prefix), std::min(limit, kLimits.scan_records_max),
                                             View(cursor), page);
    Finish(done, error, page);
  });
}

teal_status TEAL_CALL ScanDue(teal_instance* instance, const teal_call* call, uint32_t shard, uint32_t shards,
                              uint64_t until, uint64_t limit, teal_bytes cursor) {
  if (shard >= shards || shards > 1024 || limit == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    Page page;
    const auto error =
        instance->store->ScanDue(shard, shards, until, std::min(limit, kLimits.scan_records_max), View(cursor), page);
    Finish(done, error, page);
  });
}

teal_status TEAL_CALL Watch(teal_instance* instance, teal_bytes prefix, teal::plugin::Watchers::Changed changed,
                            void* ctx, uint64_t* watch_id) {
  if (changed == nullptr || watch_id == nullptr) return TEAL_INVALID;
  return teal::plugin::Guard([&] {
    *watch_id = instance->watchers.Add(View(prefix), changed, ctx);
    return TEAL_OK;
  });
}

void TEAL_CALL Unwatch(teal_instance* instance, uint64_t watch_id) {
  instance->watchers.Remove(watch_id);
}

teal_status TEAL_CALL BlobOpen(teal_instance* instance, const teal_call* call, teal_bytes name) {
  if (name.size == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(kLimits, "blob's name", name.size)) return done.Fail(*error);
    teal::local::OnWorker(*instance->workers, std::move(done), [instance, name](Done& ending) {
      uint64_t handle = 0;
      if (const auto error = instance->blobs->Begin(View(name), handle)) return ending.Fail(*error);
      ending.Ok(&handle);
    });
  });
}

teal_status TEAL_CALL BlobWrite(teal_instance* instance, const teal_call* call, uint64_t handle, teal_bytes data) {
  return Take(call, instance->calls, [&](Done done) {
    teal::local::OnWorker(*instance->workers, std::move(done), [instance, handle, data](Done& ending) {
      if (const auto error = instance->blobs->Append(handle, View(data))) return ending.Fail(*error);
      ending.Ok();
    });
  });
}

teal_status TEAL_CALL BlobCommit(teal_instance* instance, const teal_call* call, uint64_t handle) {
  return Take(call, instance->calls, [&](Done done) {
    teal::local::OnWorker(*instance->workers, std::move(done), [instance, handle](Done& ending) {
      if (const auto error = instance->blobs->Commit(handle)) return ending.Fail(*error);
      ending.Ok();
    });
  });
}

// Removes one file, unsynced: what a crash brings back of it goes with the next opening.
void TEAL_CALL BlobAbort(teal_instance* instance, uint64_t handle) {
  try {
    instance->blobs->Abort(handle);
  } catch (...) {
    return;
  }
}

teal_status TEAL_CALL BlobGet(teal_instance* instance, const teal_call* call, teal_bytes name, uint64_t offset,
                              uint64_t size) {
  if (name.size == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    teal::local::OnWorker(*instance->workers, std::move(done), [instance, name, offset, size](Done& ending) {
      std::string data;
      if (const auto error = instance->blobs->Get(View(name), offset, size, data)) return ending.Fail(*error);
      const teal_bytes out = Bytes(data);
      ending.Ok(&out);
    });
  });
}

teal_status TEAL_CALL BlobDelete(teal_instance* instance, const teal_call* call, teal_bytes name) {
  if (name.size == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    teal::local::OnWorker(*instance->workers, std::move(done), [instance, name](Done& ending) {
      if (const auto error = instance->blobs->Delete(View(name))) return ending.Fail(*error);
      ending.Ok();
    });
  });
}

}  // namespace

namespace teal::local {

const teal_memory kMemoryTable = {
    sizeof(teal_memory), 0,          Caps,      Commit,  Get,       Scan, ScanDue, Watch, Unwatch, BlobOpen,
    BlobWrite,           BlobCommit, BlobAbort, BlobGet, BlobDelete};

}  // namespace teal::local

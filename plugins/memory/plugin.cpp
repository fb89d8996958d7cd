// The plugin `memory`: teal.memory/1 in this process, gone with its instance. One mutex makes every call linearizable;
// every call is over before it returns, so there is nothing to cancel and nothing open when `close` comes.
#include <teal/abi.h>

#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <teal/plugin.hpp>
#include <unordered_map>

#include "plugins/common/config.hpp"
#include "plugins/common/memory_input.hpp"
#include "plugins/common/watchers.hpp"
#include "plugins/memory/records.hpp"

namespace {

using teal::Bytes;
using teal::Copy;
using teal::View;
using teal::memory::Page;
using teal::memory::Records;
using teal::plugin::Done;
using teal::plugin::Error;
using teal::plugin::Take;

constexpr teal::plugin::MemoryLimits kLimits{.blob_bytes_max = 1 << 30};

std::array<uint8_t, 16> RandomStore() {
  std::random_device random;
  std::array<uint8_t, 16> store{};
  for (uint8_t& byte : store) byte = static_cast<uint8_t>(random());
  return store;
}

struct Upload {
  std::string name;
  std::string data;
};

}  // namespace

struct teal_instance {
  explicit teal_instance(const teal_host* its_host) : host(its_host) {}

  const teal_host* const host;
  teal::plugin::OpenCalls calls;
  teal::plugin::Watchers watchers;
  std::mutex mutex;  // guards what follows; held during `done` too, since results are views of what it guards
  Records records{RandomStore()};
  std::map<std::string, std::string, std::less<>> blobs;
  std::unordered_map<uint64_t, Upload> uploads;  // by handle
  uint64_t last_handle = 0;

  uint64_t Now() const { return host->now_unix_ns(host); }
};

namespace {

Error Invalid(const char* message) {
  return {TEAL_INVALID, message, TEAL_NOT_APPLIED, 0, 0};
}

void Finish(Done& done, const Page& page) {
  teal_page out{};
  out.struct_size = sizeof out;
  out.more = page.more ? 1 : 0;
  out.count = page.records.size();
  out.records = page.records.data();
  out.next = Bytes(page.next);
  done.Ok(&out);
}

teal_status TEAL_CALL Caps(teal_instance*, teal_memory_caps* out) {
  teal::GiveOut(out, teal::plugin::Caps(kLimits, TEAL_MEMORY_WATCH | TEAL_MEMORY_BLOBS | TEAL_MEMORY_EXPIRY));
  return TEAL_OK;
}

teal_status TEAL_CALL Commit(teal_instance* instance, const teal_call* call, const teal_op* ops, uint64_t count) {
  if (!teal::plugin::WellFormed(ops, count)) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(kLimits, ops, count)) return done.Fail(*error);
    const std::lock_guard lock(instance->mutex);
    instance->records.Expire(instance->Now());
    const Records::Outcome outcome = instance->records.Commit(ops, count);
    teal_commit_result result{};
    result.struct_size = sizeof result;
    if (!outcome.applied) {
      result.failed_op = outcome.failed_op;
      result.found = outcome.found.empty() ? nullptr : outcome.found.data();
      return done.Fail({TEAL_CONFLICT, "the condition of operation " + std::to_string(outcome.failed_op) + " fails"},
                       &result);
    }
    result.count = count;
    result.versions = outcome.versions.data();
    done.Ok(&result);
    if (!instance->watchers.Any()) return;
    for (uint64_t i = 0; i < count; ++i) {
      if (ops[i].kind != TEAL_CHECK) instance->watchers.Tell(ops[i].key);
    }
  });
}

teal_status TEAL_CALL Get(teal_instance* instance, const teal_call* call, const teal_key* keys, uint64_t count) {
  if (!teal::plugin::WellFormed(keys, count)) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(kLimits, keys, count)) return done.Fail(*error);
    const std::lock_guard lock(instance->mutex);
    instance->records.Expire(instance->Now());
    Page page;
    page.records = instance->records.Get(keys, count);
    Finish(done, page);
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
    const std::lock_guard lock(instance->mutex);
    instance->records.Expire(instance->Now());
    Finish(done, instance->records.Scan(View(partition), View(prefix), std::min(limit, kLimits.scan_records_max),
                                        View(cursor)));
  });
}

teal_status TEAL_CALL ScanDue(teal_instance* instance, const teal_call* call, uint32_t shard, uint32_t shards,
                              uint64_t until, uint64_t limit, teal_bytes cursor) {
  if (shard >= shards || shards > 1024 || limit == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    const std::lock_guard lock(instance->mutex);
    instance->records.Expire(instance->Now());
    Page page;
    if (!instance->records.ScanDue(shard, shards, until, std::min(limit, kLimits.scan_records_max), View(cursor),
                                   page)) {
      return done.Fail(Invalid("the cursor is not of scan_due; begin without one"));
    }
    Finish(done, page);
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
    const std::lock_guard lock(instance->mutex);
    const uint64_t handle = ++instance->last_handle;
    instance->uploads.emplace(handle, Upload{Copy(name), {}});
    done.Ok(&handle);
  });
}

teal_status TEAL_CALL BlobWrite(teal_instance* instance, const teal_call* call, uint64_t handle, teal_bytes data) {
  return Take(call, instance->calls, [&](Done done) {
    const std::lock_guard lock(instance->mutex);
    const auto at = instance->uploads.find(handle);
    if (at == instance->uploads.end()) return done.Fail(Invalid("no blob is open under this handle"));
    if (data.size > kLimits.blob_bytes_max - at->second.data.size()) {
      return done.Fail({TEAL_TOO_LARGE, "the blob passes blob_bytes_max of " + std::to_string(kLimits.blob_bytes_max)});
    }
    at->second.data.append(View(data));
    done.Ok();
  });
}

teal_status TEAL_CALL BlobCommit(teal_instance* instance, const teal_call* call, uint64_t handle) {
  return Take(call, instance->calls, [&](Done done) {
    const std::lock_guard lock(instance->mutex);
    const auto upload = instance->uploads.extract(handle);
    if (upload.empty()) return done.Fail(Invalid("no blob is open under this handle"));
    // A name that exists keeps what it has. (BLOB-3)
    instance->blobs.try_emplace(std::move(upload.mapped().name), std::move(upload.mapped().data));
    done.Ok();
  });
}

void TEAL_CALL BlobAbort(teal_instance* instance, uint64_t handle) {
  const std::lock_guard lock(instance->mutex);
  instance->uploads.erase(handle);
}

teal_status TEAL_CALL BlobGet(teal_instance* instance, const teal_call* call, teal_bytes name, uint64_t offset,
                              uint64_t size) {
  if (name.size == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    const std::lock_guard lock(instance->mutex);
    const auto at = instance->blobs.find(View(name));
    if (at == instance->blobs.end()) return done.Fail({TEAL_NOT_FOUND, "there is no blob of this name"});
    const std::string_view data = at->second;
    const teal_bytes part = Bytes(offset < data.size() ? data.substr(offset, size) : std::string_view());
    done.Ok(&part);
  });
}

teal_status TEAL_CALL BlobDelete(teal_instance* instance, const teal_call* call, teal_bytes name) {
  if (name.size == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    const std::lock_guard lock(instance->mutex);
    if (const auto at = instance->blobs.find(View(name)); at != instance->blobs.end()) instance->blobs.erase(at);
    done.Ok();
  });
}

constexpr teal_memory kMemory = {
    sizeof(teal_memory), 0,          Caps,      Commit,  Get,       Scan, ScanDue, Watch, Unwatch, BlobOpen,
    BlobWrite,           BlobCommit, BlobAbort, BlobGet, BlobDelete};

teal_status TEAL_CALL Open(const teal_host* host, teal_bytes config, teal_instance** out, teal_error* error) {
  return teal::plugin::GuardWithError(error, [&] {
    nlohmann::json parsed;
    if (const auto wrong = teal::plugin::ParseConfig(View(config), {}, parsed)) return Give(error, *wrong);
    *out = new teal_instance(host);
    return TEAL_OK;
  });
}

void TEAL_CALL Close(teal_instance* instance) {
  instance->calls.Close();
  instance->calls.Wait();
  delete instance;
}

const void* TEAL_CALL GetInterface(const char* id) {
  return std::string_view(id) == "teal.memory/1" ? &kMemory : nullptr;
}

teal_status TEAL_CALL Cancel(teal_instance*, uint64_t) {
  return TEAL_OK;
}

constexpr teal_plugin kPlugin = {sizeof(teal_plugin), TEAL_ABI_MINOR, 0, 0, "memory", TEAL_PLUGIN_VERSION, Open, Close,
                                 GetInterface,        Cancel};

}  // namespace

extern "C" TEAL_EXPORT const teal_plugin* TEAL_CALL teal_plugin_v1(void) {
  return &kPlugin;
}

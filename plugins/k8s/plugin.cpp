// The plugin `k8s`: teal.memory/1 over PostgreSQL. Here is the border only: what the host gives is judged, and becomes
// a call for the engine.
#include <teal/abi.h>

#include <algorithm>
#include <teal/plugin.hpp>

#include "plugins/common/memory_input.hpp"
#include "plugins/k8s/chores.hpp"
#include "plugins/k8s/instance.hpp"
#include "plugins/k8s/limits.hpp"
#include "plugins/k8s/reads.hpp"

namespace {

using teal::View;
using teal::plugin::Done;
using teal::plugin::Error;
using teal::plugin::Take;
using teal::plugin::TooLarge;
using namespace teal::k8s;

Error Invalid(const char* message) {
  return {TEAL_INVALID, message, TEAL_NOT_APPLIED, 0, 0};
}

// ---- Records ----

teal_status TEAL_CALL Caps(teal_instance* instance, teal_memory_caps* out) {
  teal::GiveOut(out, teal::plugin::Caps(kLimits, instance->features));
  return TEAL_OK;
}

teal_status TEAL_CALL CommitOps(teal_instance* instance, const teal_call* call, const teal_op* ops, uint64_t count) {
  if (!teal::plugin::WellFormed(ops, count)) return TEAL_INVALID;
  if (call != nullptr && call->idempotency_key.size > kIdempotencyKeyMax) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(kLimits, ops, count)) return done.Fail(*error);
    Engine* const engine = instance->engine.get();
    engine->SubmitCommit(std::make_shared<Commit>(std::move(done), *call, instance->Now(), ops, count, instance->nonces,
                                                  [engine](KeyView key) { engine->Changed(key); }));
  });
}

teal_status TEAL_CALL GetKeys(teal_instance* instance, const teal_call* call, const teal_key* keys, uint64_t count) {
  if (!teal::plugin::WellFormed(keys, count)) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(kLimits, keys, count)) return done.Fail(*error);
    instance->engine->Submit(std::make_shared<Get>(std::move(done), *call, instance->Now(), keys, count));
  });
}

teal_status TEAL_CALL ScanPartition(teal_instance* instance, const teal_call* call, teal_bytes partition,
                                    teal_bytes prefix, uint64_t limit, teal_bytes cursor) {
  if (partition.size == 0 || limit == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(kLimits, "partition", partition.size)) return done.Fail(*error);
    if (const auto error = TooLarge(kLimits, "sort prefix", prefix.size)) return done.Fail(*error);
    if (!Scan::Good(View(cursor), View(prefix))) {
      return done.Fail(Invalid("the cursor is not of this scan; begin without one"));
    }
    instance->engine->Submit(std::make_shared<Scan>(std::move(done), *call, instance->Now(), View(partition),
                                                    View(prefix), limit, View(cursor)));
  });
}

teal_status TEAL_CALL ScanWhatIsDue(teal_instance* instance, const teal_call* call, uint32_t shard, uint32_t shards,
                                    uint64_t until, uint64_t limit, teal_bytes cursor) {
  if (shard >= shards || shards > 1024 || limit == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (!ScanDue::Good(View(cursor))) return done.Fail(Invalid("the cursor is not of scan_due; begin without one"));
    instance->engine->Submit(
        std::make_shared<ScanDue>(std::move(done), *call, instance->Now(), shard, shards, until, limit, View(cursor)));
  });
}

// ---- Watching ----

teal_status TEAL_CALL Watch(teal_instance* instance, teal_bytes prefix, teal::plugin::Watchers::Changed changed,
                            void* ctx, uint64_t* watch_id) {
  if (changed == nullptr || watch_id == nullptr) return TEAL_INVALID;
  if (instance->listener == nullptr) return TEAL_UNSUPPORTED;
  return teal::plugin::Guard([&] {
    *watch_id = instance->listener->Watch(View(prefix), changed, ctx);
    return TEAL_OK;
  });
}

void TEAL_CALL Unwatch(teal_instance* instance, uint64_t watch_id) {
  if (instance->listener != nullptr) instance->listener->Unwatch(watch_id);
}

// ---- Blobs ----

constexpr const char* kNoHandle = "no blob is open under this handle";

teal_status TEAL_CALL OpenBlob(teal_instance* instance, const teal_call* call, teal_bytes name) {
  if (name.size == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(kLimits, "blob's name", name.size)) return done.Fail(*error);
    instance->engine->Submit(
        std::make_shared<BlobOpen>(std::move(done), *call, instance->Now(), View(name), instance->uploads));
  });
}

teal_status TEAL_CALL WriteBlob(teal_instance* instance, const teal_call* call, uint64_t handle, teal_bytes data) {
  return Take(call, instance->calls, [&](Done done) {
    UploadPtr upload = instance->uploads.Find(handle);
    if (upload == nullptr) return done.Fail(Invalid(kNoHandle));
    if (upload->busy.exchange(true)) return done.Fail(Invalid("a write of this blob has not ended yet"));
    if (upload->broken.load()) {
      upload->busy.store(false);
      return done.Fail(
          {TEAL_UNAVAILABLE, "an earlier piece of this blob was not written: write it anew", TEAL_NOT_APPLIED, 0, 0});
    }
    if (data.size > kLimits.blob_bytes_max - upload->size) {
      upload->busy.store(false);
      return done.Fail({TEAL_TOO_LARGE, "the blob passes blob_bytes_max of " + std::to_string(kLimits.blob_bytes_max),
                        TEAL_NOT_APPLIED, 0, 0});
    }
    const auto write =
        std::make_shared<BlobWrite>(std::move(done), *call, instance->Now(), std::move(upload), View(data));
    if (!write->KeepOnly()) instance->engine->Submit(write);
  });
}

teal_status TEAL_CALL CommitBlob(teal_instance* instance, const teal_call* call, uint64_t handle) {
  return Take(call, instance->calls, [&](Done done) {
    UploadPtr upload = instance->uploads.Take(handle);
    if (upload == nullptr) return done.Fail(Invalid(kNoHandle));
    if (upload->broken.load() || upload->busy.load()) {
      instance->engine->Submit(std::make_shared<DropUpload>(upload->id));
      return done.Fail(
          {TEAL_UNAVAILABLE, "a piece of this blob was not written: write it anew", TEAL_NOT_APPLIED, 0, 0});
    }
    instance->engine->Submit(std::make_shared<BlobCommit>(std::move(done), *call, instance->Now(), std::move(upload)));
  });
}

void TEAL_CALL AbortBlob(teal_instance* instance, uint64_t handle) {
  teal::plugin::Guard([&] {
    const UploadPtr upload = instance->uploads.Take(handle);
    if (upload != nullptr) instance->engine->Submit(std::make_shared<DropUpload>(upload->id));
    return TEAL_OK;
  });
}

teal_status TEAL_CALL GetBlob(teal_instance* instance, const teal_call* call, teal_bytes name, uint64_t offset,
                              uint64_t size) {
  if (name.size == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(kLimits, "blob's name", name.size)) return done.Fail(*error);
    instance->engine->Submit(
        std::make_shared<BlobGet>(std::move(done), *call, instance->Now(), View(name), offset, size));
  });
}

teal_status TEAL_CALL DeleteBlob(teal_instance* instance, const teal_call* call, teal_bytes name) {
  if (name.size == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(kLimits, "blob's name", name.size)) return done.Fail(*error);
    instance->engine->Submit(std::make_shared<BlobDelete>(std::move(done), *call, instance->Now(), View(name)));
  });
}

constexpr teal_memory kMemory = {sizeof(teal_memory), 0,        &Caps,      &CommitOps, &GetKeys,   &ScanPartition,
                                 &ScanWhatIsDue,      &Watch,   &Unwatch,   &OpenBlob,  &WriteBlob, &CommitBlob,
                                 &AbortBlob,          &GetBlob, &DeleteBlob};

// ---- The plugin ----

teal_status TEAL_CALL Open(const teal_host* host, teal_bytes config_json, teal_instance** out, teal_error* error) {
  return teal::plugin::GuardWithError(error, [&] {
    Error why;
    std::unique_ptr<teal_instance> instance = OpenInstance(host, View(config_json), why);
    if (instance == nullptr) return teal::plugin::Give(error, why);
    *out = instance.release();
    return TEAL_OK;
  });
}

void TEAL_CALL Close(teal_instance* instance) {
  instance->calls.Close();
  instance->listener.reset();
  teal::plugin::Guard([&] {
    for (const UploadPtr& upload : instance->uploads.TakeAll()) {
      instance->engine->Submit(std::make_shared<DropUpload>(upload->id));
    }
    return TEAL_OK;
  });
  instance->engine.reset();  // ends every call
  instance->calls.Wait();
  delete instance;
}

teal_status TEAL_CALL Cancel(teal_instance* instance, uint64_t op_id) {
  return teal::plugin::Guard([&] {
    if (op_id != 0) instance->engine->Cancel(op_id);
    return TEAL_OK;
  });
}

const void* TEAL_CALL GetInterface(const char* id) {
  return id != nullptr && std::string_view(id) == "teal.memory/1" ? &kMemory : nullptr;
}

constexpr teal_plugin kPlugin = {sizeof(teal_plugin), TEAL_ABI_MINOR, 0, 0, "k8s", TEAL_PLUGIN_VERSION, &Open, &Close,
                                 &GetInterface,       &Cancel};

}  // namespace

extern "C" TEAL_EXPORT const teal_plugin* TEAL_CALL teal_plugin_v1(void) {
  return &kPlugin;
}

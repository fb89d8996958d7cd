// teal.memory/1: each function checks what it was given, then runs its part as a coroutine on the instance's loop.
#include "plugins/aws/instance.hpp"

namespace {

using namespace teal::aws;
using teal::Bytes;
using teal::Copy;
using teal::View;
using teal::plugin::Done;
using teal::plugin::Take;
using teal::plugin::WellFormed;

Error OutOfMemory(uint32_t outcome) {
  return {TEAL_NO_MEMORY, "out of memory", outcome};
}

void Finish(Done& done, Result<Page> page, bool keys_only) {
  if (!page) return done.Fail(page.error());
  std::vector<teal_record> records;
  records.reserve(page->records.size());
  for (const StoredRecord& record : page->records) {
    records.push_back(record.ToAbi());
    if (keys_only) records.back().value = {};
  }
  teal_page out{};
  out.struct_size = sizeof out;
  out.more = page->next.empty() ? 0 : 1;
  out.count = records.size();
  out.records = records.data();
  out.next = Bytes(page->next);
  done.Ok(&out);
}

void Finish(Done& done, CommitOutcome outcome) {
  teal_commit_result out{};
  out.struct_size = sizeof out;
  if (!outcome.error) {
    out.count = outcome.versions.size();
    out.versions = outcome.versions.data();
    return done.Ok(&out);
  }
  if (outcome.error->code != TEAL_CONFLICT) return done.Fail(*outcome.error);
  teal_record found{};
  if (outcome.found) found = outcome.found->ToAbi();
  out.failed_op = outcome.failed_op;
  out.found = outcome.found ? &found : nullptr;
  done.Fail(*outcome.error, &out);
}

// Stands for a call on the loop, from the moment it is there.
class Running {
 public:
  Running(teal_instance* instance, const teal_call* call)
      : operation_(instance->context, call->op_id, instance->Deadline(*call), Copy(call->traceparent)) {}
  Operation& operation() { return operation_; }

 private:
  Operation operation_;
};

Detached RunCommit(teal_instance* instance, const teal_call* call, const teal_op* ops, uint64_t count, Done done) {
  co_await OnLoop{instance->context.loop};
  try {
    Running running(instance, call);
    CommitOutcome outcome =
        co_await instance->commits.Commit(running.operation(), {ops, count}, View(call->idempotency_key));
    Finish(done, std::move(outcome));
  } catch (...) {
    if (done) done.Fail(OutOfMemory(TEAL_OUTCOME_UNKNOWN));
  }
}

Detached RunGet(teal_instance* instance, const teal_call* call, const teal_key* keys, uint64_t count, Done done) {
  co_await OnLoop{instance->context.loop};
  try {
    Running running(instance, call);
    Result<Page> page = co_await instance->reads.Get(running.operation(), {keys, count});
    Finish(done, std::move(page), false);
  } catch (...) {
    if (done) done.Fail(OutOfMemory(TEAL_NOT_APPLIED));
  }
}

Detached RunScan(teal_instance* instance, const teal_call* call, teal_bytes partition, teal_bytes prefix,
                 uint64_t limit, teal_bytes cursor, Done done) {
  co_await OnLoop{instance->context.loop};
  try {
    Running running(instance, call);
    Result<Page> page =
        co_await instance->reads.Scan(running.operation(), View(partition), View(prefix), limit, View(cursor));
    Finish(done, std::move(page), false);
  } catch (...) {
    if (done) done.Fail(OutOfMemory(TEAL_NOT_APPLIED));
  }
}

Detached RunScanDue(teal_instance* instance, const teal_call* call, DueShard shard, uint64_t until, uint64_t limit,
                    teal_bytes cursor, Done done) {
  co_await OnLoop{instance->context.loop};
  try {
    Running running(instance, call);
    Result<Page> page = co_await instance->due.Scan(running.operation(), shard, until, limit, View(cursor));
    Finish(done, std::move(page), true);
  } catch (...) {
    if (done) done.Fail(OutOfMemory(TEAL_NOT_APPLIED));
  }
}

teal_status TEAL_CALL Caps(teal_instance* instance, teal_memory_caps* out) {
  teal_memory_caps caps = teal::plugin::Caps(instance->limits, instance->features);
  caps.due_staleness_ns = instance->config.index_lag_ns;
  teal::GiveOut(out, caps);
  return TEAL_OK;
}

teal_status TEAL_CALL Commit(teal_instance* instance, const teal_call* call, const teal_op* ops, uint64_t count) {
  if (!WellFormed(ops, count)) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(instance->limits, ops, count)) return done.Fail(*error);
    RunCommit(instance, call, ops, count, std::move(done));
  });
}

teal_status TEAL_CALL Get(teal_instance* instance, const teal_call* call, const teal_key* keys, uint64_t count) {
  if (!WellFormed(keys, count)) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(instance->limits, keys, count)) return done.Fail(*error);
    RunGet(instance, call, keys, count, std::move(done));
  });
}

teal_status TEAL_CALL Scan(teal_instance* instance, const teal_call* call, teal_bytes partition, teal_bytes prefix,
                           uint64_t limit, teal_bytes cursor) {
  if (partition.size == 0 || limit == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(instance->limits, "partition", partition.size)) return done.Fail(*error);
    if (const auto error = TooLarge(instance->limits, "sort prefix", prefix.size)) return done.Fail(*error);
    RunScan(instance, call, partition, prefix, limit, cursor, std::move(done));
  });
}

teal_status TEAL_CALL ScanDue(teal_instance* instance, const teal_call* call, uint32_t shard, uint32_t shards,
                              uint64_t until, uint64_t limit, teal_bytes cursor) {
  if (shard >= shards || shards > 1024 || limit == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    RunScanDue(instance, call, DueShard{shard, shards}, until, limit, cursor, std::move(done));
  });
}

// ---- Blobs ----

void Finish(Done& done, Status status) {
  status ? done.Ok() : done.Fail(status.error());
}

Detached RunBlobOpen(teal_instance* instance, teal_bytes name, Done done) {
  co_await OnLoop{instance->context.loop};
  try {
    const uint64_t handle = instance->blobs->Open(View(name));
    done.Ok(&handle);
  } catch (...) {
    if (done) done.Fail(OutOfMemory(TEAL_NOT_APPLIED));
  }
}

Detached RunBlobWrite(teal_instance* instance, const teal_call* call, uint64_t handle, teal_bytes data, Done done) {
  co_await OnLoop{instance->context.loop};
  try {
    Running running(instance, call);
    Status status = co_await instance->blobs->Write(running.operation(), handle, View(data));
    Finish(done, std::move(status));
  } catch (...) {
    if (done) done.Fail(OutOfMemory(TEAL_NOT_APPLIED));
  }
}

Detached RunBlobCommit(teal_instance* instance, const teal_call* call, uint64_t handle, Done done) {
  co_await OnLoop{instance->context.loop};
  try {
    Running running(instance, call);
    Status status = co_await instance->blobs->Commit(running.operation(), handle);
    Finish(done, std::move(status));
  } catch (...) {
    if (done) done.Fail(OutOfMemory(TEAL_OUTCOME_UNKNOWN));
  }
}

// No call of its own, but `close` waits for it like for one.
Detached RunBlobAbort(teal_instance* instance, uint64_t handle) {
  co_await OnLoop{instance->context.loop};
  try {
    Operation operation(instance->context, 0, instance->context.Now() + instance->config.timeout_ns);
    (void)co_await instance->blobs->Abort(operation, handle);
  } catch (...) {
    instance->context.Log(TEAL_LOG_WARNING, "a blob's upload could not be aborted: out of memory");
  }
  instance->calls.Leave();
}

Detached RunBlobGet(teal_instance* instance, const teal_call* call, teal_bytes name, uint64_t offset, uint64_t size,
                    Done done) {
  co_await OnLoop{instance->context.loop};
  try {
    Running running(instance, call);
    auto bytes = co_await instance->blobs->Get(running.operation(), View(name), offset, size);
    if (bytes) {
      const teal_bytes view = Bytes(*bytes);
      done.Ok(&view);
    } else {
      done.Fail(bytes.error());
    }
  } catch (...) {
    if (done) done.Fail(OutOfMemory(TEAL_NOT_APPLIED));
  }
}

Detached RunBlobDelete(teal_instance* instance, const teal_call* call, teal_bytes name, Done done) {
  co_await OnLoop{instance->context.loop};
  try {
    Running running(instance, call);
    Status status = co_await instance->blobs->Delete(running.operation(), View(name));
    Finish(done, std::move(status));
  } catch (...) {
    if (done) done.Fail(OutOfMemory(TEAL_OUTCOME_UNKNOWN));
  }
}

teal_status TEAL_CALL BlobOpen(teal_instance* instance, const teal_call* call, teal_bytes name) {
  if (!instance->blobs) return TEAL_UNSUPPORTED;
  if (name.size == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(instance->limits, "blob's name", name.size)) return done.Fail(*error);
    RunBlobOpen(instance, name, std::move(done));
  });
}

teal_status TEAL_CALL BlobWrite(teal_instance* instance, const teal_call* call, uint64_t handle, teal_bytes data) {
  if (!instance->blobs) return TEAL_UNSUPPORTED;
  return Take(call, instance->calls, [&](Done done) { RunBlobWrite(instance, call, handle, data, std::move(done)); });
}

teal_status TEAL_CALL BlobCommit(teal_instance* instance, const teal_call* call, uint64_t handle) {
  if (!instance->blobs) return TEAL_UNSUPPORTED;
  return Take(call, instance->calls, [&](Done done) { RunBlobCommit(instance, call, handle, std::move(done)); });
}

void TEAL_CALL BlobAbort(teal_instance* instance, uint64_t handle) {
  if (!instance->blobs || !instance->calls.Enter()) return;
  RunBlobAbort(instance, handle);
}

teal_status TEAL_CALL BlobGet(teal_instance* instance, const teal_call* call, teal_bytes name, uint64_t offset,
                              uint64_t size) {
  if (!instance->blobs) return TEAL_UNSUPPORTED;
  if (name.size == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(instance->limits, "blob's name", name.size)) return done.Fail(*error);
    RunBlobGet(instance, call, name, offset, size, std::move(done));
  });
}

teal_status TEAL_CALL BlobDelete(teal_instance* instance, const teal_call* call, teal_bytes name) {
  if (!instance->blobs) return TEAL_UNSUPPORTED;
  if (name.size == 0) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = TooLarge(instance->limits, "blob's name", name.size)) return done.Fail(*error);
    RunBlobDelete(instance, call, name, std::move(done));
  });
}

}  // namespace

const teal_memory teal::aws::kMemoryTable = {
    sizeof(teal_memory), 0,          &Caps,       &Commit,    &Get,     &Scan,       &ScanDue, nullptr, nullptr,
    &BlobOpen,           &BlobWrite, &BlobCommit, &BlobAbort, &BlobGet, &BlobDelete,
};

// The host's side of the border in C++: a memory's calls with owned results, by callback or blocking. Header only.
#ifndef TEAL_HOST_HPP
#define TEAL_HOST_HPP

#include <teal/abi.h>
#include <teal/bytes.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace teal::host {

// A call's failure, copied out of the callback. code TEAL_OK = none.
struct Error {
  teal_status code = TEAL_OK;
  uint32_t outcome = TEAL_NOT_APPLIED;
  uint64_t retry_after_ns = 0;
  int64_t vendor_code = 0;
  std::string message;
  bool Ok() const { return code == TEAL_OK; }
};

inline Error FromAbi(const teal_error* error) {
  if (error == nullptr) return {};
  const teal_error in = TakeIn(error);
  const auto size = ::strnlen(in.message, sizeof in.message);
  return {in.code, in.outcome, in.retry_after_ns, in.vendor_code, std::string(in.message, size)};
}

// A status returned at once, without words.
inline Error Refused(teal_status status) {
  return {status, TEAL_NOT_APPLIED, 0, 0, "refused by the plugin at once"};
}

struct Record {
  std::string partition;
  std::string sort;
  std::string value;
  teal_version version{};
  uint64_t due_unix_ns = 0;
  uint64_t expires_unix_ns = 0;
};

inline Record FromAbi(const teal_record& record) {
  return {Copy(record.key.partition), Copy(record.key.sort), Copy(record.value), record.version,
          record.due_unix_ns,         record.expires_unix_ns};
}

// One operation of a commit; what the views point to stays alive until the commit is done.
struct Op {
  uint32_t kind = TEAL_PUT;
  uint32_t condition = TEAL_IF_ANY;
  std::string_view partition;
  std::string_view sort;
  std::string_view value;
  teal_version expected{};
  uint64_t due_unix_ns = 0;
  uint64_t expires_unix_ns = 0;
};

inline teal_op ToAbi(const Op& op) {
  return {op.kind,        op.condition,      {Bytes(op.partition), Bytes(op.sort)}, Bytes(op.value), op.expected,
          op.due_unix_ns, op.expires_unix_ns};
}

struct CommitResult {
  Error error;
  std::vector<teal_version> versions;
  uint32_t failed_op = 0;
  std::optional<Record> found;
};

struct PageResult {
  Error error;
  std::vector<Record> records;
  bool more = false;
  std::string next;
};

struct HandleResult {
  Error error;
  uint64_t handle = 0;
};

struct BytesResult {
  Error error;
  std::string bytes;
};

struct CallOptions {
  uint64_t op_id = 0;
  uint64_t deadline_unix_ns = 0;
  std::string_view traceparent;
  std::string_view idempotency_key;
};

namespace internal {

inline void Convert(CommitResult& out, const void* result) {
  if (result == nullptr) return;
  const teal_commit_result in = TakeIn(static_cast<const teal_commit_result*>(result));
  out.versions.assign(in.versions, in.versions + in.count);
  out.failed_op = in.failed_op;
  if (in.found != nullptr) out.found = FromAbi(*in.found);
}
inline void Convert(PageResult& out, const void* result) {
  if (result == nullptr) return;
  const teal_page in = TakeIn(static_cast<const teal_page*>(result));
  out.records.reserve(in.count);
  for (uint64_t i = 0; i < in.count; ++i) out.records.push_back(FromAbi(in.records[i]));
  out.more = in.more != 0;
  out.next = Copy(in.next);
}
inline void Convert(HandleResult& out, const void* result) {
  if (result != nullptr) out.handle = *static_cast<const uint64_t*>(result);
}
inline void Convert(BytesResult& out, const void* result) {
  if (result != nullptr) out.bytes = Copy(*static_cast<const teal_bytes*>(result));
}
inline void Convert(Error&, const void*) {}

inline void SetError(Error& out, Error error) {
  out = std::move(error);
}
template <typename Result>
void SetError(Result& out, Error error) {
  out.error = std::move(error);
}

// A call in flight: owns the struct the plugin reads until `done` returned.
template <typename Result>
struct Flight {
  teal_call call{};
  std::string traceparent;
  std::string key;
  std::function<void(Result)> callback;

  static void TEAL_CALL Done(void* ctx, const teal_error* error, const void* result) {
    const std::unique_ptr<Flight> flight(static_cast<Flight*>(ctx));
    Result out{};
    SetError(out, FromAbi(error));
    Convert(out, result);
    flight->callback(std::move(out));
  }
};

}  // namespace internal

// Starts `begin(const teal_call*)` and gives its result to `callback` exactly once, on whatever thread ends the call,
// perhaps before this returns. The callback follows the rules of a sink.
template <typename Result, typename Begin>
void Start(const CallOptions& options, std::function<void(Result)> callback, Begin&& begin) {
  auto flight = std::make_unique<internal::Flight<Result>>();
  flight->traceparent = std::string(options.traceparent);
  flight->key = std::string(options.idempotency_key);
  flight->callback = std::move(callback);
  flight->call = {sizeof(teal_call),
                  0,
                  options.op_id,
                  options.deadline_unix_ns,
                  Bytes(flight->traceparent),
                  Bytes(flight->key),
                  &internal::Flight<Result>::Done,
                  flight.get()};
  internal::Flight<Result>* const raw = flight.release();  // `done` deletes it, perhaps before `begin` returns
  const teal_status status = std::forward<Begin>(begin)(static_cast<const teal_call*>(&raw->call));
  if (status == TEAL_OK) return;
  const std::unique_ptr<internal::Flight<Result>> refused(raw);
  Result out{};
  internal::SetError(out, Refused(status));
  refused->callback(std::move(out));
}

// The same, blocking. Never called from a sink.
template <typename Result, typename Begin>
Result Wait(const CallOptions& options, Begin&& begin) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<Result> result;
  };
  const auto shared = std::make_shared<Shared>();
  Start<Result>(
      options,
      [shared](Result result) {
        const std::lock_guard lock(shared->mutex);
        shared->result = std::move(result);
        shared->ready.notify_all();
      },
      std::forward<Begin>(begin));
  std::unique_lock lock(shared->mutex);
  shared->ready.wait(lock, [&] { return shared->result.has_value(); });
  return std::move(*shared->result);
}

// The calls of a "teal.memory/1" table. Copyable; thread-safe. Table and instance outlive it. Op ids count from 1 for
// each instance unless the caller gives its own; copies share the count.
class Memory {
 public:
  Memory(const teal_memory* table, teal_instance* instance)
      : table_(table), instance_(instance), next_op_(std::make_shared<std::atomic<uint64_t>>(1)) {}

  const teal_memory* table() const { return table_; }
  teal_instance* instance() const { return instance_; }

  teal_memory_caps Caps() const {
    teal_memory_caps caps{};
    caps.struct_size = sizeof caps;
    table_->caps(instance_, &caps);
    return caps;
  }

  void Commit(std::span<const Op> ops, std::function<void(CommitResult)> callback, CallOptions options = {}) const {
    auto raw = std::make_shared<std::vector<teal_op>>();
    raw->reserve(ops.size());
    for (const Op& op : ops) raw->push_back(ToAbi(op));
    // The callback keeps the array alive until `done` returns.
    Start<CommitResult>(
        Numbered(options), [raw, callback = std::move(callback)](CommitResult result) { callback(std::move(result)); },
        [&, data = raw->data(), count = raw->size()](const teal_call* call) {
          return table_->commit(instance_, call, data, count);
        });
  }
  CommitResult CommitNow(std::span<const Op> ops, CallOptions options = {}) const {
    std::vector<teal_op> raw;
    raw.reserve(ops.size());
    for (const Op& op : ops) raw.push_back(ToAbi(op));
    return Wait<CommitResult>(Numbered(options), [&](const teal_call* call) {
      return table_->commit(instance_, call, raw.data(), raw.size());
    });
  }
  PageResult GetNow(std::span<const teal_key> keys, CallOptions options = {}) const {
    return Wait<PageResult>(Numbered(options), [&](const teal_call* call) {
      return table_->get(instance_, call, keys.data(), keys.size());
    });
  }
  PageResult GetNow(std::string_view partition, std::string_view sort, CallOptions options = {}) const {
    const teal_key key{Bytes(partition), Bytes(sort)};
    return GetNow(std::span(&key, 1), options);
  }
  PageResult ScanNow(std::string_view partition, std::string_view prefix, uint64_t limit, std::string_view cursor = {},
                     CallOptions options = {}) const {
    return Wait<PageResult>(Numbered(options), [&](const teal_call* call) {
      return table_->scan(instance_, call, Bytes(partition), Bytes(prefix), limit, Bytes(cursor));
    });
  }
  PageResult ScanDueNow(uint32_t shard, uint32_t shards, uint64_t until_unix_ns, uint64_t limit,
                        std::string_view cursor = {}, CallOptions options = {}) const {
    return Wait<PageResult>(Numbered(options), [&](const teal_call* call) {
      return table_->scan_due(instance_, call, shard, shards, until_unix_ns, limit, Bytes(cursor));
    });
  }
  HandleResult BlobOpenNow(std::string_view name, CallOptions options = {}) const {
    return Wait<HandleResult>(Numbered(options),
                              [&](const teal_call* call) { return table_->blob_open(instance_, call, Bytes(name)); });
  }
  Error BlobWriteNow(uint64_t handle, std::string_view data, CallOptions options = {}) const {
    return Wait<Error>(Numbered(options),
                       [&](const teal_call* call) { return table_->blob_write(instance_, call, handle, Bytes(data)); });
  }
  Error BlobCommitNow(uint64_t handle, CallOptions options = {}) const {
    return Wait<Error>(Numbered(options),
                       [&](const teal_call* call) { return table_->blob_commit(instance_, call, handle); });
  }
  BytesResult BlobGetNow(std::string_view name, uint64_t offset, uint64_t size, CallOptions options = {}) const {
    return Wait<BytesResult>(Numbered(options), [&](const teal_call* call) {
      return table_->blob_get(instance_, call, Bytes(name), offset, size);
    });
  }
  Error BlobDeleteNow(std::string_view name, CallOptions options = {}) const {
    return Wait<Error>(Numbered(options),
                       [&](const teal_call* call) { return table_->blob_delete(instance_, call, Bytes(name)); });
  }

 private:
  CallOptions Numbered(CallOptions options) const {
    if (options.op_id == 0) options.op_id = next_op_->fetch_add(1, std::memory_order_relaxed);
    return options;
  }

  const teal_memory* table_;
  teal_instance* instance_;
  std::shared_ptr<std::atomic<uint64_t>> next_op_;
};

}  // namespace teal::host

#endif

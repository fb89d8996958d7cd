// Inside of the memory store: what its calls share, and the life of one call.
//
// A call is sent as often as it takes. Each time it is sent is a flight, with a `teal_call` of its own, since the
// memory may look at that of the flight before until the callback has returned. A call lives until it has ended and all
// of its callbacks are through.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <teal/host.hpp>
#include <vector>

#include "core/runtime/memory_store.h"

namespace teal::runtime::store {

class Call;

using Items = std::vector<std::optional<StoreItem>>;

// Lives as long as a call or a delay knows it; the table only until Close returned. Thread-safe.
class Core : public std::enable_shared_from_this<Core> {
 public:
  // `options` whole: with clock, seed and `after`.
  Core(const teal_memory* table, teal_instance* instance, MemoryStoreOptions options);

  const teal_memory* table() const { return table_; }
  teal_instance* instance() const { return instance_; }
  const MemoryStoreOptions& options() const { return options_; }
  const StoreLimits& limits() const { return limits_; }
  StoreCounters& counters() { return counters_; }
  uint64_t NowNs() const { return options_.now_ns(); }
  uint64_t Random(uint64_t max);  // from 0 to max, both included

  // Gets without counting them. `deadline_ns` is that of the last try.
  void Get(std::vector<record::Key> keys, uint64_t deadline_ns, std::function<void(Result<Items>)> done);

  // Calls `call->Next()` after the delay; once Close has begun, `call->Fail(…)` instead, perhaps at once.
  void Later(uint64_t delay_ns, Call* call);
  void Close();

 private:
  friend class Call;
  void Entered() { open_.fetch_add(1); }
  void Left();
  void Wake(uint64_t id);

  // Constant.
  const teal_memory* const table_;
  teal_instance* const instance_;
  const MemoryStoreOptions options_;
  StoreLimits limits_;
  uint64_t get_keys_max_ = 1;

  StoreCounters counters_;
  std::atomic<uint64_t> random_;
  std::atomic<uint64_t> open_{0};  // calls that live
  std::atomic<bool> closing_{false};

  std::mutex mutex_;
  std::condition_variable left_;
  // Guarded by mutex_.
  std::map<uint64_t, Call*> waiting_;  // by a number that the delay knows them by
  uint64_t next_waiting_ = 0;
};

class Call {
 public:
  Call(std::shared_ptr<Core> core, uint64_t deadline_ns) : core_(std::move(core)), deadline_ns_(deadline_ns) {
    core_->Entered();
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Not from a sink.
  void Send();
  // What was put off goes on. Not from a sink.
  virtual void Next() { Send(); }
  // Ends the call.
  virtual void Fail(Failure failure) = 0;

 protected:
  virtual ~Call() { core_->Left(); }
  // The table's function.
  virtual teal_status Enter(const teal_call* call) = 0;
  // A flight has ended; error NULL: well. In a sink. To do: End, Again or GiveUp.
  virtual void Landed(const teal_error* error, const void* result) = 0;
  // For messages: what failed, without an end.
  virtual std::string What() const = 0;

  // `error` of a call that does not change anything, or certainly did not: Again where another try may help.
  void Retry(const host::Error& error);
  // Next() some time later, or Fail where the time is over.
  void Again(const host::Error& error);
  void GiveUp(const host::Error& error);
  // After the caller's `done` was called; nothing of this object may be used after it.
  void End() { Release(); }

  Core& core() { return *core_; }
  uint64_t deadline_ns() const { return deadline_ns_; }

 private:
  struct Flight {
    teal_call call{};
    Call* owner = nullptr;
  };
  static void TEAL_CALL Done(void* ctx, const teal_error* error, const void* result) noexcept;
  void Release();

  const std::shared_ptr<Core> core_;
  const uint64_t deadline_ns_;
  std::atomic<uint32_t> references_{1};  // of the call that has not ended, and one a flight
  // Owned by whoever has the call at the moment: there is never more than one flight whose result is not in.
  uint32_t flights_ = 0;
  uint32_t failures_ = 0;
  Flight first_;  // further ones are rare, and made when they begin
};

// How an error of the memory is told to the caller.
FailureCode CodeOf(teal_status status);
// Whether another try may go well although nothing else has changed.
bool MayPass(teal_status status);
StoreItem ItemOf(const teal_record& record);

void StartCommit(const std::shared_ptr<Core>& core, std::vector<StoreWrite> writes,
                 std::function<void(Result<StoreCommitted>)> done);

}  // namespace teal::runtime::store

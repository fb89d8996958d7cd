#include "core/host/pooled_tables.h"

#include <string>

#include "core/host/call.h"

namespace teal::host {
namespace {

Pooled* Of(teal_instance* handle) {
  return reinterpret_cast<Pooled*>(handle);
}

// A data function with `done`: its arguments are alive until then, so that plain copies will do.
template <auto Table, auto Slot, typename Type>
struct Data;
template <auto Table, auto Slot, typename Class, typename... Arguments>
struct Data<Table, Slot, teal_status (TEAL_CALL* Class::*)(teal_instance*, const teal_call*, Arguments...)> {
  static teal_status TEAL_CALL Call(teal_instance* handle, const teal_call* call, Arguments... arguments) {
    Pooled* const pooled = Of(handle);
    return pooled->pool.Post(call, [=] { return ((pooled->*Table).*Slot)(pooled->instance, call, arguments...); });
  }
};

// Pure and control functions: straight through.
template <auto Table, auto Slot, typename Type>
struct Direct;
template <auto Table, auto Slot, typename Class, typename Result, typename... Arguments>
struct Direct<Table, Slot, Result (TEAL_CALL* Class::*)(teal_instance*, Arguments...)> {
  static Result TEAL_CALL Call(teal_instance* handle, Arguments... arguments) {
    Pooled* const pooled = Of(handle);
    return ((pooled->*Table).*Slot)(pooled->instance, arguments...);
  }
};

template <auto Table, auto Slot, typename Out>
void PutData(const Pooled& pooled, Out* out) {
  if ((pooled.*Table).*Slot != nullptr) out->*Slot = &Data<Table, Slot, decltype(Slot)>::Call;
}
template <auto Table, auto Slot, typename Out>
void PutDirect(const Pooled& pooled, Out* out) {
  if ((pooled.*Table).*Slot != nullptr) out->*Slot = &Direct<Table, Slot, decltype(Slot)>::Call;
}

void TEAL_CALL BlobAbort(teal_instance* handle, uint64_t blob) {
  Pooled* const pooled = Of(handle);
  pooled->pool.PostUrgent([=] { pooled->memory.blob_abort(pooled->instance, blob); });
}

void TEAL_CALL ThreadsCredit(teal_instance* handle, uint64_t count) {
  Pooled* const pooled = Of(handle);
  pooled->pool.PostUrgent([=] { pooled->threads.credit(pooled->instance, count); });
}

void TEAL_CALL TriggerCredit(teal_instance* handle, teal_bytes trigger_id, uint64_t count) {
  Pooled* const pooled = Of(handle);
  pooled->pool.PostUrgent([pooled, id = std::string(ViewOf(trigger_id)), count] {
    pooled->trigger.credit(pooled->instance, BytesOf(id), count);
  });
}

}  // namespace

teal_memory PooledMemory(const Pooled& pooled) {
  constexpr auto kTable = &Pooled::memory;
  teal_memory out{};
  out.struct_size = sizeof out;
  PutDirect<kTable, &teal_memory::caps>(pooled, &out);
  PutData<kTable, &teal_memory::commit>(pooled, &out);
  PutData<kTable, &teal_memory::get>(pooled, &out);
  PutData<kTable, &teal_memory::scan>(pooled, &out);
  PutData<kTable, &teal_memory::scan_due>(pooled, &out);
  PutDirect<kTable, &teal_memory::watch>(pooled, &out);
  PutDirect<kTable, &teal_memory::unwatch>(pooled, &out);
  PutData<kTable, &teal_memory::blob_open>(pooled, &out);
  PutData<kTable, &teal_memory::blob_write>(pooled, &out);
  PutData<kTable, &teal_memory::blob_commit>(pooled, &out);
  if (pooled.memory.blob_abort != nullptr) out.blob_abort = BlobAbort;
  PutData<kTable, &teal_memory::blob_get>(pooled, &out);
  PutData<kTable, &teal_memory::blob_delete>(pooled, &out);
  return out;
}

teal_threads PooledThreads(const Pooled& pooled) {
  constexpr auto kTable = &Pooled::threads;
  teal_threads out{};
  out.struct_size = sizeof out;
  PutDirect<kTable, &teal_threads::caps>(pooled, &out);
  PutData<kTable, &teal_threads::dispatch>(pooled, &out);
  PutDirect<kTable, &teal_threads::consume>(pooled, &out);
  PutDirect<kTable, &teal_threads::stop_consuming>(pooled, &out);
  if (pooled.threads.credit != nullptr) out.credit = ThreadsCredit;
  PutData<kTable, &teal_threads::settle>(pooled, &out);
  PutData<kTable, &teal_threads::drain>(pooled, &out);
  PutDirect<kTable, &teal_threads::decode>(pooled, &out);
  PutDirect<kTable, &teal_threads::encode_reply>(pooled, &out);
  return out;
}

teal_trigger PooledTrigger(const Pooled& pooled) {
  constexpr auto kTable = &Pooled::trigger;
  teal_trigger out{};
  out.struct_size = sizeof out;
  PutDirect<kTable, &teal_trigger::validate>(pooled, &out);
  PutData<kTable, &teal_trigger::start>(pooled, &out);
  if (pooled.trigger.credit != nullptr) out.credit = TriggerCredit;
  PutData<kTable, &teal_trigger::accept>(pooled, &out);
  PutData<kTable, &teal_trigger::reply>(pooled, &out);
  PutData<kTable, &teal_trigger::reject>(pooled, &out);
  PutData<kTable, &teal_trigger::stop>(pooled, &out);
  PutDirect<kTable, &teal_trigger::decode>(pooled, &out);
  return out;
}

teal_deploy PooledDeploy(const Pooled& pooled) {
  constexpr auto kTable = &Pooled::deploy;
  teal_deploy out{};
  out.struct_size = sizeof out;
  PutData<kTable, &teal_deploy::plan>(pooled, &out);
  PutData<kTable, &teal_deploy::apply>(pooled, &out);
  PutData<kTable, &teal_deploy::destroy>(pooled, &out);
  return out;
}

}  // namespace teal::host

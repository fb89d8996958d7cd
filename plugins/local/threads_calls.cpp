// The table of teal.threads/1: everything is a few steps under the queues' mutex, so all is answered at once.
#include "plugins/local/calls.hpp"
#include "plugins/local/instance.hpp"

namespace {

using teal::plugin::Done;
using teal::plugin::Take;

teal_status TEAL_CALL Caps(teal_instance*, teal_threads_caps* out) {
  teal_threads_caps caps{};
  caps.struct_size = sizeof caps;
  caps.features = TEAL_THREADS_DELAY | TEAL_THREADS_ORDER | TEAL_THREADS_PRIORITY | TEAL_THREADS_DEDUP;
  caps.payload_bytes_max = teal::local::kQueuePayloadBytesMax;
  caps.delay_ns_max = teal::local::kQueueDelayNsMax;
  caps.run_ns_max = 0;  // a runner lives in this process: it does not get lost by itself
  caps.credits_max = teal::local::kQueueCreditsMax;
  teal::GiveOut(out, caps);
  return TEAL_OK;
}

bool WellFormed(const teal_item& item) {
  return item.id.size != 0 && item.token == 0 && item.attempt == 0 && item.reserved[0] == 0 && item.reserved[1] == 0;
}

teal_status TEAL_CALL Dispatch(teal_instance* instance, const teal_call* call, const teal_item* items, uint64_t count) {
  if (items == nullptr && count != 0) return TEAL_INVALID;
  for (uint64_t i = 0; i < count; ++i) {
    if (!WellFormed(items[i])) return TEAL_INVALID;
  }
  return Take(call, instance->calls, [&](Done done) {
    if (const auto error = instance->queues->Dispatch(items, count)) return done.Fail(*error);
    done.Ok();
  });
}

teal_status TEAL_CALL Consume(teal_instance* instance, teal_deliver_fn deliver, void* ctx) {
  if (deliver == nullptr) return TEAL_INVALID;
  return teal::plugin::Guard([&] { return instance->queues->Consume(deliver, ctx) ? TEAL_OK : TEAL_INVALID; });
}

teal_status TEAL_CALL StopConsuming(teal_instance* instance) {
  return teal::plugin::Guard([&] {
    instance->queues->StopConsuming();
    return TEAL_OK;
  });
}

void TEAL_CALL Credit(teal_instance* instance, uint64_t count) {
  static_cast<void>(teal::plugin::Guard([&] {
    instance->queues->Credit(count);
    return TEAL_OK;
  }));
}

teal_status TEAL_CALL Settle(teal_instance* instance, const teal_call* call, uint64_t token, uint32_t how,
                             uint64_t delay_ns) {
  if (how > TEAL_DEAD) return TEAL_INVALID;
  return Take(call, instance->calls, [&](Done done) {
    if (!instance->queues->Settle(token, how, delay_ns)) {
      return done.Fail({TEAL_NOT_FOUND, "the token is of no item that is delivered and not settled"});
    }
    done.Ok();
  });
}

teal_status TEAL_CALL Drain(teal_instance* instance, const teal_call* call) {
  return Take(call, instance->calls, [&](Done done) { instance->queues->Drain(std::move(done)); });
}

}  // namespace

namespace teal::local {

// Nothing starts a process for an item here: there is no platform's event to decode.
const teal_threads kThreadsTable = {
    sizeof(teal_threads), 0, Caps, Dispatch, Consume, StopConsuming, Credit, Settle, Drain, nullptr, nullptr};

}  // namespace teal::local

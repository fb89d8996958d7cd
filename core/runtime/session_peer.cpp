// What sessions that are kept do to one another: like a foreign call, it begins once the store knows of it, and is
// repeated under its key by whoever goes on with the session.
#include <cassert>

#include "core/runtime/record_key.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using vm::Value;

Session::Handled Session::HandlePeer(ThreadRecord& record, AskPeer ask) {
  assert(kept_ != nullptr);
  uint64_t step = 0;
  if (!TakeEffectStep(record, &step)) return Handled::kParked;
  if (record.call == nullptr) record.call = std::make_unique<PendingCall>();
  if (!record.call->committed) return WaitAtGate(record);
  const std::string key = record::EffectKey(sid_, record.tid(), step);
  Park(record, Phase::kForeign, WaitKind::kCall);
  record.call->in_flight = true;
  ++calls_;
  scheduler_.CallStarted();
  const uint32_t generation = record.generation;
  runtime_->Later(
      [self = shared_from_this(), this, &record, generation, key, ask = std::move(ask), host = runtime_->events_] {
        ask(*host, key, [self, this, &record, generation](Value error, Value answer) {
          const std::lock_guard<std::mutex> guard(scheduler_.mutex());
          scheduler_.CallEnded();
          --calls_;
          PeerEnded(record, generation, std::move(error), std::move(answer));
        });
      });
  return Handled::kParked;
}

void Session::PeerEnded(ThreadRecord& record, uint32_t generation, Value error, Value answer) {
  if (ended_ || record.phase == Phase::kEnded || record.generation != generation || record.call == nullptr) return;
  record.call.reset();
  Touch(record);
  if (record.cancel_requested && !record.cancel_raised) return RaiseCancelled(record);
  if (error.IsNull()) {
    NoteStep(Happened::kStepDone, record);
    return Answer(record, std::move(answer));
  }
  NoteError(Happened::kStepFailed, record, error);
  AnswerError(record, std::move(error));
}

}  // namespace teal::runtime

// Events: each wait takes the next value that nobody has taken; first come, first served, on both sides.
#include <algorithm>
#include <cassert>

#include "core/base/mutant.h"
#include "core/runtime/carry.h"
#include "core/runtime/host_alone.h"
#include "core/runtime/record_key.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using vm::FutureKind;
using vm::Tag;
using vm::Value;

namespace {

// What a request's future gives: the value, and where the answer goes (null: nobody waits for one).
Value WithReply(Value value) {
  Value hash = HashSet(vm::MakeHash(2), vm::MakeString("value"), std::move(value));
  return HashSet(std::move(hash), vm::MakeString("reply"), Value());
}

}  // namespace

Session::Handled Session::HostEvent(ThreadRecord& record, bool is_request) {
  const Value& name = record.thread->request().arguments[0];
  if (name.tag() != Tag::kString) {
    return RaiseHere(record, vm::MakeError("type", std::string(is_request ? "request" : "event") +
                                                       ": the name is a string, not a value of type " +
                                                       std::string(TypeName(name))));
  }
  uint64_t step = 0;
  if (!TakeEffectStep(record, &step)) return Handled::kParked;
  vm::Share(name);
  Value future =
      MakeFuture(is_request ? FutureKind::kRequest : FutureKind::kEvent, record.name, step, 0, name, Value());
  MadeCell* cell = AddCell(future);
  EventQueue& queue = events_[std::string(name.Text())];
  if (queue.kept.empty()) {
    queue.waiting.insert(TEAL_MUTANT("waits_last_come_first_served") ? queue.waiting.begin() : queue.waiting.end(),
                         cell);
  } else {
    Value value = std::move(queue.kept.front().value);
    NoteSeen(queue, queue.kept.front().id);
    kept_event_bytes_ -= queue.kept.front().bytes.size() + queue.kept.front().id.size();
    --kept_events_;
    queue.kept.pop_front();
    Resolve(*cell, true, is_request ? WithReply(std::move(value)) : std::move(value));
  }
  return AnswerHere(record, std::move(future));
}

Session::Delivery Session::Deliver(std::string_view name, Value value, std::string_view id) {
  if (ended_) return Delivery::kEnded;
  vm::Share(value);
  auto queue = events_.find(name);
  if (queue == events_.end()) queue = events_.emplace(std::string(name), EventQueue()).first;
  EventQueue& of = queue->second;
  if (!id.empty()) {
    const auto same = [&](const KeptEvent& event) { return event.id == id; };
    if (std::any_of(of.kept.begin(), of.kept.end(), same) ||
        std::find(of.seen.begin(), of.seen.end(), record::SeenId(id)) != of.seen.end()) {
      return Delivery::kRepeated;
    }
  }
  if (of.waiting.empty()) {
    KeptEvent event{std::move(value), std::string(id), {}};
    if (kept_ != nullptr) {
      Result<std::string> bytes = vm::EncodeValue(event.value);
      if (!bytes.ok()) return Delivery::kFull;
      event.bytes = std::move(*bytes);
      if (event.id.empty()) event.id = RandomSid();
      const uint64_t size = event.bytes.size() + event.id.size();
      if (kept_events_ >= record::kInboxValuesMax || kept_event_bytes_ + size > record::kInboxBytesMax) {
        return Delivery::kFull;
      }
      kept_event_bytes_ += size;
      ++kept_events_;
      WantCommit();
    }
    of.kept.insert(TEAL_MUTANT("events_last_in_first_out") ? of.kept.begin() : of.kept.end(), std::move(event));
    return Delivery::kTaken;
  }
  NoteSeen(of, id);
  MadeCell* cell = of.waiting.front();
  of.waiting.pop_front();
  Resolve(*cell, true, cell->kind == FutureKind::kRequest ? WithReply(std::move(value)) : std::move(value));
  EndIfOver();  // if it was all that the result waited for
  return Delivery::kTaken;
}

// A repeat of what was taken is known for a while.
void Session::NoteSeen(EventQueue& queue, std::string_view id) {
  if (kept_ == nullptr || id.empty() || TEAL_MUTANT("event_id_forgotten")) return;
  queue.seen.push_back(record::SeenId(id));
  if (queue.seen.size() > record::kSeenMax) queue.seen.pop_front();
  WantCommit();
}

// A wait that was cancelled or timed out takes no value.
void Session::GivePlaceBack(MadeCell& cell) {
  assert(cell.kind == FutureKind::kEvent || cell.kind == FutureKind::kRequest);
  const auto queue = events_.find(cell.Made().text.Text());
  if (queue == events_.end()) return;
  std::deque<MadeCell*>& waiting = queue->second.waiting;
  const auto place = std::find(waiting.begin(), waiting.end(), &cell);
  if (place != waiting.end() && !TEAL_MUTANT("cancelled_wait_takes_event")) waiting.erase(place);
}

Session::Handled Session::HostReply(ThreadRecord& record) {
  const std::span<Value> arguments = record.thread->request().arguments;
  // Only a sender outside of the process can wait for an answer; without one there is nothing to do.
  if (!arguments[0].IsNull()) {
    return RaiseHere(record, vm::MakeError("type", "reply: the first argument is the `reply` of a request"));
  }
  if (const auto why = WhyNotCarried(arguments[1], "value")) {
    return RaiseHere(record, vm::MakeError("type", "reply: " + *why));
  }
  uint64_t step = 0;
  if (!TakeEffectStep(record, &step)) return Handled::kParked;
  return AnswerHere(record, Value());
}

Session::Handled Session::HostSend(ThreadRecord& record) {
  const std::span<Value> arguments = record.thread->request().arguments;
  if (arguments[0].tag() != Tag::kString || arguments[1].tag() != Tag::kString) {
    return RaiseHere(record, vm::MakeError("type", "send: the session and the event's name are strings"));
  }
  if (const auto why = WhyNotCarried(arguments[2], "value")) {
    return RaiseHere(record, vm::MakeError("type", "send: " + *why));
  }
  if (kept_ != nullptr && arguments[0].Text() != sid_) {
    vm::Share(arguments[2]);
    return HandlePeer(record,
                      [sid = std::string(arguments[0].Text()), event = std::string(arguments[1].Text()),
                       value = arguments[2]](KeepEvents& host, const std::string& key, KeepEvents::PeerDone done) {
                        host.SendFor(key, sid, event, value, std::move(done));
                      });
  }
  Session* to = kept_ != nullptr ? this : runtime_->Find(arguments[0].Text());
  if (to == nullptr) {
    return RaiseHere(record, vm::MakeError("not_found", "send: there is no session " + SourceForm(arguments[0])));
  }
  uint64_t step = 0;
  if (!TakeEffectStep(record, &step)) return Handled::kParked;
  if (to->Deliver(arguments[1].Text(), arguments[2]) == Delivery::kEnded) {
    return RaiseHere(record,
                     vm::MakeError("conflict", "send: the session " + std::string(arguments[0].Text()) + " has ended"));
  }
  return AnswerHere(record, Value());
}

}  // namespace teal::runtime

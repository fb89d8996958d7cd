// Events: each wait takes the next value that nobody has taken; first come, first served, on both sides.
#include <algorithm>
#include <cassert>

#include "core/base/mutant.h"
#include "core/runtime/carry.h"
#include "core/runtime/host_alone.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/record_key.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using vm::FutureKind;
using vm::Tag;
using vm::Value;

namespace {

// What a request's future gives: the value, and where the answer goes (null: nobody waits for one).
Value WithReply(Value value, std::string_view name, std::string_view id, bool wants_reply) {
  Value hash = HashSet(vm::MakeHash(2), vm::MakeString("value"), std::move(value));
  Value reply = wants_reply ? vm::MakeString(record::ReplyId(name, TEAL_MUTANT("reply_to_anyone") ? "" : id)) : Value();
  return HashSet(std::move(hash), vm::MakeString("reply"), std::move(reply));
}

std::string BytesOfHex(std::string_view hex) {
  std::string bytes;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes += static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1]));
  return bytes;
}

std::string HexOfBytes(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    hex += "0123456789abcdef"[static_cast<uint8_t>(c) >> 4];
    hex += "0123456789abcdef"[static_cast<uint8_t>(c) & 15];
  }
  return hex;
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
    const KeptEvent event = std::move(queue.kept.front());
    queue.kept.pop_front();
    NoteSeen(queue, event.id);
    kept_event_bytes_ -= event.bytes.size() + event.id.size();
    --kept_events_;
    Resolve(*cell, true, is_request ? WithReply(event.value, name.Text(), event.id, event.wants_reply) : event.value);
  }
  return AnswerHere(record, std::move(future));
}

Session::Delivery Session::Deliver(std::string_view name, Value value, std::string_view id, bool wants_reply) {
  if (ended_) return Delivery::kEnded;
  vm::Share(value);
  auto queue = events_.find(name);
  if (queue == events_.end()) queue = events_.emplace(std::string(name), EventQueue()).first;
  EventQueue& of = queue->second;
  if (!id.empty()) {
    const auto same =
        std::find_if(of.kept.begin(), of.kept.end(), [&](const KeptEvent& event) { return event.id == id; });
    if (same != of.kept.end() && wants_reply) WaitForReply(name, id);  // it did not wait before
    if (same != of.kept.end() || std::find(of.seen.begin(), of.seen.end(), record::SeenId(id)) != of.seen.end()) {
      return Delivery::kRepeated;
    }
  }
  if (of.waiting.empty()) {
    KeptEvent event{std::move(value), std::string(id), {}, wants_reply};
    if (kept_ != nullptr) {
      Result<std::string> bytes = vm::EncodeValue(event.value);
      if (!bytes.ok()) return Delivery::kFull;
      event.bytes = std::move(*bytes);
      if (event.id.empty()) event.id = RandomSid();
      const uint64_t size = event.bytes.size() + event.id.size();
      // Where others write beside, each side has half, so that what both have taken fits.
      const uint64_t sides = kept_->shared != nullptr ? 2 : 1;
      const bool adopting = kept_->shared != nullptr && kept_->shared->adopting;
      if (!adopting && (kept_events_ >= record::kInboxValuesMax / sides ||
                        kept_event_bytes_ + size > record::kInboxBytesMax / sides)) {
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
  Resolve(*cell, true, cell->kind == FutureKind::kRequest ? WithReply(std::move(value), name, id, wants_reply) : value);
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
// Of an event that nobody has taken yet; else nothing changes.
void Session::WaitForReply(std::string_view name, std::string_view id) {
  const auto queue = events_.find(name);
  if (queue == events_.end()) return;
  for (KeptEvent& event : queue->second.kept) {
    if (event.id != id || event.wants_reply) continue;
    event.wants_reply = true;
    WantCommit();
  }
}

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
  // Only a sender outside of the program can wait for an answer; where none does there is nothing to do.
  const bool waits = kept_ != nullptr && arguments[0].tag() == Tag::kString && record::IsReplyId(arguments[0].Text());
  if (!waits && !arguments[0].IsNull()) {
    return RaiseHere(record, vm::MakeError("type", "reply: the first argument is the `reply` of a request"));
  }
  if (const auto why = WhyNotCarried(arguments[1], "value")) {
    return RaiseHere(record, vm::MakeError("type", "reply: " + *why));
  }
  uint64_t step = 0;
  if (!TakeEffectStep(record, &step)) return Handled::kParked;
  if (waits) {
    const std::string id(arguments[0].Text());
    const std::vector<std::string>& replied = kept_->head.replied;
    if (std::find(replied.begin(), replied.end(), BytesOfHex(id)) != replied.end() && !TEAL_MUTANT("reply_again")) {
      return RaiseHere(record, vm::MakeError("conflict", "reply: this request has its reply already"));
    }
    if (Status kept = KeepReply(id, arguments[1]); !kept.ok()) {
      return RaiseHere(record, vm::MakeError("limit", "reply: " + kept.failure().message));
    }
  }
  return AnswerHere(record, Value());
}

// It is in the next commit, and leaves after that. The newest are kept for who asks again.
Status Session::KeepReply(const std::string& id, const Value& value) {
  Result<std::string> bytes = vm::EncodeValue(value);
  if (!bytes.ok()) return bytes.failure();
  const record::Key key = record::ReplyKey(sid_, id);
  record::Reply reply;
  reply.value = record::Content::Of(std::move(*bytes));
  Result<std::string> encoded = record::Encode(key, reply);
  if (!encoded.ok()) return encoded.failure();
  const uint64_t most = runtime_->options_.store->limits().value_bytes_max;
  if (encoded->size() > most) {
    return Fail(FailureCode::kTooLarge,
                "a reply of " + std::to_string(encoded->size()) + " bytes; this memory takes " + std::to_string(most));
  }
  StoreWrite& write = kept_->pieces.emplace_back();
  write.key = key;
  write.bytes = std::move(*encoded);
  std::vector<std::string>& replied = kept_->head.replied;
  replied.push_back(BytesOfHex(id));
  if (replied.size() > record::kRepliesMax) {
    const record::Key oldest = record::ReplyKey(sid_, HexOfBytes(replied.front()));
    replied.erase(replied.begin());
    std::erase_if(kept_->pieces, [&](const StoreWrite& piece) { return piece.key == oldest; });
    kept_->gone.push_back(oldest);
  }
  kept_->replied.push_back(id);
  WantCommit();
  return Unit{};
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

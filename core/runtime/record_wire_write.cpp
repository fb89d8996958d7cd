#include "core/runtime/record_wire.h"

namespace teal::runtime::record {
namespace {

template <size_t N>
std::string BytesOf(const std::array<uint8_t, N>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string BytesOf(const CommitId& id) {
  std::string bytes = BytesOf(id.incarnation);
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(id.counter >> shift);
  return bytes;
}

template <typename From, typename Message>
void KeepUnknown(const From& from, Message* to) {
  if (!from.unknown.empty()) SetUnknown(from.unknown, to);
}

void Put(const Content& from, pb::Content* to) {
  to->set_bytes(from.bytes);
  if (from.size > 0) {
    to->set_hash(BytesOf(from.hash));
    to->set_size(from.size);
  }
  KeepUnknown(from, to);
}

void Put(const Lease& from, pb::Lease* to) {
  to->set_holder(BytesOf(from.holder));
  to->set_until_unix_ns(from.until_unix_ns);
  KeepUnknown(from, to);
}

void Put(const Start& from, pb::Start* to) {
  if (!from.function.empty()) Put(from.function, to->mutable_function());
  if (!from.arguments.empty()) Put(from.arguments, to->mutable_arguments());
  to->set_keywords(from.keywords);
  KeepUnknown(from, to);
}

void Put(const Effect& from, pb::Effect* to) {
  to->set_step(from.step);
  if (!from.function.empty()) Put(from.function, to->mutable_function());
  if (!from.arguments.empty()) Put(from.arguments, to->mutable_arguments());
  to->set_keywords(from.keywords);
  to->set_at_most_once(from.at_most_once);
  to->set_attempt(from.attempt);
  to->set_losses(from.losses);
  KeepUnknown(from, to);
}

void Put(const Outcome& from, pb::Outcome* to) {
  to->set_step(from.step);
  to->set_failed(from.failed);
  if (!from.value.empty()) Put(from.value, to->mutable_value());
  KeepUnknown(from, to);
}

void Put(const Made& from, pb::Made* to) {
  to->set_future(from.future);
  to->set_state(static_cast<uint32_t>(from.state));
  to->set_awaited(from.awaited);
  to->set_order(from.order);
  if (!from.outcome.empty()) Put(from.outcome, to->mutable_outcome());
  to->set_made_unix_ns(from.made_unix_ns);
  KeepUnknown(from, to);
}

void Put(const Range& from, pb::Range* to) {
  to->set_first(from.first);
  to->set_count(from.count);
  KeepUnknown(from, to);
}

void Put(const EventWait& from, pb::EventWait* to) {
  to->set_name(from.name);
  to->set_step(from.step);
  KeepUnknown(from, to);
}

void Put(const Wait& from, pb::Wait* to) {
  to->set_kind(static_cast<uint32_t>(from.kind));
  for (const Range& range : from.own) Put(range, to->add_own());
  for (const std::string& tid : from.others) to->add_others(tid);
  for (const EventWait& event : from.events) Put(event, to->add_events());
  if (from.watch_own) to->set_watch_own(*from.watch_own);
  to->set_watch_other(from.watch_other);
  to->set_deadline_unix_ns(from.deadline_unix_ns);
  to->set_wanted(from.wanted);
  to->set_failures_allowed(from.failures_allowed);
  KeepUnknown(from, to);
}

void Put(const Children& from, pb::Children* to) {
  to->set_first(from.first);
  to->set_count(from.count);
  to->set_shared(from.shared);
  to->set_has_children(from.has_children);
  KeepUnknown(from, to);
}

void Put(const Spawn& from, pb::Outgoing* out) {
  pb::Spawn* to = out->mutable_spawn();
  to->set_first(from.first);
  to->set_count(from.count);
  if (!from.function.empty()) Put(from.function, to->mutable_function());
  if (!from.arguments.empty()) Put(from.arguments, to->mutable_arguments());
  to->set_keywords(from.keywords);
  to->set_settle_delay_ns(from.settle_delay_ns);
  KeepUnknown(from, to);
}

void Put(const CancelThread& from, pb::Outgoing* out) {
  pb::CancelThread* to = out->mutable_cancel();
  to->set_sid(from.sid);
  to->set_tid(from.tid);
  KeepUnknown(from, to);
}

void Put(const StartSession& from, pb::Outgoing* out) {
  pb::StartSession* to = out->mutable_start();
  to->set_sid(from.sid);
  to->set_id(from.id);
  if (!from.function.empty()) Put(from.function, to->mutable_function());
  if (!from.arguments.empty()) Put(from.arguments, to->mutable_arguments());
  KeepUnknown(from, to);
}

void Put(const SendEvent& from, pb::Outgoing* out) {
  pb::SendEvent* to = out->mutable_send();
  to->set_sid(from.sid);
  to->set_name(from.name);
  to->set_id(from.id);
  if (!from.value.empty()) Put(from.value, to->mutable_value());
  KeepUnknown(from, to);
}

void Put(const EndEventWait& from, pb::Outgoing* out) {
  pb::EndEventWait* to = out->mutable_end_event_wait();
  to->set_name(from.name);
  to->set_step(from.step);
  to->set_recorded(from.recorded);
  KeepUnknown(from, to);
}

void Put(const Course& from, pb::Course* to) {
  to->set_depth(from.depth);
  for (uint32_t number : from.site) to->add_site(number);
  to->set_cancel_raised(from.cancel_raised);
  to->set_grace_end_unix_ns(from.grace_end_unix_ns);
  if (from.effect_step) to->set_effect_step(*from.effect_step);
  to->set_attempt(from.attempt);
  to->set_losses(from.losses);
  to->set_limited_function(from.limited_function);
  to->set_running_key(from.running_key);
  to->set_begins_key(from.begins_key);
  to->set_priority(from.priority);
  to->set_begun(from.begun);
  to->set_awaited(from.awaited);
  to->set_order(from.order);
  KeepUnknown(from, to);
}

void Put(const Line& from, pb::Line* to) {
  to->set_kind(static_cast<uint32_t>(from.kind));
  to->set_level(from.level);
  to->set_unix_ns(from.unix_ns);
  to->set_text(from.text);
  to->set_tid(from.tid);
  KeepUnknown(from, to);
}

void Put(const EventValue& from, pb::EventValue* to) {
  to->set_id(from.id);
  if (!from.value.empty()) Put(from.value, to->mutable_value());
  to->set_wants_reply(from.wants_reply);
  KeepUnknown(from, to);
}

void Put(const Part& from, pb::Part* to) {
  to->set_hash(BytesOf(from.hash));
  to->set_size(from.size);
  to->set_pieces(from.pieces);
  to->set_bytes(from.bytes);
  KeepUnknown(from, to);
}

void PutEvents(const Session& from, pb::Session* to) {
  for (const Inbox& inbox : from.inbox) {
    pb::Inbox* one = to->add_inbox();
    one->set_name(inbox.name);
    for (const EventValue& value : inbox.values) Put(value, one->add_values());
    for (const std::string& id : inbox.seen) one->add_seen(id);
    KeepUnknown(inbox, one);
  }
  for (const EventWaiters& waiters : from.event_waiters) {
    pb::EventWaiters* one = to->add_event_waiters();
    one->set_name(waiters.name);
    for (const EventWaiter& waiter : waiters.waiters) {
      pb::EventWaiter* who = one->add_waiters();
      who->set_tid(waiter.tid);
      who->set_step(waiter.step);
      KeepUnknown(waiter, who);
    }
    KeepUnknown(waiters, one);
  }
  for (const Taken& taken : from.taken) {
    pb::Taken* one = to->add_taken();
    one->set_tid(taken.tid);
    one->set_step(taken.step);
    one->set_name(taken.name);
    Put(taken.value, one->mutable_value());
    KeepUnknown(taken, one);
  }
}

}  // namespace

void ToWire(const Thread& from, pb::Thread* to) {
  to->set_status(static_cast<uint32_t>(from.status));
  to->set_commit_id(BytesOf(from.commit_id));
  to->set_epoch(from.epoch);
  if (from.lease) Put(*from.lease, to->mutable_lease());
  to->set_verified(from.verified);
  if (!from.state.empty()) Put(from.state, to->mutable_state());
  if (from.start) Put(*from.start, to->mutable_start());
  if (!from.chained.empty()) Put(from.chained, to->mutable_chained());
  for (const Effect& effect : from.in_flight) Put(effect, to->add_in_flight());
  if (from.wait) Put(*from.wait, to->mutable_wait());
  for (const Outgoing& entry : from.outbox) {
    pb::Outgoing* out = to->add_outbox();
    std::visit([out](const auto& what) { Put(what, out); }, entry.what);
    KeepUnknown(entry, out);
  }
  for (const Children& children : from.children) Put(children, to->add_children());
  if (!from.result.empty()) Put(from.result, to->mutable_result());
  to->set_owner(from.owner);
  to->set_step(from.step);
  for (const Outcome& outcome : from.outcomes) Put(outcome, to->add_outcomes());
  for (const std::string& segment : from.segments) to->add_segments(segment);
  to->set_settle_delay_ns(from.settle_delay_ns);
  to->set_attempts(from.attempts);
  if (from.course != Course()) Put(from.course, to->mutable_course());
  for (const Line& line : from.lines) Put(line, to->add_lines());
  to->set_pieces(from.pieces);
  if (!from.answer.empty()) Put(from.answer, to->mutable_answer());
  to->set_answer_failed(from.answer_failed);
  for (const Made& made : from.made) Put(made, to->add_made());
  to->set_cancel(static_cast<uint32_t>(from.cancel));
  for (const std::string& tid : from.waiters) to->add_waiters(tid);
  KeepUnknown(from, to);
}

void ToWire(const Session& from, pb::Session* to) {
  ToWire(from.main, to->mutable_main());
  if (from.program != Sha256{}) to->set_program(BytesOf(from.program));
  to->set_function(from.function);
  to->set_source(from.source);
  to->set_id(from.id);
  for (const Label& label : from.labels) {
    pb::Label* one = to->add_labels();
    one->set_key(label.key);
    one->set_value(label.value);
    KeepUnknown(label, one);
  }
  to->set_created_unix_ns(from.created_unix_ns);
  to->set_started_unix_ns(from.started_unix_ns);
  to->set_ended_unix_ns(from.ended_unix_ns);
  to->set_deadline_unix_ns(from.deadline_unix_ns);
  to->set_retention_ns(from.retention_ns);
  for (const Published& published : from.published) {
    pb::Published* one = to->add_published();
    one->set_key(published.key);
    Put(published.value, one->mutable_value());
    KeepUnknown(published, one);
  }
  to->set_steps(from.steps);
  to->set_resolved(from.resolved);
  to->set_cancelled(from.cancelled);
  to->set_history(from.history);
  to->set_history_pieces(from.history_pieces);
  for (const std::string& id : from.replied) to->add_replied(id);
  if (from.paused) {
    to->mutable_paused()->set_reason(from.paused->reason);
    to->mutable_paused()->set_since_unix_ns(from.paused->since_unix_ns);
    KeepUnknown(*from.paused, to->mutable_paused());
  }
  PutEvents(from, to);
  if (from.carrier) Put(*from.carrier, to->mutable_carrier());
  KeepUnknown(from, to);
}

void ToWire(const Value& from, pb::Value* to) {
  to->set_bytes(from.bytes);
  if (from.blob) {
    to->mutable_blob()->set_hash(BytesOf(from.blob->hash));
    to->mutable_blob()->set_size(from.blob->size);
    KeepUnknown(*from.blob, to->mutable_blob());
  }
  KeepUnknown(from, to);
}

void ToWire(const Output& from, pb::Output* to) {
  for (const Line& line : from.lines) Put(line, to->add_lines());
  KeepUnknown(from, to);
}

void ToWire(const Start& from, pb::Start* to) {
  Put(from, to);
}

void ToWire(const History& from, pb::History* to) {
  to->set_entries(from.entries);
  KeepUnknown(from, to);
}

void ToWire(const Reply& from, pb::Reply* to) {
  if (!from.value.empty()) Put(from.value, to->mutable_value());
  KeepUnknown(from, to);
}

void ToWire(const Program& from, pb::Program* to) {
  to->set_status(static_cast<uint32_t>(from.status));
  to->set_name(from.name);
  to->set_created_unix_ns(from.created_unix_ns);
  Put(from.executable, to->mutable_executable());
  if (from.package) Put(*from.package, to->mutable_package());
  to->set_activated_unix_ns(from.activated_unix_ns);
  KeepUnknown(from, to);
}

void ToWire(const SweeperPart& from, pb::SweeperPart* to) {
  if (from.holder) to->set_holder(BytesOf(*from.holder));
  to->set_until_unix_ns(from.until_unix_ns);
  KeepUnknown(from, to);
}

}  // namespace teal::runtime::record

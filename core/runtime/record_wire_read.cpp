#include <cstring>

#include "core/runtime/record_wire.h"

namespace teal::runtime::record {
namespace {

// Keeps the first thing wrong.
class Reader {
 public:
  void Fail(std::string_view field, std::string_view what) {
    if (!problem_.empty()) return;
    problem_ = field;
    problem_ += ": ";
    problem_ += what;
  }
  std::string Take() { return std::move(problem_); }

  template <size_t N>
  void Bytes(std::string_view field, const std::string& from, std::array<uint8_t, N>* to) {
    if (from.size() != N) return Fail(field, std::to_string(from.size()) + " bytes, not " + std::to_string(N));
    std::memcpy(to->data(), from.data(), N);
  }
  template <typename Enum>
  void Number(std::string_view field, uint32_t from, Enum first, Enum last, Enum* to) {
    if (from < static_cast<uint32_t>(first) || from > static_cast<uint32_t>(last)) {
      return Fail(field, "the unknown number " + std::to_string(from));
    }
    *to = static_cast<Enum>(from);
  }

 private:
  std::string problem_;
};

void Get(Reader& r, const pb::Content& from, Content* to) {
  to->bytes = from.bytes();
  to->size = from.size();
  to->unknown = UnknownOf(from);
  if (!from.hash().empty()) r.Bytes("content.hash", from.hash(), &to->hash);
  if (from.hash().empty() != (from.size() == 0)) r.Fail("content", "a hash without a size, or a size without a hash");
  if (from.bytes().empty() == from.hash().empty()) r.Fail("content", "neither in place nor by its hash, or both");
}

void Get(Reader& r, const pb::Lease& from, Lease* to) {
  r.Bytes("lease.holder", from.holder(), &to->holder);
  to->until_unix_ns = from.until_unix_ns();
  to->unknown = UnknownOf(from);
}

void Get(Reader& r, const pb::Start& from, Start* to) {
  if (from.has_function()) Get(r, from.function(), &to->function);
  if (from.has_arguments()) Get(r, from.arguments(), &to->arguments);
  to->keywords = from.keywords();
  to->unknown = UnknownOf(from);
}

void Get(Reader& r, const pb::Effect& from, Effect* to) {
  to->step = from.step();
  if (from.has_function()) Get(r, from.function(), &to->function);
  if (from.has_arguments()) Get(r, from.arguments(), &to->arguments);
  to->keywords = from.keywords();
  to->at_most_once = from.at_most_once();
  to->attempt = from.attempt();
  to->losses = from.losses();
  to->unknown = UnknownOf(from);
}

void Get(Reader& r, const pb::Outcome& from, Outcome* to) {
  to->step = from.step();
  to->failed = from.failed();
  if (from.has_value()) Get(r, from.value(), &to->value);
  to->unknown = UnknownOf(from);
}

void Get(Reader& r, const pb::Made& from, Made* to) {
  to->future = from.future();
  r.Number("made.state", from.state(), MadeState::kPending, MadeState::kFailed, &to->state);
  to->awaited = from.awaited();
  to->order = from.order();
  if (from.has_outcome()) Get(r, from.outcome(), &to->outcome);
  to->made_unix_ns = from.made_unix_ns();
  to->unknown = UnknownOf(from);
}

void Get(Reader& r, const pb::Wait& from, Wait* to) {
  r.Number("wait.kind", from.kind(), WaitKind::kOne, WaitKind::kTimer, &to->kind);
  for (const pb::Range& range : from.own()) to->own.push_back({range.first(), range.count(), UnknownOf(range)});
  to->others.assign(from.others().begin(), from.others().end());
  for (const pb::EventWait& event : from.events()) {
    to->events.push_back({event.name(), event.step(), UnknownOf(event)});
  }
  if (from.has_watch_own()) to->watch_own = from.watch_own();
  to->watch_other = from.watch_other();
  to->deadline_unix_ns = from.deadline_unix_ns();
  to->wanted = from.wanted();
  to->failures_allowed = from.failures_allowed();
  to->unknown = UnknownOf(from);
}

Spawn Got(Reader& r, const pb::Spawn& from) {
  Spawn to{from.first(), from.count(), {}, {}, from.keywords(), from.settle_delay_ns(), UnknownOf(from)};
  if (from.has_function()) Get(r, from.function(), &to.function);
  if (from.has_arguments()) Get(r, from.arguments(), &to.arguments);
  return to;
}

StartSession Got(Reader& r, const pb::StartSession& from) {
  StartSession to{from.sid(), from.id(), {}, {}, UnknownOf(from)};
  if (from.has_function()) Get(r, from.function(), &to.function);
  if (from.has_arguments()) Get(r, from.arguments(), &to.arguments);
  return to;
}

SendEvent Got(Reader& r, const pb::SendEvent& from) {
  SendEvent to{from.sid(), from.name(), from.id(), {}, UnknownOf(from)};
  if (from.has_value()) Get(r, from.value(), &to.value);
  return to;
}

void Get(Reader& r, const pb::Outgoing& from, Outgoing* to) {
  to->unknown = UnknownOf(from);
  switch (from.what_case()) {
    case pb::Outgoing::kSpawn:
      to->what = Got(r, from.spawn());
      return;
    case pb::Outgoing::kCancel:
      to->what = CancelThread{from.cancel().sid(), from.cancel().tid(), UnknownOf(from.cancel())};
      return;
    case pb::Outgoing::kStart:
      to->what = Got(r, from.start());
      return;
    case pb::Outgoing::kSend:
      to->what = Got(r, from.send());
      return;
    case pb::Outgoing::kEndEventWait: {
      const pb::EndEventWait& end = from.end_event_wait();
      to->what = EndEventWait{end.name(), end.step(), end.recorded(), UnknownOf(end)};
      return;
    }
    case pb::Outgoing::WHAT_NOT_SET:
      return r.Fail("outbox", "an entry of an unknown kind");
  }
}

void Get(const pb::Course& from, Course* to) {
  to->depth = from.depth();
  to->site.assign(from.site().begin(), from.site().end());
  to->cancel_raised = from.cancel_raised();
  to->grace_end_unix_ns = from.grace_end_unix_ns();
  if (from.has_effect_step()) to->effect_step = from.effect_step();
  to->attempt = from.attempt();
  to->losses = from.losses();
  to->limited_function = from.limited_function();
  to->running_key = from.running_key();
  to->begins_key = from.begins_key();
  to->priority = from.priority();
  to->begun = from.begun();
  to->awaited = from.awaited();
  to->order = from.order();
  to->unknown = UnknownOf(from);
}

void Get(Reader& r, const google::protobuf::RepeatedPtrField<pb::Line>& from, std::vector<Line>* to) {
  to->reserve(static_cast<size_t>(from.size()));
  for (const pb::Line& line : from) {
    Line& one = to->emplace_back();
    r.Number("lines.kind", line.kind(), LineKind::kOutput, LineKind::kHistory, &one.kind);
    one.level = line.level();
    one.unix_ns = line.unix_ns();
    one.text = line.text();
    one.tid = line.tid();
    one.unknown = UnknownOf(line);
  }
}

void Get(Reader& r, const pb::EventValue& from, EventValue* to) {
  to->id = from.id();
  if (from.has_value()) Get(r, from.value(), &to->value);
  to->wants_reply = from.wants_reply();
  to->unknown = UnknownOf(from);
}

void Get(Reader& r, const pb::Thread& from, Thread* to) {
  r.Number("status", from.status(), Status::kReady, Status::kErased, &to->status);
  std::array<uint8_t, 24> id{};
  r.Bytes("commit_id", from.commit_id(), &id);
  std::memcpy(to->commit_id.incarnation.data(), id.data(), to->commit_id.incarnation.size());
  for (size_t i = to->commit_id.incarnation.size(); i < id.size(); i++) {
    to->commit_id.counter = to->commit_id.counter << 8 | id[i];
  }
  to->epoch = from.epoch();
  if (from.has_lease()) Get(r, from.lease(), &to->lease.emplace());
  to->verified = from.verified();
  if (from.has_state()) Get(r, from.state(), &to->state);
  if (from.has_start()) Get(r, from.start(), &to->start.emplace());
  if (from.has_chained()) Get(r, from.chained(), &to->chained);
  for (const pb::Effect& effect : from.in_flight()) Get(r, effect, &to->in_flight.emplace_back());
  if (from.has_wait()) Get(r, from.wait(), &to->wait.emplace());
  for (const pb::Outgoing& entry : from.outbox()) Get(r, entry, &to->outbox.emplace_back());
  for (const pb::Children& c : from.children()) {
    to->children.push_back({c.first(), c.count(), c.shared(), c.has_children(), UnknownOf(c)});
  }
  if (from.has_result()) Get(r, from.result(), &to->result);
  to->owner = from.owner();
  to->step = from.step();
  for (const pb::Outcome& outcome : from.outcomes()) Get(r, outcome, &to->outcomes.emplace_back());
  to->segments.assign(from.segments().begin(), from.segments().end());
  to->settle_delay_ns = from.settle_delay_ns();
  to->attempts = from.attempts();
  if (from.has_course()) Get(from.course(), &to->course);
  Get(r, from.lines(), &to->lines);
  to->pieces = from.pieces();
  if (from.has_answer()) Get(r, from.answer(), &to->answer);
  to->answer_failed = from.answer_failed();
  for (const pb::Made& made : from.made()) Get(r, made, &to->made.emplace_back());
  r.Number("cancel", from.cancel(), Cancel::kNo, Cancel::kTerminate, &to->cancel);
  to->waiters.assign(from.waiters().begin(), from.waiters().end());
  to->unknown = UnknownOf(from);
}

void GetEvents(Reader& r, const pb::Session& from, Session* to) {
  for (const pb::Inbox& one : from.inbox()) {
    Inbox& inbox = to->inbox.emplace_back();
    inbox.name = one.name();
    for (const pb::EventValue& value : one.values()) Get(r, value, &inbox.values.emplace_back());
    inbox.seen.assign(one.seen().begin(), one.seen().end());
    inbox.unknown = UnknownOf(one);
  }
  for (const pb::EventWaiters& one : from.event_waiters()) {
    EventWaiters& waiters = to->event_waiters.emplace_back();
    waiters.name = one.name();
    for (const pb::EventWaiter& who : one.waiters()) {
      waiters.waiters.push_back({who.tid(), who.step(), UnknownOf(who)});
    }
    waiters.unknown = UnknownOf(one);
  }
  for (const pb::Taken& one : from.taken()) {
    Taken& taken = to->taken.emplace_back();
    taken.tid = one.tid();
    taken.step = one.step();
    taken.name = one.name();
    Get(r, one.value(), &taken.value);
    taken.unknown = UnknownOf(one);
  }
}

void Get(Reader& r, const pb::Part& from, Part* to) {
  r.Bytes("part.hash", from.hash(), &to->hash);
  to->size = from.size();
  to->pieces = from.pieces();
  to->bytes = from.bytes();
  to->unknown = UnknownOf(from);
}

}  // namespace

std::string FromWire(const pb::Thread& from, Thread* to) {
  Reader r;
  Get(r, from, to);
  return r.Take();
}

std::string FromWire(const pb::Session& from, Session* to) {
  Reader r;
  Get(r, from.main(), &to->main);
  if (!from.program().empty()) r.Bytes("program", from.program(), &to->program);
  to->function = from.function();
  to->source = from.source();
  to->id = from.id();
  for (const pb::Label& label : from.labels()) {
    to->labels.push_back({label.key(), label.value(), UnknownOf(label)});
  }
  to->created_unix_ns = from.created_unix_ns();
  to->started_unix_ns = from.started_unix_ns();
  to->ended_unix_ns = from.ended_unix_ns();
  to->deadline_unix_ns = from.deadline_unix_ns();
  to->retention_ns = from.retention_ns();
  for (const pb::Published& one : from.published()) {
    Published& published = to->published.emplace_back();
    published.key = one.key();
    if (one.has_value()) Get(r, one.value(), &published.value);
    published.unknown = UnknownOf(one);
  }
  to->steps = from.steps();
  to->resolved = from.resolved();
  to->cancelled = from.cancelled();
  to->history = from.history();
  to->history_pieces = from.history_pieces();
  to->replied.assign(from.replied().begin(), from.replied().end());
  if (from.has_carrier()) Get(r, from.carrier(), &to->carrier.emplace());
  if (from.has_paused()) {
    to->paused = Paused{from.paused().reason(), from.paused().since_unix_ns(), UnknownOf(from.paused())};
  }
  GetEvents(r, from, to);
  to->unknown = UnknownOf(from);
  return r.Take();
}

std::string FromWire(const pb::Value& from, Value* to) {
  Reader r;
  to->bytes = from.bytes();
  if (from.has_blob()) {
    Blob& blob = to->blob.emplace();
    r.Bytes("blob.hash", from.blob().hash(), &blob.hash);
    blob.size = from.blob().size();
    blob.unknown = UnknownOf(from.blob());
  }
  to->unknown = UnknownOf(from);
  return r.Take();
}

std::string FromWire(const pb::Output& from, Output* to) {
  Reader r;
  Get(r, from.lines(), &to->lines);
  to->unknown = UnknownOf(from);
  return r.Take();
}

std::string FromWire(const pb::Start& from, Start* to) {
  Reader r;
  Get(r, from, to);
  return r.Take();
}

std::string FromWire(const pb::History& from, History* to) {
  to->entries = from.entries();
  to->unknown = UnknownOf(from);
  return {};
}

std::string FromWire(const pb::Reply& from, Reply* to) {
  Reader r;
  if (from.has_value()) Get(r, from.value(), &to->value);
  to->unknown = UnknownOf(from);
  return r.Take();
}

std::string FromWire(const pb::Program& from, Program* to) {
  Reader r;
  r.Number("status", from.status(), ProgramStatus::kLive, ProgramStatus::kRetiring, &to->status);
  to->name = from.name();
  to->created_unix_ns = from.created_unix_ns();
  Get(r, from.executable(), &to->executable);
  if (from.has_package()) Get(r, from.package(), &to->package.emplace());
  to->activated_unix_ns = from.activated_unix_ns();
  to->unknown = UnknownOf(from);
  return r.Take();
}

std::string FromWire(const pb::SweeperPart& from, SweeperPart* to) {
  Reader r;
  if (!from.holder().empty()) r.Bytes("holder", from.holder(), &to->holder.emplace());
  to->until_unix_ns = from.until_unix_ns();
  to->unknown = UnknownOf(from);
  return r.Take();
}

}  // namespace teal::runtime::record

// What becomes of an event: accepted, given back, answered, or kept as a dead letter.
#include <teal/trigger.h>
#include <teal/host.hpp>

#include "core/host/json.h"
#include "core/trigger/desk.h"

namespace teal::trigger {
namespace {

constexpr uint64_t kNoRoomDelayNs = 60'000'000'000;  // dead letters cannot be kept: the event waits at its source

std::string SidBody(const std::string& sid) {
  return host::ToText({{"sid", sid}});
}

}  // namespace

void Triggers::Desk::Settled(const DeliveryPtr& delivery) {
  Running& running = *delivery->running;
  if (delivery->event.token == 0) return;
  if (running.on_their_way > 0) --running.on_their_way;
  if (running.state != Running::State::kRunning || !running.kind->open || stopping_) return;
  running.kind->instance->trigger()->credit(running.kind->instance->handle(), Bytes(running.declared.name), 1);
}

// The session is durable, or the event is done with in another way.
void Triggers::Desk::Accept(const DeliveryPtr& delivery) {
  const std::shared_ptr<Kind> kind = delivery->running->kind;
  delivery->accepted = true;
  if (!kind->open) return Settled(delivery);
  host::CallOptions options;
  options.op_id = kind->instance->NextOpId();
  host::Start<host::Error>(
      options,
      [self = shared_from_this(), delivery](host::Error error) {
        self->queue_.Post([self, delivery, error = std::move(error)] {
          // Of a trigger that was stopped meanwhile: it emits the event again after the next start, and the session is
          // there.
          if (!error.Ok() && error.code != TEAL_NOT_FOUND && error.code != TEAL_CLOSED) {
            self->NoteError(*delivery->running,
                            "an event that has its session could not be acknowledged: " + error.message);
          }
          self->Settled(delivery);
          if (delivery->call.reply_ns && !delivery->sid.empty()) self->AwaitEnd(delivery);
        });
      },
      [&](const teal_call* call) {
        return kind->instance->trigger()->accept(kind->instance->handle(), call, delivery->event.token,
                                                 Bytes(delivery->sid));
      });
}

void Triggers::Desk::Reject(const DeliveryPtr& delivery, uint64_t delay_ns) {
  const std::shared_ptr<Kind> kind = delivery->running->kind;
  if (!kind->open) return Settled(delivery);
  host::CallOptions options;
  options.op_id = kind->instance->NextOpId();
  host::Start<host::Error>(
      options,
      [self = shared_from_this(), delivery](const host::Error&) {
        self->queue_.Post([self, delivery] { self->Settled(delivery); });
      },
      [&](const teal_call* call) {
        return kind->instance->trigger()->reject(kind->instance->handle(), call, delivery->event.token, delay_ns);
      });
}

void Triggers::Desk::Bury(const DeliveryPtr& delivery, const std::string& why) {
  Running& running = *delivery->running;
  const Event& event = delivery->event;
  DeadLetter letter;
  letter.id = DeadLetters::IdOf(running.declared.name, event.source, event.id);
  letter.trigger = running.declared.name;
  letter.function = running.declared.function;
  letter.source = event.source.substr(0, kEventIdBytesMax);
  letter.event_id = event.id.substr(0, kEventIdBytesMax);
  letter.type = event.type.substr(0, kEventIdBytesMax);
  letter.error = why;
  letter.event_unix_ns = event.time_unix_ns;
  letter.dead_unix_ns = Now();
  letter.attempts = delivery->attempts + 1;
  NoteError(running, why);
  dead_.Put(std::move(letter), event, [self = shared_from_this(), delivery](const Status& kept) {
    Running& own = *delivery->running;
    if (!kept) {
      self->CountOne(own, &TriggerCounts::delayed);
      self->NoteError(own, kept.failure().message);
      return self->Reject(delivery, kNoRoomDelayNs);
    }
    own.attempts.erase(std::to_string(delivery->event.source.size()) + ":" + delivery->event.source +
                       delivery->event.id);
    self->CountOne(own, &TriggerCounts::dead);
    delivery->sid.clear();
    self->Accept(delivery);
  });
}

// The source waits for the answer.
void Triggers::Desk::AwaitEnd(const DeliveryPtr& delivery) {
  const uint64_t timeout_ns = stopping_ ? 0 : *delivery->call.reply_ns;
  if (timeout_ns == 0) return Reply(delivery, 202, SidBody(delivery->sid));
  waiting_.insert(delivery);
  options_.service->Wait(delivery->sid, timeout_ns,
                         [self = shared_from_this(), delivery](runtime::Served<runtime::SessionView> served) {
                           self->queue_.Post([self, delivery, served = std::move(served)] {
                             if (served.error) return self->Reply(delivery, 202, SidBody(delivery->sid), 1);
                             self->AnswerEnd(delivery, served.value);
                           });
                         });
}

void Triggers::Desk::AnswerEnd(const DeliveryPtr& delivery, const runtime::SessionView& session) {
  using runtime::ViewStatus;
  if (!HasEnded(session.status)) return Reply(delivery, 202, SidBody(delivery->sid), 1);
  if (session.status == ViewStatus::kDone)
    return Reply(delivery, 200, session.result_json.empty() ? "null" : session.result_json);
  // What went wrong inside stays inside: the session has it, for those who may read it.
  const std::string kind(NameOf(session.status));
  Reply(delivery, 500,
        host::ToText({{"error", {{"kind", kind}, {"message", "the session did not end well: " + kind}}},
                      {"sid", delivery->sid}}));
}

void Triggers::Desk::Reply(const DeliveryPtr& delivery, uint32_t status, std::string body, uint64_t retry_after_s) {
  waiting_.erase(delivery);
  if (std::exchange(delivery->replied, true)) return;
  const std::shared_ptr<Kind> kind = delivery->running->kind;
  const bool settles = !delivery->accepted;  // nothing was started
  host::Json headers = host::Json::object();
  if (!delivery->sid.empty() && !settles) {
    headers["teal-sid"] = delivery->sid;
    headers["location"] =
        options_.location_of ? options_.location_of(delivery->sid) : "/teal/v1/sessions/" + delivery->sid;
  }
  if (retry_after_s > 0) headers["retry-after"] = std::to_string(retry_after_s);
  delivery->headers = host::ToText(headers);
  delivery->body = std::move(body);
  const teal_trigger* const table = kind->instance->trigger();
  if (!kind->open || table->reply == nullptr) {
    // Whoever says that it waits and takes no reply waits for nothing; an event that is not accepted comes again.
    return settles ? Reject(delivery, kNoRoomDelayNs) : void();
  }
  host::CallOptions options;
  options.op_id = kind->instance->NextOpId();
  host::Start<host::Error>(
      options,
      [self = shared_from_this(), delivery, settles](const host::Error&) {
        if (settles) self->queue_.Post([self, delivery] { self->Settled(delivery); });
      },
      [&](const teal_call* call) {
        return table->reply(kind->instance->handle(), call, delivery->event.token, status, Bytes(delivery->headers),
                            Bytes(delivery->body), 0);
      });
}

}  // namespace teal::trigger

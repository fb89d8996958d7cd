// `overlap: skip` and `replace`: whether the trigger's session before still runs. Which one that was is kept in the
// host's memory, and written before the next is started: after a crash the last that may have been started is known.
#include "core/trigger/desk.h"
#include "core/trigger/state_call.h"

namespace teal::trigger {
namespace {

constexpr char kStateOwner[] = "_trigger";  // no plugin's id begins with an underscore
constexpr char kPreviousName[] = "previous";

}  // namespace

void Triggers::Desk::TakeInLine(const DeliveryPtr& delivery) {
  std::deque<DeliveryPtr>& line = delivery->running->in_line;
  delivery->in_line = true;
  line.push_back(delivery);
  if (line.size() == 1) LookAtFirst(delivery->running);
}

void Triggers::Desk::LeaveLine(const DeliveryPtr& delivery) {
  if (!std::exchange(delivery->in_line, false)) return;
  std::deque<DeliveryPtr>& line = delivery->running->in_line;
  if (line.empty() || line.front() != delivery) return;  // the host is stopping
  line.pop_front();
  if (!line.empty())
    queue_.Post([self = shared_from_this(), running = delivery->running] { self->LookAtFirst(running); });
}

void Triggers::Desk::LookAtFirst(const RunningPtr& running) {
  if (running->in_line.empty()) return;
  const DeliveryPtr delivery = running->in_line.front();
  if (running->previous_known) return LookAtPrevious(delivery);
  GetState(options_.services->state(), kStateOwner, running->declared.name, kPreviousName,
           [self = shared_from_this(), running, delivery](StateValue got) {
             self->queue_.Post([self, running, delivery, got = std::move(got)] {
               if (!got.error.Ok() && got.error.code != TEAL_NOT_FOUND) {
                 return self->Later(delivery, "the state of the trigger cannot be read: " + got.error.message, 0);
               }
               running->previous_known = true;
               running->previous_sid = got.value;
               self->LookAtPrevious(delivery);
             });
           });
}

void Triggers::Desk::LookAtPrevious(const DeliveryPtr& delivery) {
  Running& running = *delivery->running;
  const auto go_on = [self = shared_from_this(), delivery] {
    Running& own = *delivery->running;
    if (own.previous_sid == delivery->sid) return self->BeginAsNext(delivery);
    PutState(self->options_.services->state(), kStateOwner, own.declared.name, kPreviousName, delivery->sid,
             [self, delivery, sid = delivery->sid](host::Error error) {
               self->queue_.Post([self, delivery, sid, error = std::move(error)] {
                 if (!error.Ok()) {
                   return self->Later(delivery, "the state of the trigger cannot be written: " + error.message, 0);
                 }
                 delivery->running->previous_sid = sid;
                 self->BeginAsNext(delivery);
               });
             });
  };
  if (running.previous_sid.empty() || running.previous_sid == delivery->sid) return go_on();
  options_.service->Get(running.previous_sid, [self = shared_from_this(), delivery,
                                               go_on](runtime::Served<runtime::SessionView> served) {
    self->queue_.Post([self, delivery, go_on, served = std::move(served)] {
      using Code = runtime::ServiceError::Code;
      if (served.error && served.error->code != Code::kNotFound) {
        return self->Later(delivery, "the session before cannot be looked at: " + served.error->message, 0);
      }
      if (served.error || HasEnded(served.value.status)) return go_on();
      Running& own = *delivery->running;
      if (delivery->call.overlap == Overlap::kSkip) {
        self->CountOne(own, &TriggerCounts::skipped);
        delivery->sid.clear();
        self->LeaveLine(delivery);
        return self->Accept(delivery);
      }
      self->options_.service->Cancel(own.previous_sid, [self, delivery,
                                                        go_on](runtime::Served<runtime::SessionView> cancelled) {
        self->queue_.Post([self, delivery, go_on, cancelled = std::move(cancelled)] {
          if (cancelled.error && cancelled.error->code != Code::kConflict && cancelled.error->code != Code::kNotFound) {
            return self->Later(delivery, "the session before cannot be cancelled: " + cancelled.error->message, 0);
          }
          go_on();
        });
      });
    });
  });
}

}  // namespace teal::trigger

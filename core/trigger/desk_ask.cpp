// What people ask of the triggers: the list, firing by hand, dead letters, counts.
#include <teal/trigger.h>

#include "core/host/call.h"
#include "core/host/json.h"
#include "core/trigger/desk.h"
#include "core/trigger/state_call.h"

namespace teal::trigger {
namespace {

using Code = runtime::ServiceError::Code;

runtime::ServiceError NoTrigger(const std::string& name, const std::string& nearest) {
  return {Code::kNotFound, "there is no trigger " + name,
          nearest.empty() ? "see teal triggers" : "did you mean " + nearest + "?", 0};
}

runtime::ServiceError ErrorOfDead(const Failure& failure) {
  if (failure.code == FailureCode::kNotFound) return {Code::kNotFound, failure.message, "see teal dead list", 0};
  return {failure.code == FailureCode::kCorrupt ? Code::kInternal : Code::kUnavailable, failure.message, "",
          1'000'000'000};
}

constexpr struct {
  const char* name;
  uint64_t TriggerCounts::* count;
} kCounts[] = {{"started", &TriggerCounts::started}, {"repeated", &TriggerCounts::repeated},
               {"skipped", &TriggerCounts::skipped}, {"delayed", &TriggerCounts::delayed},
               {"refused", &TriggerCounts::refused}, {"dead", &TriggerCounts::dead}};

}  // namespace

TriggerView Triggers::Desk::ViewOf(const Running& running) const {
  TriggerView view;
  view.name = running.declared.name;
  view.kind = running.declared.kind;
  view.function = running.declared.function;
  view.running = running.state == Running::State::kRunning;
  view.last_sid = running.last_sid;
  view.last_delivery_unix_ns = running.last_delivery_unix_ns;
  view.last_error = running.last_error;
  view.last_error_unix_ns = running.last_error_unix_ns;
  view.counts = running.counts;
  return view;
}

void Triggers::Desk::List(const std::string& after, uint64_t limit, runtime::Done<TriggerPage> done) {
  const auto page = std::make_shared<TriggerPage>();
  auto at = after.empty() ? triggers_.begin() : triggers_.upper_bound(after);
  for (; at != triggers_.end() && page->triggers.size() < limit; ++at) page->triggers.push_back(ViewOf(*at->second));
  if (at != triggers_.end()) page->cursor = page->triggers.back().name;
  if (page->triggers.empty()) return done({std::nullopt, *page});
  const auto left = std::make_shared<size_t>(page->triggers.size());
  for (size_t i = 0; i < page->triggers.size(); ++i) {
    const TriggerView& view = page->triggers[i];
    GetState(options_.services->state(), view.kind, view.name, TEAL_STATE_STATUS,
             [self = shared_from_this(), page, left, done, i](StateValue got) {
               self->queue_.Post([page, left, done, i, got = std::move(got)] {
                 if (const Result<host::Json> json = host::ParseJson(got.value); json && json.value().is_object()) {
                   page->triggers[i].status_json = host::ToText(json.value());
                 }
                 if (--*left == 0) done({std::nullopt, std::move(*page)});
               });
             });
  }
}

void Triggers::Desk::Fire(const std::string& name, uint64_t at_unix_ns, const std::string& event_json,
                          runtime::Done<std::vector<runtime::StartAnswer>> done) {
  const auto at = triggers_.find(name);
  if (at == triggers_.end()) {
    std::vector<std::string> names;
    for (const auto& [known, running] : triggers_) names.push_back(known);
    return done({NoTrigger(name, host::NearestName(name, names)), {}});
  }
  const RunningPtr running = at->second;
  const teal_trigger* const table = running->kind->instance->trigger();
  if (!running->kind->open || stopping_)
    return done({runtime::ServiceError{Code::kUnavailable, "the host is stopping", "", 0}, {}});
  if (table->decode == nullptr) {
    return done(
        {runtime::ServiceError{Code::kUnfit,
                               "triggers of the kind " + running->declared.kind + " cannot be fired by hand", "", 0},
         {}});
  }
  std::string body = event_json;
  if (body.empty()) {
    host::Json fire = {{"trigger", name}};
    if (at_unix_ns > 0) fire["time"] = TimeText(at_unix_ns);
    body = host::ToText({{TEAL_PLATFORM_FIRE, fire}});
  }
  std::vector<Event> events;
  teal_error error{};
  error.struct_size = sizeof error;
  const auto take = [](void* ctx, const teal_event* event) {
    static_cast<std::vector<Event>*>(ctx)->push_back(CopyOf(*event));
  };
  const teal_status status = table->decode(running->kind->instance->handle(), Bytes(body), take, &events, &error);
  if (status != TEAL_OK) {
    const std::string why = host::MessageOf(error);
    return done({runtime::ServiceError{Code::kUnfit, why.empty() ? "the plugin refuses the event" : why, "", 0}, {}});
  }
  struct Firing {
    size_t left;
    std::optional<runtime::ServiceError> error;
    std::vector<runtime::StartAnswer> answers;
  };
  const auto firing = std::make_shared<Firing>(Firing{events.size(), std::nullopt, {}});
  if (events.empty()) return done({std::nullopt, {}});
  for (Event& event : events) {
    const auto delivery = std::make_shared<Delivery>();
    delivery->running = running;
    delivery->event = std::move(event);
    delivery->event.token = 0;
    delivery->by_hand = [firing, done](runtime::Served<runtime::StartAnswer> served) {
      if (served.error) {
        firing->error = served.error;
      } else {
        firing->answers.push_back(std::move(served.value));
      }
      if (--firing->left == 0) done({firing->error, std::move(firing->answers)});
    };
    Begin(delivery);
  }
}

void Triggers::Desk::Dead(std::string after, uint64_t limit, runtime::Done<DeadPage> done) {
  dead_.List(std::move(after), limit, [done = std::move(done)](Result<DeadPage> page) {
    if (!page) return done({ErrorOfDead(page.failure()), {}});
    done({std::nullopt, std::move(*page)});
  });
}

void Triggers::Desk::ShowDead(std::string id, runtime::Done<DeadLetter> done) {
  dead_.Get(std::move(id), [done = std::move(done)](Result<DeadLetter> letter) {
    if (!letter) return done({ErrorOfDead(letter.failure()), {}});
    done({std::nullopt, std::move(*letter)});
  });
}

void Triggers::Desk::DropDead(std::string id, runtime::Done<DeadLetter> done) {
  dead_.Get(std::move(id), [self = shared_from_this(), done = std::move(done)](Result<DeadLetter> letter) {
    if (!letter) return done({ErrorOfDead(letter.failure()), {}});
    self->dead_.Remove(*letter, [done, letter = *letter](const Status& removed) {
      if (!removed) return done({ErrorOfDead(removed.failure()), {}});
      done({std::nullopt, letter});
    });
  });
}

void Triggers::Desk::RetryDead(std::string id, runtime::Done<runtime::SessionView> done) {
  dead_.Get(std::move(id), [self = shared_from_this(), done = std::move(done)](Result<DeadLetter> found) {
    if (!found) return done({ErrorOfDead(found.failure()), {}});
    const DeadLetter letter = *found;
    self->dead_.GetEvent(letter, [self, done, letter](Result<Event> event) {
      if (!event) return done({ErrorOfDead(event.failure()), {}});
      const auto at = self->triggers_.find(letter.trigger);
      if (at == self->triggers_.end()) {
        return done({runtime::ServiceError{Code::kConflict, "the trigger " + letter.trigger + " is not there any more",
                                           "declare it again in teal.yaml, or drop the dead letter", 0},
                     {}});
      }
      const auto delivery = std::make_shared<Delivery>();
      delivery->running = at->second;
      delivery->event = std::move(*event);
      delivery->event.token = 0;
      delivery->by_hand = [self, done, letter](runtime::Served<runtime::StartAnswer> served) {
        if (served.error) return done({served.error, {}});
        self->dead_.Remove(letter, [done, session = served.value.session](const Status& removed) {
          if (!removed) return done({ErrorOfDead(removed.failure()), {}});
          done({std::nullopt, session});
        });
      };
      self->Begin(delivery);
    });
  });
}

std::string Triggers::Desk::MetricsText() const {
  std::string out;
  {
    const std::lock_guard lock(counts_mutex_);
    if (!counts_.empty()) {
      out +=
          "# HELP teal_trigger_events_total Events that plugins of triggers emitted, repeats included.\n"
          "# TYPE teal_trigger_events_total counter\n";
      for (const auto& [kind, counts] : counts_) {
        out += "teal_trigger_events_total{kind=\"" + kind + "\"} " + std::to_string(counts.events) + "\n";
      }
      out += "# HELP teal_trigger_outcomes_total What came of events.\n# TYPE teal_trigger_outcomes_total counter\n";
      for (const auto& [kind, counts] : counts_) {
        for (const auto& [name, count] : kCounts) {
          out += "teal_trigger_outcomes_total{kind=\"" + kind + "\",outcome=\"" + name + "\"} " +
                 std::to_string(counts.*count) + "\n";
        }
      }
    }
  }
  return out + options_.services->metrics().PrometheusText();
}

}  // namespace teal::trigger

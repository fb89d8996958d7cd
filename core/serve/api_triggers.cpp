// The requests about triggers and the events that are dead.
#include "core/serve/answer.h"
#include "core/serve/api.h"
#include "core/serve/api_follow.h"
#include "core/serve/body.h"
#include "core/serve/text.h"

namespace teal::serve {
namespace {

using runtime::Served;
using trigger::DeadLetter;

constexpr char kEventsCursor[] = "events:";  // before a cursor of dead letters, which stand behind the dead sessions

std::string TimeOrNull(uint64_t unix_ns) {
  return unix_ns == 0 ? "null" : JsonOf(FormatTime(unix_ns));
}

std::string TriggerJson(const trigger::TriggerView& view) {
  const trigger::TriggerCounts& counts = view.counts;
  return "{\"name\":" + JsonOf(view.name) + ",\"kind\":" + JsonOf(view.kind) +
         ",\"function\":" + JsonOf(view.function) + ",\"running\":" + (view.running ? "true" : "false") +
         ",\"status\":" + (view.status_json.empty() ? "null" : view.status_json) +
         ",\"last_delivery\":" + TimeOrNull(view.last_delivery_unix_ns) + ",\"last_sid\":" + JsonOrNull(view.last_sid) +
         ",\"last_error\":" + JsonOrNull(view.last_error) +
         ",\"last_error_at\":" + TimeOrNull(view.last_error_unix_ns) +
         ",\"counts\":{\"events\":" + std::to_string(counts.events) + ",\"started\":" + std::to_string(counts.started) +
         ",\"repeated\":" + std::to_string(counts.repeated) + ",\"skipped\":" + std::to_string(counts.skipped) +
         ",\"delayed\":" + std::to_string(counts.delayed) + ",\"refused\":" + std::to_string(counts.refused) +
         ",\"dead\":" + std::to_string(counts.dead) + "}}";
}

std::string LetterJson(const DeadLetter& letter) {
  return "{\"id\":" + JsonOf(letter.id) + ",\"trigger\":" + JsonOf(letter.trigger) +
         ",\"function\":" + JsonOf(letter.function) + ",\"source\":" + JsonOf(letter.source) +
         ",\"event_id\":" + JsonOf(letter.event_id) + ",\"type\":" + JsonOf(letter.type) +
         ",\"error\":{\"kind\":\"event\",\"message\":" + JsonOf(letter.error) +
         "},\"time\":" + TimeOrNull(letter.event_unix_ns) + ",\"dead\":" + TimeOrNull(letter.dead_unix_ns) +
         ",\"bytes\":" + std::to_string(letter.data_bytes) + ",\"attempts\":" + std::to_string(letter.attempts) + "}";
}

Answer NoTriggers() {
  return ErrorAnswer(404, "not_found", "this host has no triggers", "declare them in teal.yaml; see docs/triggers.md");
}

}  // namespace

bool IsDeadEvent(const std::string& id) {
  return id.starts_with(trigger::kDeadLetterPrefix);
}

void Api::Triggers(const Route& route, const Reply& reply) {
  if (triggers_ == nullptr) return reply->Give(JsonAnswer(200, "{\"triggers\":[],\"cursor\":null}"));
  const std::optional<uint64_t> limit = PageLimitOf(route, *reply);
  if (!limit) return;
  std::string after;
  for (const auto& [name, value] : route.query) {
    if (name != "cursor") continue;
    const std::optional<std::string> cursor = CursorFrom(value);
    if (!cursor) return reply->Give(NoCursor());
    after = *cursor;
  }
  const Slot slot = TakeCall(*reply);
  if (slot == nullptr) return;
  triggers_->List(after, *limit, [reply, slot](Served<trigger::TriggerPage> served) {
    if (served.error) return reply->Give(ErrorAnswer(*served.error));
    std::string json = "{\"triggers\":[";
    for (size_t i = 0; i < served.value.triggers.size(); ++i) {
      json += (i > 0 ? "," : "") + TriggerJson(served.value.triggers[i]);
    }
    reply->Give(JsonAnswer(200, json + "],\"cursor\":" + JsonOrNull(CursorText(served.value.cursor)) + "}"));
  });
}

void Api::Fire(const std::string& name, std::string_view body, const Reply& reply) {
  if (triggers_ == nullptr) return reply->Give(NoTriggers());
  std::variant<FireBody, Answer> read = ReadFire(body);
  if (Answer* answer = std::get_if<Answer>(&read)) return reply->Give(std::move(*answer));
  if (stopping_) {
    return reply->Give(ErrorAnswer(503, "unavailable", "the host is stopping", "try again when it is back", 1));
  }
  const Slot slot = TakeCall(*reply);
  if (slot == nullptr) return;
  FireBody& fire = std::get<FireBody>(read);
  triggers_->Fire(name, fire.at_unix_ns, std::move(fire.event_json),
                  [reply, slot](Served<std::vector<runtime::StartAnswer>> served) {
                    if (served.error) return reply->Give(ErrorAnswer(*served.error));
                    std::string json = "{\"sessions\":[";
                    for (size_t i = 0; i < served.value.size(); ++i) {
                      std::string brief = BriefJson(served.value[i].session);
                      brief.pop_back();
                      json +=
                          (i > 0 ? "," : "") + brief + ",\"created\":" + (served.value[i].created ? "true}" : "false}");
                    }
                    reply->Give(JsonAnswer(200, json + "]}"));
                  });
}

// `before` is the JSON of the dead sessions of this page. cursor: as DeadCursorOf took it apart.
void Api::ListDeadEvents(const std::string& cursor, uint64_t limit, std::string before, const Slot& slot,
                         const Reply& reply) {
  triggers_->Dead(cursor, limit, [reply, slot, before = std::move(before)](Served<trigger::DeadPage> served) {
    if (served.error) return reply->Give(ErrorAnswer(*served.error));
    std::string json = "{\"dead\":[" + before;
    for (const DeadLetter& letter : served.value.letters) {
      if (json.back() != '[') json += ",";
      json += LetterJson(letter);
    }
    const std::string next = served.value.cursor.empty() ? "" : kEventsCursor + served.value.cursor;
    reply->Give(JsonAnswer(200, json + "],\"cursor\":" + JsonOrNull(CursorText(next)) + "}"));
  });
}

std::optional<std::string> DeadEventsCursorOf(const std::string& cursor) {
  if (!cursor.starts_with(kEventsCursor)) return std::nullopt;
  return cursor.substr(sizeof kEventsCursor - 1);
}

void Api::DeadEvent(Action action, const std::string& id, const Reply& reply) {
  if (triggers_ == nullptr) return reply->Give(NoTriggers());
  const Slot slot = TakeCall(*reply);
  if (slot == nullptr) return;
  const auto tell = [reply, slot](int status) {
    return [reply, slot, status](Served<DeadLetter> served) {
      reply->Give(served.error ? ErrorAnswer(*served.error) : JsonAnswer(status, LetterJson(served.value)));
    };
  };
  if (action == Action::kDeadShow) return triggers_->ShowDead(id, tell(200));
  if (action == Action::kDeadDrop) return triggers_->DropDead(id, tell(202));
  triggers_->RetryDead(id, [reply, slot](Served<runtime::SessionView> served) {
    reply->Give(served.error ? ErrorAnswer(*served.error) : JsonAnswer(202, BriefJson(served.value)));
  });
}

}  // namespace teal::serve

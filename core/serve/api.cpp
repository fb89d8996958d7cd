#include "core/serve/api.h"

#include <algorithm>
#include <charconv>

#include "core/serve/answer.h"
#include "core/serve/api_follow.h"
#include "core/serve/body.h"
#include "core/serve/text.h"

namespace teal::serve {
namespace {

using runtime::Served;
using runtime::SessionView;

template <typename T>
bool Refused(const Served<T>& served, Responder& responder) {
  if (served.error) responder.Give(ErrorAnswer(*served.error));
  return served.error.has_value();
}

Answer Stopping() {
  return ErrorAnswer(503, "unavailable", "the host is stopping", "try again when it is back; nothing is lost", 1);
}

std::string LocationOf(const std::string& sid) {
  return std::string(kApiRoot) + "/sessions/" + sid;
}

std::string JsonFor(const Principal& principal, const SessionView& session) {
  return principal.by_token ? ResultJson(session) : SessionJson(session);
}

// 200 when it has ended, else 202.
Answer WaitAnswer(const Principal& principal, const SessionView& session) {
  return JsonAnswer(HasEnded(session.status) ? 200 : 202, JsonFor(principal, session));
}

const std::string* Parameter(const Route& route, std::string_view name) {
  for (const auto& [key, value] : route.query) {
    if (key == name) return &value;
  }
  return nullptr;
}

// The duration of a parameter, cut to `max`; nullopt: refused.
std::optional<uint64_t> DurationOf(const Route& route, std::string_view name, uint64_t otherwise, uint64_t max,
                                   Responder& responder) {
  const std::string* text = Parameter(route, name);
  if (text == nullptr) return otherwise;
  const std::optional<uint64_t> ns = ParseDuration(*text);
  if (ns) return std::min(*ns, max);
  responder.Give(ErrorAnswer(400, "invalid", "\"" + std::string(name) + "\" is a duration",
                             "write, for example, " + std::string(name) + "=500ms or " + std::string(name) + "=10s"));
  return std::nullopt;
}

}  // namespace

std::optional<uint64_t> PageLimitOf(const Route& route, Responder& responder) {
  const std::string* text = Parameter(route, "limit");
  if (text == nullptr) return kPageItems;
  uint64_t limit = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (error == std::errc() && end == text->data() + text->size() && limit >= 1 && limit <= kPageItemsMax) return limit;
  responder.Give(
      ErrorAnswer(400, "invalid", "\"limit\" is a whole number from 1 to " + std::to_string(kPageItemsMax), ""));
  return std::nullopt;
}

bool IdempotencyBook::Fits(const Sha256& key, const Sha256& body) {
  const std::string name(reinterpret_cast<const char*>(key.data()), key.size());
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto [place, is_new] = bodies_.try_emplace(name, body);
  if (!is_new) return place->second == body;
  order_.push_back(name);
  if (order_.size() > kBooked) {
    bodies_.erase(order_.front());
    order_.pop_front();
  }
  return true;
}

Api::Api(runtime::SessionService* service, const ServeLimits& limits, std::shared_ptr<ServeCounters> counters,
         After after, trigger::TriggerService* triggers, BackUp back_up)
    : service_(service),
      triggers_(triggers),
      limits_(limits),
      counters_(std::move(counters)),
      after_(std::move(after)),
      back_up_(std::move(back_up)) {}

Api::Slot Api::TakeCall(Responder& responder) {
  Slot slot = TakeSlot(counters_, counters_->calls, limits_.calls_max);
  if (slot == nullptr) {
    responder.Give(ErrorAnswer(429, "overloaded", "too many requests are under way", "try again after a moment", 1));
  }
  return slot;
}

Api::Slot Api::TakeWait(Responder& responder) {
  Slot slot = TakeSlot(counters_, counters_->waits, limits_.waits_max);
  if (slot == nullptr) {
    responder.Give(ErrorAnswer(429, "overloaded", "too many requests wait already",
                               "try again after a moment, or ask without waiting", 1));
  }
  return slot;
}

void Api::Handle(const Route& route, const RequestHead& head, std::string body, const Principal& principal,
                 std::shared_ptr<Responder> responder) {
  using runtime::LineSort;
  using runtime::SessionService;
  const bool of_dead =
      route.action == Action::kDeadShow || route.action == Action::kDeadRetry || route.action == Action::kDeadDrop;
  if (of_dead && IsDeadEvent(route.sid)) return DeadEvent(route.action, route.sid, responder);
  switch (route.action) {
    case Action::kHealth:
      return responder->Give(JsonAnswer(200, "{\"status\":\"ok\"}"));
    case Action::kReady:
      return Ready(*responder);
    case Action::kMetrics:
      return Metrics(*responder);
    case Action::kPrograms:
      return Programs(responder);
    case Action::kAddProgram:
      return AddProgram(body, responder);
    case Action::kActivateProgram:
      return AlterProgram(route.sid, &SessionService::ActivateProgram, responder);
    case Action::kRemoveProgram:
      return AlterProgram(route.sid, &SessionService::RemoveProgram, responder);
    case Action::kBackUp:
      return BackUpTo(body, responder);
    case Action::kStart:
      return Start(head, body, responder);
    case Action::kList:
      return List(route, responder);
    case Action::kGet:
      return Get(route.sid, principal, responder);
    case Action::kWait:
      return Wait(route, principal, responder);
    case Action::kOutput:
      return Lines(route, head, LineSort::kOutput, responder);
    case Action::kLog:
      return Lines(route, head, LineSort::kLog, responder);
    case Action::kHistory:
      return Lines(route, head, LineSort::kHistory, responder);
    case Action::kThreads:
    case Action::kState:
      return Look(route, head, responder);
    case Action::kSend:
      return Send(route, head, body, principal, responder);
    case Action::kCancel:
      return Alter(route.sid, &SessionService::Cancel, responder);
    case Action::kTerminate:
      return Alter(route.sid, &SessionService::Terminate, responder);
    case Action::kPause:
      return Alter(route.sid, &SessionService::Pause, responder);
    case Action::kResume:
      return Alter(route.sid, &SessionService::Resume, responder);
    case Action::kRerun:
      return Rerun(route.sid, body, responder);
    case Action::kTriggers:
      return Triggers(route, responder);
    case Action::kFire:
      return Fire(route.sid, body, responder);
    case Action::kDeadList:
      return List(route, responder);
    case Action::kDeadShow:
      return ShowDead(route.sid, responder);
    case Action::kDeadRetry:
      return Alter(route.sid, &SessionService::RetryDead, responder);
    case Action::kDeadDrop:
      return Alter(route.sid, &SessionService::DropDead, responder);
  }
}

void Api::Ready(Responder& responder) {
  responder.Give(stopping_ ? Stopping() : JsonAnswer(200, "{\"status\":\"ready\"}"));
}

void Api::Metrics(Responder& responder) {
  Answer answer = JsonAnswer(
      200, MetricsText(service_->Counters(), *counters_) + (triggers_ == nullptr ? "" : triggers_->MetricsText()));
  answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
  responder.Give(std::move(answer));
}

void Api::BackUpTo(std::string_view body, const Reply& reply) {
  std::variant<std::string, Answer> read = ReadBackup(body);
  if (Answer* answer = std::get_if<Answer>(&read)) return reply->Give(std::move(*answer));
  if (back_up_ == nullptr) {
    return reply->Give(ErrorAnswer(503, "unavailable", "this host makes no backups", "back up its store by itself"));
  }
  const Slot slot = TakeCall(*reply);
  if (slot == nullptr) return;
  const std::string folder = std::get<std::string>(read);
  back_up_(folder, [reply, slot, folder](const Status& status) {
    if (status.ok()) return reply->Give(JsonAnswer(200, "{\"folder\":" + JsonOf(folder) + "}"));
    const bool invalid = status.failure().code == FailureCode::kInvalid;
    reply->Give(ErrorAnswer(invalid ? 400 : 503, invalid ? "invalid" : "unavailable", status.failure().message, ""));
  });
}

void Api::Start(const RequestHead& head, std::string_view body, const Reply& reply) {
  std::variant<StartBody, Answer> read = ReadStart(body);
  if (Answer* answer = std::get_if<Answer>(&read)) return reply->Give(std::move(*answer));
  if (stopping_) return reply->Give(Stopping());
  StartBody& start = std::get<StartBody>(read);
  start.request.traceparent = head.traceparent;
  const Slot slot = TakeCall(*reply);
  if (slot == nullptr) return;
  const uint64_t wait_ns = std::min(start.wait_ns, limits_.wait_ns_max);
  service_->Start(std::move(start.request),
                  [self = shared_from_this(), reply, slot, wait_ns](Served<runtime::StartAnswer> served) {
                    if (!Refused(served, *reply)) self->WaitForStarted(served.value, wait_ns, reply);
                  });
}

void Api::WaitForStarted(const runtime::StartAnswer& started, uint64_t wait_ns, const Reply& reply) {
  const SessionView& session = started.session;
  const auto present = [started] {
    if (!started.created) return JsonAnswer(200, SessionJson(started.session));
    Answer answer = JsonAnswer(201, BriefJson(started.session));
    answer.location = LocationOf(started.session.sid);
    return answer;
  };
  if (wait_ns > 0 && HasEnded(session.status)) return reply->Give(JsonAnswer(200, SessionJson(session)));
  // Whoever finds no room to wait has started a session all the same.
  const Slot slot = wait_ns > 0 ? TakeSlot(counters_, counters_->waits, limits_.waits_max) : nullptr;
  if (slot == nullptr || stopping_) return reply->Give(present());
  reply->OnStop([reply, present] { reply->Give(present()); });
  service_->Wait(session.sid, wait_ns, [reply, slot, present](Served<SessionView> served) {
    const bool ended = !served.error && HasEnded(served.value.status);
    reply->Give(ended ? JsonAnswer(200, SessionJson(served.value)) : present());
  });
}

void Api::List(const Route& route, const Reply& reply) {
  runtime::ListRequest request;
  const std::optional<uint64_t> limit = PageLimitOf(route, *reply);
  if (!limit) return;
  request.limit = *limit;
  const bool dead = route.action == Action::kDeadList;
  if (dead) request.status = runtime::ViewStatus::kDead;
  for (const auto& [name, value] : route.query) {
    if (name == "status") {
      std::vector<std::string> names;
      for (const auto status : {runtime::ViewStatus::kRunning, runtime::ViewStatus::kPaused, runtime::ViewStatus::kDone,
                                runtime::ViewStatus::kFailed, runtime::ViewStatus::kCancelled,
                                runtime::ViewStatus::kTerminated, runtime::ViewStatus::kDead}) {
        names.emplace_back(NameOf(status));
        if (NameOf(status) == value) request.status = status;
      }
      if (!request.status) {
        return reply->Give(ErrorAnswer(400, "invalid",
                                       "\"status\" is running, paused, done, failed, cancelled, terminated or dead",
                                       DidYouMean(value, names)));
      }
    } else if (name == "label") {
      const size_t colon = value.find(':');
      if (colon == std::string::npos || colon == 0) {
        return reply->Give(
            ErrorAnswer(400, "invalid", "\"label\" is a name, a colon and a value", "write label=team:blue"));
      }
      request.labels.emplace_back(value.substr(0, colon), value.substr(colon + 1));
    } else if (name == "since") {
      const std::optional<uint64_t> since = ParseTime(value);
      if (!since) {
        return reply->Give(
            ErrorAnswer(400, "invalid", "\"since\" is a time of RFC 3339", "write since=2026-01-31T10:00:00Z"));
      }
      request.since_unix_ns = *since;
    } else if (name == "cursor") {
      const std::optional<std::string> cursor = CursorFrom(value);
      if (!cursor) return reply->Give(NoCursor());
      request.cursor = *cursor;
    }
  }
  const Slot slot = TakeCall(*reply);
  if (slot == nullptr) return;
  if (dead && triggers_ != nullptr) {
    if (const std::optional<std::string> events = DeadEventsCursorOf(request.cursor)) {
      return ListDeadEvents(*events, *limit, "", slot, reply);
    }
  }
  service_->List(std::move(request), [self = shared_from_this(), reply, slot, dead,
                                      limit = *limit](Served<runtime::ListAnswer> served) {
    if (Refused(served, *reply)) return;
    std::string items;
    for (size_t i = 0; i < served.value.sessions.size(); ++i) {
      items += (i > 0 ? "," : "") + SessionJson(served.value.sessions[i]);
    }
    const uint64_t left = limit - std::min<uint64_t>(limit, served.value.sessions.size());
    if (dead && self->triggers_ != nullptr && served.value.cursor.empty()) {
      return self->ListDeadEvents("", std::max<uint64_t>(left, 1), std::move(items), slot, reply);
    }
    reply->Give(JsonAnswer(200, (dead ? "{\"dead\":[" : "{\"sessions\":[") + items +
                                    "],\"cursor\":" + JsonOrNull(CursorText(served.value.cursor)) + "}"));
  });
}

void Api::Get(const std::string& sid, const Principal& principal, const Reply& reply) {
  const Slot slot = TakeCall(*reply);
  if (slot == nullptr) return;
  service_->Get(sid, [reply, slot, principal](Served<SessionView> served) {
    if (!Refused(served, *reply)) reply->Give(JsonAnswer(200, JsonFor(principal, served.value)));
  });
}

void Api::ShowDead(const std::string& sid, const Reply& reply) {
  const Slot slot = TakeCall(*reply);
  if (slot == nullptr) return;
  service_->Get(sid, [reply, slot, sid](Served<SessionView> served) {
    if (Refused(served, *reply)) return;
    if (served.value.status != runtime::ViewStatus::kDead) {
      return reply->Give(ErrorAnswer(404, "not_found", "nothing dead has the id " + sid, "see GET /dead"));
    }
    reply->Give(JsonAnswer(200, SessionJson(served.value)));
  });
}

void Api::Rerun(const std::string& sid, std::string_view body, const Reply& reply) {
  std::variant<std::string, Answer> from = ReadRerun(body);
  if (Answer* answer = std::get_if<Answer>(&from)) return reply->Give(std::move(*answer));
  if (stopping_) return reply->Give(Stopping());
  const Slot slot = TakeCall(*reply);
  if (slot == nullptr) return;
  service_->Rerun(sid, std::get<std::string>(from), [reply, slot](Served<SessionView> served) {
    if (Refused(served, *reply)) return;
    Answer answer = JsonAnswer(201, BriefJson(served.value));
    answer.location = LocationOf(served.value.sid);
    reply->Give(std::move(answer));
  });
}

void Api::Wait(const Route& route, const Principal& principal, const Reply& reply) {
  const std::optional<uint64_t> ns = DurationOf(route, "timeout", 30 * kSecondNs, limits_.wait_ns_max, *reply);
  if (!ns) return;
  const Slot slot = TakeWait(*reply);
  if (slot == nullptr) return;
  const auto answer = [reply, principal](Served<SessionView> served) {
    if (!Refused(served, *reply)) reply->Give(WaitAnswer(principal, served.value));
  };
  const uint64_t wait_ns = stopping_ ? 0 : *ns;
  reply->OnStop([self = shared_from_this(), sid = route.sid, answer] { self->service_->Get(sid, answer); });
  service_->Wait(route.sid, wait_ns, [slot, answer](Served<SessionView> served) { answer(std::move(served)); });
}

void Api::Send(const Route& route, const RequestHead& head, std::string_view body, const Principal& principal,
               const Reply& reply) {
  const std::optional<uint64_t> ns = DurationOf(route, "wait", 0, limits_.wait_ns_max, *reply);
  if (!ns) return;
  std::variant<std::string, Answer> value = ReadEvent(head.content_type, body);
  if (Answer* answer = std::get_if<Answer>(&value)) return reply->Give(std::move(*answer));
  if (stopping_) return reply->Give(Stopping());
  std::string key;
  if (!head.idempotency_key.empty()) {
    std::string scope;
    for (const std::string_view part :
         {std::string_view("POST"), std::string_view(principal.name), std::string_view(route.sid),
          std::string_view(route.event), std::string_view(head.idempotency_key)}) {
      scope += std::to_string(part.size()) + ":" + std::string(part);
    }
    const Sha256 digest = Sha256Of(scope);
    if (!book_.Fits(digest, Sha256Of(std::get<std::string>(value)))) {
      return reply->Give(ErrorAnswer(422, "unfit", "this Idempotency-Key came with another body before",
                                     "take a new key for a new event, and the same body to repeat one"));
    }
    key = "http:" + Hex(digest);
  }
  const Slot slot = *ns > 0 ? TakeWait(*reply) : TakeCall(*reply);
  if (slot == nullptr) return;
  if (*ns > 0) {
    reply->OnStop([reply] {
      reply->Give(ErrorAnswer(503, "unavailable", "the host is stopping, and there was no reply yet",
                              "send it again with the same Idempotency-Key when the host is back", 1));
    });
  }
  service_->Send(route.sid, route.event, std::move(std::get<std::string>(value)), std::move(key), *ns,
                 [reply, slot, sid = route.sid](Served<std::optional<std::string>> served) {
                   if (Refused(served, *reply)) return;
                   if (served.value) {
                     reply->Give(JsonAnswer(200, "{\"sid\":" + JsonOf(sid) + ",\"reply\":" + *served.value + "}"));
                   } else {
                     reply->Give(JsonAnswer(202, "{\"sid\":" + JsonOf(sid) + "}"));
                   }
                 });
}

void Api::Alter(const std::string& sid, Change change, const Reply& reply) {
  const Slot slot = TakeCall(*reply);
  if (slot == nullptr) return;
  (service_->*change)(sid, [reply, slot](Served<SessionView> served) {
    if (!Refused(served, *reply)) reply->Give(JsonAnswer(202, BriefJson(served.value)));
  });
}

void Api::Lines(const Route& route, const RequestHead& head, runtime::LineSort sort, const Reply& reply) {
  const bool follow = WantsEvents(head);
  const std::string* after = Parameter(route, "after");
  std::string text = after == nullptr ? "" : *after;
  if (follow && !head.last_event_id.empty()) text = head.last_event_id;
  const std::optional<std::string> cursor = CursorFrom(text);
  if (!cursor) return reply->Give(NoCursor());
  const std::optional<uint64_t> limit = PageLimitOf(route, *reply);
  if (!limit) return;
  const Slot slot = follow ? TakeWait(*reply) : TakeCall(*reply);
  if (slot == nullptr) return;
  if (follow) return FollowLines({service_, route.sid, sort, *cursor, limits_.keep_alive_ns}, slot, reply);
  service_->Lines(route.sid, sort, *cursor, *limit, 0, [reply, slot, sort](Served<runtime::LinesAnswer> served) {
    if (Refused(served, *reply)) return;
    std::string json = "{\"items\":[";
    for (size_t i = 0; i < served.value.lines.size(); ++i) {
      json += (i > 0 ? "," : "") + LineJson(sort, served.value.lines[i]);
    }
    json += "],\"next\":" + JsonOf(CursorText(served.value.next)) + ",\"ended\":";
    reply->Give(JsonAnswer(200, json + (served.value.ended ? "true}" : "false}")));
  });
}

void Api::Look(const Route& route, const RequestHead& head, const Reply& reply) {
  const bool follow = WantsEvents(head);
  const std::string* after = Parameter(route, "after");
  std::string seen = after == nullptr ? "" : *after;
  if (follow && !head.last_event_id.empty()) seen = head.last_event_id;
  const Slot slot = follow ? TakeWait(*reply) : TakeCall(*reply);
  if (slot == nullptr) return;
  const LookSource source{service_, route.sid, route.action == Action::kThreads};
  if (follow) return FollowLooks(source, seen, limits_.look_ns, limits_.keep_alive_ns, after_, slot, reply);
  TakeLook(source, [reply, slot, seen](Served<Looked> served) {
    if (Refused(served, *reply)) return;
    const std::string next = DigestOf(served.value.items);
    const std::string items = next == seen ? "" : JoinItems(served.value.items);
    reply->Give(JsonAnswer(200, "{\"items\":[" + items + "],\"next\":" + JsonOf(next) + "}"));
  });
}

}  // namespace teal::serve

// Records as people see them.
#include <algorithm>

#include "core/runtime/durable.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"
#include "core/vm/json.h"

namespace teal::runtime {

namespace {

constexpr int64_t kExpireEveryNs = 10'000'000;

}  // namespace

std::string ValueJsonOf(const vm::Value& value) {
  std::string text;
  vm::Value error;
  if (vm::EncodeJson(value, &text, &error)) return text;
  // Functions and futures cannot leave a session; a number that JSON has no word for can.
  text.clear();
  vm::EncodeJson(vm::MakeString(vm::SourceForm(value)), &text, &error);
  return text;
}

std::string ErrorJsonOf(const vm::Value& error) {
  if (error.tag() != vm::Tag::kError) return ValueJsonOf(error);
  const vm::Error* e = error.As<vm::Error>();
  return "{\"kind\":" + ValueJsonOf(e->kind) + ",\"message\":" + ValueJsonOf(e->message) +
         ",\"data\":" + ValueJsonOf(e->data) + ",\"trace\":" + (e->trace.IsNull() ? "[]" : ValueJsonOf(e->trace)) + "}";
}

SessionView DurableSessions::ViewOf(const std::string& sid, const record::Session& session) const {
  SessionView view;
  view.sid = sid;
  view.id = session.id;
  view.function = session.function;
  for (const record::Label& label : session.labels) view.labels.emplace_back(label.key, label.value);
  view.program = Hex(session.program);
  view.created_unix_ns = session.created_unix_ns;
  view.started_unix_ns = session.started_unix_ns;
  view.ended_unix_ns = session.ended_unix_ns;
  if (session.ended_unix_ns == 0) {
    if (session.paused) {
      const std::string& reason = session.paused->reason;
      const bool dead = reason.starts_with(kDeadReason);
      view.status = dead ? ViewStatus::kDead : ViewStatus::kPaused;
      view.pause_reason = reason;
      if (dead) {
        view.error_json =
            "{\"kind\":\"dead\",\"message\":" + ValueJsonOf(vm::MakeString(reason)) + ",\"data\":null,\"trace\":[]}";
      }
    }
    return view;
  }
  const record::Thread& main = session.main;
  view.status = main.status == record::Status::kDone        ? ViewStatus::kDone
                : main.cancel == record::Cancel::kTerminate ? ViewStatus::kTerminated
                : main.status == record::Status::kCancelled ? ViewStatus::kCancelled
                                                            : ViewStatus::kFailed;
  if (main.result.empty()) return view;
  const auto loaded = programs_.find(session.program);
  Result<vm::Value> value =
      vm::DecodeValue(main.result.bytes, loaded == programs_.end() ? nullptr : loaded->second.program.get());
  if (!value.ok()) {
    view.error_json = "{\"kind\":\"internal\",\"message\":" + ValueJsonOf(vm::MakeString(value.failure().message)) +
                      ",\"data\":null,\"trace\":[]}";
  } else if (view.status == ViewStatus::kDone) {
    view.result_json = ValueJsonOf(*value);
  } else {
    view.error_json = ErrorJsonOf(*value);
  }
  return view;
}

// On the host's thread; done on it, too.
void DurableSessions::GetRecord(const std::string& sid, std::function<void(Served<record::Session>)> done,
                                bool erased_too) {
  const ServiceError none{ServiceError::Code::kNotFound, "there is no session " + sid, "", 0};
  if (!record::IsSid(sid)) return done({none, {}});
  options_.store->Get({record::SessionKey(sid)},
                      [this, sid, none, erased_too, done = std::move(done)](auto got) mutable {
                        Post([sid, none, erased_too, done = std::move(done), got = std::move(got)]() mutable {
                          if (!got.ok()) return done({ErrorOf(got.failure()), {}});
                          const std::optional<StoreItem>& item = got.value()[0];
                          if (!item) return done({none, {}});
                          Result<record::Session> session = record::DecodeSession(item->key, item->bytes);
                          if (!session.ok()) return done({ErrorOf(session.failure()), {}});
                          if (record::IsErase(session->main.status) && !erased_too) return done({none, {}});
                          done({std::nullopt, std::move(*session)});
                        });
                      });
}

void DurableSessions::Get(std::string sid, Done<SessionView> done) {
  Post([this, sid = std::move(sid), done = std::move(done)]() mutable {
    GetRecord(sid, [this, sid, done = std::move(done)](Served<record::Session> record) {
      if (record.error) return done({std::move(record.error), {}});
      done({std::nullopt, ViewOf(sid, record.value)});
    });
  });
}

void DurableSessions::Wait(std::string sid, uint64_t timeout_ns, Done<SessionView> done) {
  Post([this, sid = std::move(sid), timeout_ns, done = std::move(done)]() mutable {
    // First among those who wait, then the look: an end between the two is told to both.
    const int64_t now = Now();
    const int64_t until =
        timeout_ns > static_cast<uint64_t>(INT64_MAX - now) ? INT64_MAX : now + static_cast<int64_t>(timeout_ns);
    const auto answered = std::make_shared<bool>(false);
    const auto once = [answered, done = std::move(done)](Served<SessionView> view) {
      if (*answered) return;
      *answered = true;
      done(std::move(view));
    };
    waiting_[sid].push_back({until, once});
    WaitUntil(until);
    if (IsCarried(sid)) return;  // OnEnded tells
    GetRecord(sid, [this, sid, once](Served<record::Session> record) {
      if (record.error) return once({std::move(record.error), {}});
      SessionView view = ViewOf(sid, record.value);
      if (HasEnded(view.status)) once({std::nullopt, std::move(view)});
    });
  });
}

// Whether its end will be this host's to tell.
bool DurableSessions::IsCarried(const std::string& sid) const {
  const std::lock_guard<std::mutex> lock(runtime_->mutex());
  const Session* const session = runtime_->Find(sid);
  return session != nullptr && session->kept()->exists && !session->kept()->lost && !session->IsDead();
}

void DurableSessions::WaitUntil(int64_t unix_ns) {
  next_expiry_ns_ = std::min(next_expiry_ns_, unix_ns);
  if (shared_) next_observe_ns_ = std::min(next_observe_ns_, Now());  // whoever waits may wait for another host's
  SetAlarm();
}

// Waits that are over without an end. All are looked at, so that it is not done for each alone.
void DurableSessions::Expire(int64_t now) {
  next_expiry_ns_ = INT64_MAX;
  const int64_t replies = ExpireReplies(now);
  next_expiry_ns_ = std::min(next_expiry_ns_, replies);
  const auto keep = [this, now](int64_t until_ns) {
    next_expiry_ns_ = std::min(next_expiry_ns_, std::max(until_ns, now + kExpireEveryNs));
  };
  std::vector<std::pair<std::string, Waiting>> over;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    std::erase_if(at->second, [&](Waiting& one) {
      if (one.until_ns > now) {
        keep(one.until_ns);
        return false;
      }
      over.emplace_back(at->first, std::move(one));
      return true;
    });
    at = at->second.empty() ? waiting_.erase(at) : std::next(at);
  }
  for (auto& [key, one] : over) {
    GetRecord(key, [this, sid = key, done = std::move(one.done)](Served<record::Session> record) {
      if (record.error) return done({std::move(record.error), {}});
      done({std::nullopt, ViewOf(sid, record.value)});
    });
  }
  std::vector<Following> looks;
  for (auto at = following_.begin(); at != following_.end();) {
    std::erase_if(at->second, [&](Following& one) {
      if (one.until_ns > now) {
        keep(one.until_ns);
        return false;
      }
      looks.push_back(std::move(one));
      return true;
    });
    at = at->second.empty() ? following_.erase(at) : std::next(at);
  }
  for (const Following& one : looks) one.look();
}

}  // namespace teal::runtime

// Events from outside, and the replies that their senders wait for (`request` and `reply` of the language). A reply is
// a record of the commit in which it was given; whoever waits for it reads that, so a repeat under the same key gets
// the same reply, from another host and after the end of the session too, as long as it is kept.
// Where another host carries the session, the event is written beside (durable_beside.cpp) and the reply looked for
// whenever the session's record changes (durable_shared.cpp).
#include <algorithm>

#include "core/runtime/durable.h"
#include "core/runtime/host_alone.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"
#include "core/vm/json.h"

namespace teal::runtime {

using Code = ServiceError::Code;

namespace {

constexpr size_t kEventNameBytesMax = 256;
// Nobody tells of a reply that was given on another host: it is looked for.
constexpr int64_t kLookForReplyNs = 5'000'000'000;
constexpr int64_t kLookEveryNs = 10'000'000;  // not more often

ServiceError HasEndedError(const std::string& sid) {
  return {Code::kConflict, "the session " + sid + " has ended", "", 0};
}

}  // namespace

ServiceError DurableSessions::IsFullError(const std::string& sid) {
  return {Code::kOverloaded, "the session " + sid + " has as many events waiting as it may",
          "send again when it has taken some", 1'000'000'000};
}

void DurableSessions::Send(std::string sid, std::string event, std::string value_json, std::string key,
                           uint64_t reply_ns, Done<std::optional<std::string>> done) {
  if (event.empty() || event.size() > kEventNameBytesMax) {
    return done({ServiceError{Code::kInvalid,
                              "an event's name has 1 to " + std::to_string(kEventNameBytesMax) + " bytes", "", 0},
                 {}});
  }
  Post([this, sid = std::move(sid), event = std::move(event), json = std::move(value_json), key = std::move(key),
        reply_ns, done = std::move(done)]() mutable {
    vm::Value value;
    vm::Value error;
    if (!vm::DecodeJson(json, &value, &error)) {
      return done({ServiceError{Code::kInvalid, "the value: " + std::string(error.As<vm::Error>()->message.Text()),
                                "write JSON", 0},
                   {}});
    }
    if (key.empty()) key = RandomSid();
    const int64_t now = Now();
    auto asking = std::make_shared<Asking>();
    asking->id = record::ReplyId(event, key);
    asking->until_ns =
        reply_ns > static_cast<uint64_t>(INT64_MAX - now) ? INT64_MAX : now + static_cast<int64_t>(reply_ns);
    asking->done = std::move(done);
    Deliver(sid,
            std::make_shared<const Sending>(Sending{std::move(event), value, std::move(key), reply_ns > 0, asking}));
  });
}

// On the host's thread.
void DurableSessions::Deliver(const std::string& sid, std::shared_ptr<const Sending> sending) {
  const auto refuse = [sending](const ServiceError& refusal) { sending->asking->done({refusal, {}}); };
  const auto taken = [this, sid, sending] {
    if (!sending->wants_reply) return sending->asking->done({std::nullopt, std::nullopt});
    LookForReply(sid, sending->asking);
  };
  // A repeat that comes after the end: its reply may be there.
  const auto ended = [this, sid, sending, refuse] {
    if (!sending->wants_reply) return refuse(HasEndedError(sid));
    LookForReply(sid, sending->asking);
  };
  const auto again = [this, sid, sending] { Soon([this, sid, sending] { Deliver(sid, sending); }); };
  WithEventsOf(sid, [this, sid, sending, refuse, taken, ended, again](Session* session, const ServiceError* why) {
    if (session == nullptr && why == &kElsewhere) {
      return runtime_->Later([this, sid, sending, refuse, taken, again] {
        Beside(sid, EventBeside(sid, *sending), again,
               [refuse, taken](const std::optional<ServiceError>& error) { error ? refuse(*error) : taken(); });
      });
    }
    if (session == nullptr && why->code == Code::kConflict) return runtime_->Later(ended);
    if (session == nullptr) return runtime_->Later([refuse, error = *why] { refuse(error); });
    switch (session->Deliver(sending->event, sending->value, sending->key, sending->wants_reply)) {
      case Session::Delivery::kEnded:
        // If that is what the store will have, and not another host's to say.
        return session->TellWhenKept([refuse, ended, again](const Status& status) {
          if (MustAskAgain(status)) return again();
          status.ok() ? ended() : refuse(ErrorOf(status.failure()));
        });
      case Session::Delivery::kFull:
        return runtime_->Later([refuse, sid] { refuse(IsFullError(sid)); });
      case Session::Delivery::kTaken:
      case Session::Delivery::kRepeated:
        // A repeat is told when what it repeats is in the store.
        return session->TellWhenKept([refuse, taken, again](const Status& status) {
          if (MustAskAgain(status)) return again();
          status.ok() ? taken() : refuse(ErrorOf(status.failure()));
        });
    }
  });
}

// Answers if the reply is there, or none can come any more; else waits for it.
void DurableSessions::LookForReply(const std::string& sid, std::shared_ptr<Asking> asking) {
  if (asking->answered) return;
  if (stopped_) {
    asking->answered = true;
    return asking->done({ServiceError{Code::kUnavailable, "the host stops", "", 1'000'000'000}, {}});
  }
  // Among those who wait first, then the look: a reply between the two is told to both.
  const int64_t now = Now();
  asking->look_ns = std::max(std::min(asking->until_ns, now + kLookForReplyNs), now + kLookEveryNs);
  asking_[sid].push_back(asking);
  WaitUntil(asking->look_ns);
  const auto answer = [asking](Served<std::optional<std::string>> served) {
    if (asking->answered) return;
    asking->answered = true;
    asking->done(std::move(served));
  };
  // The session before the reply: the last commit of one that has ended holds its last reply.
  GetRecord(sid, [this, sid, asking, answer](Served<record::Session> session) {
    if (session.error) return answer({std::move(session.error), {}});
    const bool ended = session.value.ended_unix_ns > 0;
    options_.store->Get({record::ReplyKey(sid, asking->id)}, [this, sid, asking, answer, ended](auto got) {
      Post([this, sid, asking, answer, ended, got = std::move(got)]() mutable {
        if (!got.ok()) return answer({ErrorOf(got.failure()), {}});
        const std::optional<StoreItem>& item = got.value()[0];
        if (item) {
          Result<record::Reply> reply = record::DecodeReply(item->key, item->bytes);
          if (!reply.ok()) return answer({ErrorOf(reply.failure()), {}});
          Result<vm::Value> value = vm::DecodeValue(reply->value.bytes, nullptr);
          if (!value.ok()) return answer({ErrorOf(value.failure()), {}});
          return answer({std::nullopt, ValueJsonOf(*value)});
        }
        if (ended) return answer({HasEndedError(sid), {}});
        if (Now() >= asking->until_ns) answer({std::nullopt, std::nullopt});
      });
    });
  });
}

void DurableSessions::OnReplied(const std::string& sid, const std::string& id) {
  LookAgain(sid, [&id](const Asking& one) { return one.id == id; });
}

// Takes those out who want to look now, and lets them. Those who have their answer go.
void DurableSessions::LookAgain(const std::string& sid, const std::function<bool(const Asking&)>& wants) {
  const auto of = asking_.find(sid);
  if (of == asking_.end()) return;
  std::vector<std::shared_ptr<Asking>> looks;
  std::erase_if(of->second, [&](const std::shared_ptr<Asking>& one) {
    if (one->answered) return true;
    if (!wants(*one)) return false;
    looks.push_back(one);
    return true;
  });
  if (of->second.empty()) asking_.erase(of);
  for (std::shared_ptr<Asking>& one : looks) LookForReply(sid, std::move(one));
}

// Whose time is over, and who looks again. Gives when the next does.
int64_t DurableSessions::ExpireReplies(int64_t now) {
  int64_t next = INT64_MAX;
  std::vector<std::string> over;
  for (const auto& [sid, all] : asking_) {
    bool any = false;
    for (const std::shared_ptr<Asking>& one : all) {
      any = any || one->answered || one->look_ns <= now;
      if (!one->answered && one->look_ns > now) next = std::min(next, one->look_ns);
    }
    if (any) over.push_back(sid);
  }
  for (const std::string& sid : over) {
    LookAgain(sid, [now](const Asking& one) { return one.look_ns <= now; });
  }
  return next;
}

}  // namespace teal::runtime

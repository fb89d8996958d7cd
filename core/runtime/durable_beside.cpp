// What is asked of a session that another host carries is written beside it: into the side fields of its record, on the
// version that was read (P-2). The host that carries it finds that out by its next commit; so that it need not be asked
// for one, the same commit puts a letter into its box. Letters are hints: lost, late or twice, they change nothing.
#include <algorithm>
#include <cassert>

#include "core/runtime/durable.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"

namespace teal::runtime {

using Code = ServiceError::Code;

namespace {

constexpr uint64_t kLettersOfPage = 1'000;
constexpr uint64_t kLetterLivesNs = 3'600'000'000'000;  // its host is gone long before

}  // namespace

// On the host's thread, without the mutex; so are `here` and `done`.
void DurableSessions::Beside(const std::string& sid, SideEdit edit, std::function<void()> here,
                             std::function<void(std::optional<ServiceError>)> done) {
  options_.store->Get({record::SessionKey(sid)}, [this, sid, edit = std::move(edit), here = std::move(here),
                                                  done = std::move(done)](auto got) mutable {
    Post([this, sid, edit = std::move(edit), here = std::move(here), done = std::move(done), got = std::move(got)] {
      if (!got.ok()) return done(ErrorOf(got.failure()));
      const std::optional<StoreItem>& own = got.value()[0];
      if (!own) return done(ServiceError{Code::kNotFound, "there is no session " + sid, "", 0});
      Result<record::Session> session = record::DecodeSession(own->key, own->bytes);
      if (!session.ok()) return done(ErrorOf(session.failure()));
      if (!IsElsewhere(*session)) return here();
      Served<bool> edited = edit(*session);
      if (edited.error || !edited.value) return done(std::move(edited.error));
      const auto again = [this, sid, edit, here, done] {
        Soon([this, sid, edit, here, done] { Beside(sid, edit, here, done); });
      };
      SendBeside(*session, *own, again, done);
    });
  });
}

void DurableSessions::SendBeside(const record::Session& session, StoreItem own, std::function<void()> again,
                                 std::function<void(std::optional<ServiceError>)> done) {
  assert(session.carrier.has_value());
  Result<std::string> bytes = record::Encode(own.key, session);
  if (!bytes.ok()) return done(ErrorOf(bytes.failure()));
  std::vector<StoreWrite> writes(2);
  writes[0].key = own.key;
  writes[0].condition = StoreCondition::kVersion;
  writes[0].expected = own.version;
  writes[0].bytes = std::move(*bytes);
  // A paused session has no due time: if its host dies before it knows, somebody must still look.
  writes[0].due_unix_ns = own.due_unix_ns != 0 ? own.due_unix_ns : session.carrier->until_unix_ns;
  writes[1].key = record::MailKey(session.carrier->holder, own.key.partition);
  Result<std::string> letter = record::EncodeListed(writes[1].key);
  assert(letter.ok());
  writes[1].bytes = std::move(*letter);
  writes[1].expires_unix_ns = static_cast<uint64_t>(Now()) + kLetterLivesNs;
  options_.store->Commit(std::move(writes), [this, again = std::move(again), done = std::move(done)](auto outcome) {
    Post([again, done, outcome = std::move(outcome)]() mutable {
      if (!outcome.ok()) return done(ErrorOf(outcome.failure()));
      if (!outcome->applied) return again();
      done(std::nullopt);
    });
  });
}

DurableSessions::SideEdit DurableSessions::EventBeside(const std::string& sid, const Sending& sending) {
  Result<std::string> encoded = vm::EncodeValue(sending.value);
  assert(encoded.ok());
  return [sid, event = sending.event, bytes = std::move(*encoded), id = sending.key,
          wants_reply = sending.wants_reply](record::Session& session) -> Served<bool> {
    auto at = std::lower_bound(session.inbox.begin(), session.inbox.end(), event,
                               [](const record::Inbox& inbox, const std::string& name) { return inbox.name < name; });
    if (at == session.inbox.end() || at->name != event) {
      at = session.inbox.insert(at, record::Inbox{event, {}, {}, {}});
    }
    const auto same =
        std::find_if(at->values.begin(), at->values.end(), [&](const record::EventValue& one) { return one.id == id; });
    if (same != at->values.end()) {
      const bool waits_now = wants_reply && !same->wants_reply;
      same->wants_reply = same->wants_reply || wants_reply;
      return {std::nullopt, waits_now};
    }
    if (std::find(at->seen.begin(), at->seen.end(), record::SeenId(id)) != at->seen.end()) return {std::nullopt, false};
    // Half for those beside, as for the host that carries it (Session::Deliver).
    uint64_t count = 1;
    uint64_t size = bytes.size() + id.size();
    for (const record::Inbox& inbox : session.inbox) {
      count += inbox.values.size();
      for (const record::EventValue& one : inbox.values) size += one.value.bytes.size() + one.id.size();
    }
    if (count > record::kInboxValuesMax / 2 || size > record::kInboxBytesMax / 2) return {IsFullError(sid), false};
    at->values.push_back({id, record::Content::Of(bytes), {}, wants_reply});
    return {std::nullopt, true};
  };
}

void DurableSessions::WithEventsOf(std::string sid, WithSession call) {
  StoreVersion before{};
  bool here = false;
  if (shared_) {
    const std::lock_guard<std::mutex> lock(runtime_->mutex());
    if (Session* session = runtime_->Find(sid); session != nullptr && session->kept()->exists) {
      before = session->kept()->version;
      here = true;
    }
  }
  if (!here) return With(std::move(sid), std::move(call));
  options_.store->Get({record::SessionKey(sid)}, [this, sid, before, call = std::move(call)](auto got) mutable {
    Post([this, sid, before, call = std::move(call), got = std::move(got)]() mutable {
      if (!got.ok()) {
        const ServiceError error = ErrorOf(got.failure());
        const std::lock_guard<std::mutex> lock(runtime_->mutex());
        return call(nullptr, &error);
      }
      AdoptMail(sid, got.value()[0], before);
      if (got.value()[0]) {
        Result<record::Session> found = record::DecodeSession(got.value()[0]->key, got.value()[0]->bytes);
        const std::lock_guard<std::mutex> lock(runtime_->mutex());
        Session* const session = runtime_->Find(sid);
        if (found.ok() && session != nullptr && !session->KnowsEventsOf(*found)) {
          // A commit is on its way, and will find them.
          return session->TellWhenKept([this, sid, call](const Status&) { WithEventsOf(sid, call); });
        }
      }
      With(sid, std::move(call));
    });
  });
}

// ---- mail ----

void DurableSessions::ReadMail() {
  reading_mail_ = true;
  next_mail_ns_ = Now() + static_cast<int64_t>(options_.mail_every_ns);
  options_.store->Scan(record::MailPartition(options_.incarnation), {}, kLettersOfPage, {},
                       [this](Result<StorePage> page) {
                         Post([this, page = std::move(page)]() mutable {
                           if (page.ok() && !page->items.empty()) return OpenMail(std::move(page->items));
                           reading_mail_ = false;
                           SetAlarm();
                         });
                       });
}

void DurableSessions::OpenMail(std::vector<StoreItem> mail) {
  std::vector<record::Key> keys;
  std::vector<StoreVersion> before;  // of what is in memory; none: all zero
  {
    const std::lock_guard<std::mutex> lock(runtime_->mutex());
    for (const StoreItem& letter : mail) {
      Session* const session = runtime_->Find(letter.key.sort);
      keys.push_back(record::SessionKey(letter.key.sort));
      before.push_back(session == nullptr ? StoreVersion{} : session->kept()->version);
    }
  }
  options_.store->Get(std::move(keys), [this, mail = std::move(mail), before = std::move(before)](auto got) {
    Post([this, mail, before, got = std::move(got)] {
      reading_mail_ = false;
      SetAlarm();
      if (!got.ok()) return;
      std::vector<StoreWrite> read;
      for (size_t i = 0; i < mail.size(); ++i) {
        AdoptMail(mail[i].key.sort, got.value()[i], before[i]);
        // A commit in the air will find out; until it has, the letter stays.
        const std::lock_guard<std::mutex> lock(runtime_->mutex());
        Session* const session = runtime_->Find(mail[i].key.sort);
        const bool known =
            session == nullptr || (got.value()[i] && session->kept()->version == got.value()[i]->version);
        if (!known) continue;
        StoreWrite& write = read.emplace_back();
        write.kind = StoreWrite::Kind::kDelete;
        write.condition = StoreCondition::kVersion;
        write.key = mail[i].key;
        write.expected = mail[i].version;
      }
      // Each for itself: one that was written anew meanwhile stays.
      for (StoreWrite& write : read) options_.store->Commit({std::move(write)}, [](const auto&) {});
    });
  });
}

// before: the version that the session in memory had before the record was read. If it still has it, and nothing is on
// its way, the record is no older than the session.
void DurableSessions::AdoptMail(const std::string& sid, const std::optional<StoreItem>& item,
                                const StoreVersion& before) {
  const std::lock_guard<std::mutex> lock(runtime_->mutex());
  Session* const session = runtime_->Find(sid);
  if (session == nullptr || !item) return;
  KeptSession& kept = *session->kept();
  if (kept.in_air || kept.lost || !kept.exists || kept.version != before || item->version == before) return;
  Result<record::Session> found = record::DecodeSession(item->key, item->bytes);
  if (!found.ok()) return;
  if (record::IsFenced(kept.shared->stored_id, found->main)) {
    return session->Lose(Fail(FailureCode::kNotFound, "another host has taken the session over"));
  }
  session->Adopt(*found, item->version);
}

}  // namespace teal::runtime

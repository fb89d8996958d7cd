// Taking sessions up from the store, putting them down, and looking for those that are due.
#include <algorithm>
#include <cassert>

#include "core/base/mutant.h"
#include "core/runtime/durable.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/scheduler.h"
#include "core/runtime/session.h"

namespace teal::runtime {

namespace {

constexpr uint64_t kPageRecords = 1'000;
// A session that is to wake sooner stays in memory, or is noted for its time.
constexpr int64_t kSoonNs = 5'000'000'000;

}  // namespace

// On the host's thread, without the mutex.
void DurableSessions::With(std::string sid, WithSession call) {
  {
    const std::lock_guard<std::mutex> lock(runtime_->mutex());
    Session* session = runtime_->Find(sid);
    if (session != nullptr && !session->ended()) return call(session, nullptr);
  }
  if (!record::IsSid(sid)) {
    const ServiceError error{ServiceError::Code::kNotFound, "there is no session " + sid, "an id has 26 characters", 0};
    const std::lock_guard<std::mutex> lock(runtime_->mutex());
    return call(nullptr, &error);
  }
  std::vector<WithSession>& all = coming_[sid];
  all.push_back(std::move(call));
  if (all.size() == 1) TakeUp(sid);
}

// What it needs: its own record, its threads and their values. Output, history and replies stay where they are, so a
// long life costs nothing here. A scan may be stale (P-1), and records of several scans are not of one time: if the
// session's own record has moved on after them, all is read again.
void DurableSessions::TakeUp(const std::string& sid) {
  auto items = std::make_shared<std::vector<StoreItem>>();
  options_.store->Get({record::SessionKey(sid)}, [this, items, sid](auto got) {
    Post([this, items, sid, got = std::move(got)]() mutable {
      if (!got.ok()) {
        const ServiceError error = ErrorOf(got.failure());
        return TakenUp(sid, &error);
      }
      std::optional<StoreItem>& own = got.value()[0];
      if (!own) return TakeUpRecords(sid, {}, true);
      if (shared_) {
        Result<record::Session> session = record::DecodeSession(own->key, own->bytes);
        if (session.ok() && IsElsewhere(*session)) return TakenUp(sid, &kElsewhere);
      }
      if (suspects_.erase(sid) > 0) return Blame(sid, std::move(*own));
      const bool ended = IsOver(*own);
      items->push_back(std::move(*own));
      // One whose time is over is erased, with all that it has.
      TakeUpPage(items, sid, ended ? kAll : kThreads, {});
    });
  });
}

bool DurableSessions::IsOver(const StoreItem& own) const {
  if (own.due_unix_ns == 0 || own.due_unix_ns > static_cast<uint64_t>(Now())) return false;
  Result<record::Session> session = record::DecodeSession(own.key, own.bytes);
  return session.ok() && (session->ended_unix_ns > 0 || record::IsErase(session->main.status));
}

void DurableSessions::TakeUpPage(std::shared_ptr<std::vector<StoreItem>> items, const std::string& sid, TakeUpPart part,
                                 std::string cursor) {
  static constexpr const char* kPrefixes[] = {"t/", "v/", ""};
  options_.store->Scan(sid, kPrefixes[part], kPageRecords, std::move(cursor),
                       [this, items, sid, part](Result<StorePage> page) {
                         Post([this, items, sid, part, page = std::move(page)]() mutable {
                           if (!page.ok()) {
                             const ServiceError error = ErrorOf(page.failure());
                             return TakenUp(sid, &error);
                           }
                           for (StoreItem& item : page->items) {
                             if (item.key.sort != "s") items->push_back(std::move(item));
                           }
                           if (page->more) return TakeUpPage(items, sid, part, page->next);
                           if (part == kThreads) return TakeUpPage(items, sid, kValues, {});
                           TakeUpSame(items, sid, part == kAll);
                         });
                       });
}

void DurableSessions::TakeUpSame(std::shared_ptr<std::vector<StoreItem>> items, const std::string& sid, bool all) {
  options_.store->Get({record::SessionKey(sid)}, [this, items, sid, all](auto got) {
    Post([this, items, sid, all, got = std::move(got)]() mutable {
      if (!got.ok()) {
        const ServiceError error = ErrorOf(got.failure());
        return TakenUp(sid, &error);
      }
      const std::optional<StoreItem>& own = got.value()[0];
      if (!own || items->front().version != own->version) return TakeUp(sid);
      TakeUpRecords(sid, std::move(*items), all);
    });
  });
}

// all: not only what a session that goes on needs.
void DurableSessions::TakeUpRecords(const std::string& sid, std::vector<StoreItem> items, bool all) {
  const auto fail = [this, &sid](ServiceError::Code code, const std::string& message) {
    const ServiceError error{code, message, "", 0};
    TakenUp(sid, &error);
  };
  std::optional<record::Session> session;
  StoreItem own;
  std::vector<std::pair<std::string, record::Thread>> threads;
  auto values = std::make_shared<std::map<Sha256, std::string>>();
  auto kept = std::make_unique<KeptSession>();
  for (StoreItem& item : items) {
    const std::optional<record::ParsedKey> at = record::Parse(item.key);
    if (!at) continue;  // of a newer release
    if (at->kind == record::Kind::kSession) {
      Result<record::Session> read = record::DecodeSession(item.key, item.bytes);
      if (!read.ok()) return fail(ServiceError::Code::kInternal, read.failure().message);
      session = std::move(*read);
      kept->version = item.version;
      own = item;
    } else if (at->kind == record::Kind::kThread) {
      Result<record::Thread> read = record::DecodeThread(item.key, item.bytes);
      if (!read.ok()) return fail(ServiceError::Code::kInternal, read.failure().message);
      threads.emplace_back(at->tid, std::move(*read));
    } else if (at->kind == record::Kind::kValue) {
      Result<record::Value> read = record::DecodeValue(item.key, item.bytes);
      if (!read.ok()) return fail(ServiceError::Code::kInternal, read.failure().message);
      values->emplace(at->hash, std::move(read->bytes));
    }
  }
  const bool over = session && (session->ended_unix_ns > 0 || record::IsErase(session->main.status)) &&
                    own.due_unix_ns > 0 && own.due_unix_ns <= static_cast<uint64_t>(Now());
  if (over && all) {
    std::vector<record::Key> others;
    for (const StoreItem& item : items) {
      if (item.key != own.key) others.push_back(item.key);
    }
    Erase(sid, own, *session, std::move(others));
  }
  if (!session || record::IsErase(session->main.status)) {
    return fail(ServiceError::Code::kNotFound, "there is no session " + sid);
  }
  if (session->ended_unix_ns > 0) {
    return fail(ServiceError::Code::kConflict, "the session " + sid + " has ended");
  }
  // Leases of hosts that may live are heeded; over a store that only one may have open, there is none (P-10).
  if (IsElsewhere(*session)) return TakenUp(sid, &kElsewhere);
  const Sha256 program = session->program;
  WithProgram(program,
              [this, sid, kept = std::make_shared<std::unique_ptr<KeptSession>>(std::move(kept)),
               session = std::make_shared<record::Session>(std::move(*session)),
               threads = std::make_shared<std::vector<std::pair<std::string, record::Thread>>>(std::move(threads)),
               values](const Result<Loaded>& loaded) {
                if (!loaded.ok()) {
                  const ServiceError error = ErrorOf(loaded.failure());
                  return TakenUp(sid, &error);
                }
                // Without the foreign code of its program it waits until somebody resumes it.
                const std::optional<record::Paused> stored_paused = session->paused;
                const bool pauses = !loaded.value().missing.empty() && !session->paused;
                if (pauses) {
                  session->paused = record::Paused{"package_missing", static_cast<uint64_t>(Now()), {}};
                  Log("the session " + sid + " is paused, package_missing: " + loaded.value().missing);
                }
                KeptSession& to = **kept;
                to.exists = to.listed = true;
                uint64_t epoch = session->main.epoch;
                bool was_carried = session->main.lease.has_value() || session->carrier.has_value();
                for (const auto& [tid, thread] : *threads) {
                  epoch = std::max(epoch, thread.epoch);
                  was_carried = was_carried || thread.lease.has_value();
                }
                to.epoch = epoch + (was_carried && !TEAL_MUTANT("take_over_same_epoch") ? 1 : 0);
                to.taken_over = was_carried;
                to.head = *session;
                to.head.main = record::Thread();
                to.head.inbox.clear();
                to.head.event_waiters.clear();
                to.head.taken.clear();
                to.head.published.clear();
                to.head.history.clear();
                to.head.carrier.reset();
                // What others asked for beside: done below, as if it came now.
                record::Session beside;
                beside.main.cancel = session->cancelled ? record::Cancel::kNo : session->main.cancel;
                beside.paused = session->paused;
                beside.inbox = session->inbox;
                if (shared_ && !session->cancelled) session->main.cancel = record::Cancel::kNo;
                const StoreVersion version = to.version;
                const bool takes_over = shared_ && session->carrier.has_value();
                SessionStart start;
                start.program = loaded.value().program;
                start.foreign = loaded.value().foreign;
                start.id = sid;
                start.limits = options_.limits;
                std::unique_lock<std::mutex> lock(runtime_->mutex());
                if (runtime_->Find(sid) != nullptr) {
                  lock.unlock();
                  return TakenUp(sid, nullptr);
                }
                Result<Session*> carried =
                    runtime_->CarryOn(std::move(start), std::move(*kept), std::move(*session), std::move(*threads),
                                      [values](const Sha256& hash) -> Result<std::string> {
                                        const auto found = values->find(hash);
                                        if (found == values->end())
                                          return Fail(FailureCode::kNotFound, "no value " + Hex(hash));
                                        return found->second;
                                      });
                if (carried.ok() && shared_ && beside.main.cancel != record::Cancel::kNo) {
                  (*carried)->Adopt(beside, version);
                }
                if (carried.ok() && shared_ && pauses) {
                  // It is not kept from a host that has the code.
                  (*carried)->kept()->shared->stored_paused = stored_paused;
                  (*carried)->HandOver(true);
                }
                // P-10: a take-over is written, with the next epoch.
                if (carried.ok() && (takes_over || pauses)) (*carried)->WantCommit();
                lock.unlock();
                if (!carried.ok()) {
                  const ServiceError error = ErrorOf(carried.failure());
                  return TakenUp(sid, &error);
                }
                TakenUp(sid, nullptr);
              });
}

void DurableSessions::TakenUp(const std::string& sid, const ServiceError* why) {
  const auto all = coming_.extract(sid);
  if (all.empty()) return;
  const std::lock_guard<std::mutex> lock(runtime_->mutex());
  for (const WithSession& call : all.mapped()) {
    Session* const session = why == nullptr ? runtime_->Find(sid) : nullptr;
    static const ServiceError kGone{ServiceError::Code::kUnavailable, "the session has left this host", "try again",
                                    1'000'000'000};
    call(session, session == nullptr && why == nullptr ? &kGone : why);
  }
}

// Sessions at rest leave memory, leases are renewed at half time (P-27), and those whose time is over end.
void DurableSessions::PutDown() {
  const int64_t now = Now();
  const std::lock_guard<std::mutex> lock(runtime_->mutex());
  std::vector<Session*> down;
  bool leased = false;
  for (const std::shared_ptr<Session>& one : runtime_->sessions()) {
    Session& session = *one;
    KeptSession& kept = *session.kept();
    leased = leased || kept.lease_until_ns > 0;
    if (kept.lost || kept.in_air || session.ended()) continue;
    if (kept.head.deadline_unix_ns > 0 && static_cast<int64_t>(kept.head.deadline_unix_ns) <= now) {
      session.EndNow(SessionStatus::kFailed, vm::MakeError("timeout", "the session took longer than its timeout"));
      continue;
    }
    if (kept.wanted) continue;
    if (kept.lease_until_ns > 0) {
      if (!session.AtRest() && kept.lease_until_ns - now < static_cast<int64_t>(kept.lease_ns / 2)) {
        kept.lease_ns = record::NextLease(kept.lease_ns, options_.constants);
        session.WantCommit();
      } else if (session.AtRest() && kept.quiet_since_ns + static_cast<int64_t>(options_.keep_ns) < now) {
        session.WantCommit();  // the lease is given back, and its true due time written
      }
      continue;
    }
    if (!options_.sweeps) continue;  // nobody would bring it back
    if (!session.AtRest() || now - kept.quiet_since_ns < static_cast<int64_t>(options_.keep_ns)) continue;
    if (session.NextDeadline() - kSoonNs < now) continue;
    down.push_back(&session);
  }
  for (Session* session : down) {
    session->kept()->lost = true;
    runtime_->Drop(*session);
  }
  carried_ = runtime_->sessions().size();
  // Letters come to who has a lease.
  next_mail_ns_ = !leased ? INT64_MAX : std::min(next_mail_ns_, now + static_cast<int64_t>(options_.mail_every_ns));
}

void DurableSessions::Sweep(std::string cursor) {
  const int64_t now = Now();
  // At the first look everything that a former life of this host carried is due, if nobody else can be there.
  const bool all_leases = first_sweep_ && !options_.store->limits().shared;
  const uint64_t until = static_cast<uint64_t>(now + kSoonNs) +
                         (all_leases ? options_.constants.lease_max_ns + options_.constants.due_round_ns : 0);
  options_.store->ScanDue(0, 1, until, kPageRecords, std::move(cursor),
                          [this, now, all_leases](Result<StorePage> page) {
                            Post([this, now, all_leases, page = std::move(page)]() mutable {
                              if (stopped_) return;
                              if (page.ok()) {
                                uint64_t lag = 0;
                                for (const StoreItem& item : page->items) {
                                  const std::optional<record::ParsedKey> at = record::Parse(item.key);
                                  if (!at || at->kind != record::Kind::kSession) continue;
                                  const auto due = static_cast<int64_t>(item.due_unix_ns);
                                  if (due < now) lag = std::max(lag, static_cast<uint64_t>(now - due));
                                  {
                                    const std::lock_guard<std::mutex> lock(runtime_->mutex());
                                    if (runtime_->Find(at->sid) != nullptr) continue;
                                  }
                                  if (coming_.count(at->sid) > 0 || !Sweeps(at->sid, now - due)) continue;
                                  NoteDue(at->sid, all_leases ? std::min(due, now) : due);
                                }
                                sweep_lag_ns_ = lag;
                                if (page->more) return Sweep(page->next);
                                first_sweep_ = false;
                              }
                              sweeping_ = false;
                              SetAlarm();
                            });
                          });
}

}  // namespace teal::runtime

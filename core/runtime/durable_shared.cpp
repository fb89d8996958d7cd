// Several hosts over one store: which of them carries a session, what this one learns of sessions that others carry,
// and how it leaves its own to them when it stops.
#include <algorithm>
#include <cassert>

#include "core/base/mutant.h"
#include "core/runtime/durable.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"

namespace teal::runtime {

namespace {

// How often a session is looked at that another host carries and somebody here waits for: soon at first, and after
// each change, then more seldom.
constexpr int64_t kWatchFirstNs = 20'000'000;
constexpr int64_t kWatchSeldomNs = 1'000'000'000;
constexpr int64_t kHandOverLookNs = 20'000'000;
constexpr int64_t kSoonNs = 5'000'000'000;

}  // namespace

const ServiceError DurableSessions::kElsewhere{ServiceError::Code::kUnavailable, "another host carries the session",
                                               "try again", 1'000'000'000};

bool DurableSessions::IsElsewhere(const record::Session& session) const {
  if (!shared_ || !session.carrier || session.carrier->holder == options_.incarnation) return false;
  if (TEAL_MUTANT("lease_ignored")) return false;
  return !record::LeaseIsOver(*session.carrier, static_cast<uint64_t>(Now()), options_.constants);
}

void DurableSessions::NoteDue(const std::string& sid, int64_t unix_ns) {
  if (upcoming_of_.emplace(sid, unix_ns).second) upcoming_.emplace(unix_ns, sid);
}

// Sessions that were due as far as this host knew. Another may have come first: then it is left alone.
void DurableSessions::LookAtDue(std::vector<std::string> sids) {
  std::vector<record::Key> keys;
  for (const std::string& sid : sids) keys.push_back(record::SessionKey(sid));
  options_.store->Get(std::move(keys), [this, sids = std::move(sids)](auto got) {
    Post([this, sids, got = std::move(got)] {
      if (!got.ok() || stopped_) return;  // the next sweep finds them again
      const int64_t now = Now();
      for (size_t i = 0; i < sids.size(); ++i) {
        const std::optional<StoreItem>& own = got.value()[i];
        if (!own) continue;
        Result<record::Session> session = record::DecodeSession(own->key, own->bytes);
        const bool carried = session.ok() && session->carrier.has_value();
        if (session.ok() && IsElsewhere(*session)) {
          const auto over = static_cast<int64_t>(session->carrier->until_unix_ns + options_.constants.skew_max_ns);
          if (own->due_unix_ns != 0 && over < now + kSoonNs) NoteDue(sids[i], over);
          continue;
        }
        // One that this host lost, though its lease still runs, is gone on with at once.
        const bool mine = carried && session->carrier->holder == options_.incarnation;
        const auto due = static_cast<int64_t>(own->due_unix_ns);
        if (!mine && (due == 0 || due > now)) {
          if (due != 0 && due < now + kSoonNs) NoteDue(sids[i], due);
          continue;
        }
        With(sids[i], [](Session*, const ServiceError*) {});
      }
      SetAlarm();
    });
  });
}

// Those who wait here for sessions that others carry are told by looking.
void DurableSessions::Observe(int64_t now) {
  next_observe_ns_ = INT64_MAX;
  for (auto& [sid, watched] : watched_) watched.wanted = false;
  std::vector<std::string> sids;
  const auto want = [&](const std::string& sid) {
    if (!record::IsSid(sid)) return;
    Watched& watched = watched_[sid];
    if (watched.wanted) return;
    watched.wanted = true;
    if (watched.every_ns == 0) {
      watched.every_ns = kWatchFirstNs;
      watched.next_ns = now + kWatchFirstNs;
    }
    if (watched.next_ns <= now) {
      watched.every_ns = std::min(watched.every_ns + watched.every_ns / 2, kWatchSeldomNs);
      watched.next_ns = now + watched.every_ns;
      sids.push_back(sid);
    }
    next_observe_ns_ = std::min(next_observe_ns_, watched.next_ns);
  };
  for (const auto& [sid, all] : waiting_) want(sid);
  for (const auto& [sid, all] : following_) want(sid);
  for (const auto& [sid, all] : asking_) want(sid);
  std::erase_if(watched_, [](const auto& one) { return !one.second.wanted; });
  {
    // What is carried here tells by itself.
    const std::lock_guard<std::mutex> lock(runtime_->mutex());
    std::erase_if(sids, [this](const std::string& sid) {
      Session* const session = runtime_->Find(sid);
      return session != nullptr && session->kept()->lease_until_ns > 0;
    });
  }
  if (sids.empty()) return;
  std::vector<record::Key> keys;
  for (const std::string& sid : sids) keys.push_back(record::SessionKey(sid));
  options_.store->Get(std::move(keys), [this, sids = std::move(sids)](auto got) {
    Post([this, sids, got = std::move(got)] {
      if (!got.ok()) return;
      for (size_t i = 0; i < sids.size(); ++i) Observed(sids[i], got.value()[i]);
    });
  });
}

void DurableSessions::Observed(const std::string& sid, const std::optional<StoreItem>& item) {
  const auto watched = watched_.find(sid);
  if (watched == watched_.end() || !item || item->version == watched->second.version) return;
  watched->second.version = item->version;
  watched->second.every_ns = kWatchFirstNs;
  watched->second.next_ns = Now() + kWatchFirstNs;
  next_observe_ns_ = std::min(next_observe_ns_, watched->second.next_ns);
  SetAlarm();
  OnCommitted(sid);
  LookAgain(sid, [](const Asking&) { return true; });
  Result<record::Session> session = record::DecodeSession(item->key, item->bytes);
  if (!session.ok() || session->ended_unix_ns == 0 || record::IsErase(session->main.status)) return;
  const auto all = waiting_.extract(sid);
  if (all.empty()) return;
  for (Waiting& one : all.mapped()) one.done({std::nullopt, ViewOf(sid, *session)});
}

// ---- the end ----

// Effects that run may end, for a while; nothing new begins meanwhile, and each session goes when its last has ended.
void DurableSessions::BeginHandOver() {
  hand_over_until_ns_ = Now() + static_cast<int64_t>(options_.hand_over_ns);
  LeaveParts();
  HandOver(Now());
}

void DurableSessions::HandOver(int64_t now) {
  if (!shared_ || hand_over_until_ns_ == 0) return;
  const bool over = now >= hand_over_until_ns_;
  size_t left = 0;
  {
    const std::lock_guard<std::mutex> lock(runtime_->mutex());
    for (const std::shared_ptr<Session>& session : runtime_->sessions()) {
      if (session->kept()->lost) continue;
      ++left;
      session->HandOver(over);
    }
  }
  // What does not get to the store even then stays as it is until its lease is over.
  if (left == 0 || now >= hand_over_until_ns_ + static_cast<int64_t>(options_.hand_over_ns)) {
    return runtime_->StopServing();
  }
  runtime_->SetAlarm(now + kHandOverLookNs);
}

}  // namespace teal::runtime

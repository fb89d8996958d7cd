// Other hosts over the same store write side fields of a session's record while this one carries it: an event, a
// cancel, a pause. The next commit of this host finds the record changed, takes over what is new, and is made again
// with it (P-2, P-3); or a letter says that somebody wrote, and it is taken over at once.
#include <algorithm>
#include <cassert>
#include <iterator>
#include <set>

#include "core/base/mutant.h"
#include "core/runtime/record_codec.h"
#include "core/runtime/session.h"

namespace teal::runtime {

namespace {

std::map<std::string, size_t, std::less<>> CountsOf(const std::vector<record::Inbox>& inboxes) {
  std::map<std::string, size_t, std::less<>> counts;
  for (const record::Inbox& inbox : inboxes) {
    if (!inbox.values.empty()) counts[inbox.name] = inbox.values.size();
  }
  return counts;
}

}  // namespace

void Session::RememberStored(const record::Session& session) {
  kept_->shared->stored_id = session.main.commit_id;
  kept_->shared->stored_paused = session.paused;
  kept_->shared->stored_inbox = CountsOf(session.inbox);
}

// Into the record that is about to be sent: who carries the session. And what of it is to be remembered.
void Session::NoteSent(record::Session* session) {
  SharedSession& shared = *kept_->shared;
  session->carrier.reset();
  if (!ended_ && kept_->lease_until_ns > 0) {
    session->carrier = record::Lease{runtime_->options_.incarnation, static_cast<uint64_t>(kept_->lease_until_ns), {}};
  }
  shared.sent_id = commit_id_;
  shared.sent_paused = session->paused;
  shared.sent_inbox = CountsOf(session->inbox);
  shared.sent_lease_ns = kept_->lease_ns;
  shared.sent_hand_over = shared.handing_over;
}

// What commits that were not applied would have written, where this one does not write it anew.
void Session::AddOwed(std::vector<StoreWrite>* values, std::vector<StoreWrite>* writes) const {
  if (kept_->shared->owed.empty()) return;
  std::set<std::pair<std::string, std::string>> taken;
  for (const std::vector<StoreWrite>* all : {values, writes}) {
    for (const StoreWrite& write : *all) taken.emplace(write.key.partition, write.key.sort);
  }
  // The newest of a key counts.
  for (auto owed = kept_->shared->owed.rbegin(); owed != kept_->shared->owed.rend(); ++owed) {
    if (!taken.emplace(owed->key.partition, owed->key.sort).second) continue;
    (owed->key.sort.starts_with("v/") ? values : writes)->push_back(*owed);
  }
}

bool Session::Contested(const StoreCommitted& outcome) {
  if (!outcome.found || outcome.found->key != record::SessionKey(sid_)) return false;
  Result<record::Session> found = record::DecodeSession(outcome.found->key, outcome.found->bytes);
  if (!found.ok()) return false;
  SharedSession& shared = *kept_->shared;
  if (found->main.commit_id == shared.sent_id) {
    // It was applied, its reply was lost, and somebody wrote beside since (P-4).
    Applied(outcome.found->version);
    if (!kept_->lost) Adopt(*found, outcome.found->version);
    return true;
  }
  if (!kept_->exists || record::IsFenced(shared.stored_id, found->main)) return false;
  // All that the commit would have done is done by the next one.
  shared.owed.insert(shared.owed.end(), std::make_move_iterator(shared.sent.begin()),
                     std::make_move_iterator(shared.sent.end()));
  shared.sent.clear();
  kept_->at_gate.insert(kept_->at_gate.begin(), kept_->gate_in_air.begin(), kept_->gate_in_air.end());
  kept_->gate_in_air.clear();
  kept_->told.insert(kept_->told.begin(), std::make_move_iterator(kept_->told_in_air.begin()),
                     std::make_move_iterator(kept_->told_in_air.end()));
  kept_->told_in_air.clear();
  kept_->replied.insert(kept_->replied.begin(), kept_->replied_in_air.begin(), kept_->replied_in_air.end());
  kept_->replied_in_air.clear();
  kept_->final_in_air = false;
  kept_->wanted = true;
  kept_->wanted_since_ns = kept_->sent_ns;
  runtime_->wanting_.push_back(shared_from_this());
  Adopt(*found, outcome.found->version);
  scheduler_.WakeIfIdle();
  return true;
}

void Session::Adopt(const record::Session& found, const StoreVersion& version) {
  assert(kept_->shared != nullptr && !kept_->in_air && !kept_->lost);
  SharedSession& shared = *kept_->shared;
  kept_->version = version;
  if (TEAL_MUTANT("side_fields_dropped")) return;
  if (found.paused != shared.stored_paused) {
    shared.stored_paused = found.paused;
    if (!ended_ && kept_->head.paused != found.paused) AdoptPaused(found.paused);
  }
  // Values are only ever appended beside: those that this host has not written are the last ones of each name.
  shared.adopting = true;
  for (const record::Inbox& inbox : found.inbox) {
    const auto known = shared.stored_inbox.find(inbox.name);
    for (size_t i = known == shared.stored_inbox.end() ? 0 : known->second; i < inbox.values.size(); ++i) {
      const record::EventValue& event = inbox.values[i];
      Result<vm::Value> value = vm::DecodeValue(event.value.bytes, program_.get());
      if (!value.ok()) return Lose(value.failure());
      Deliver(inbox.name, std::move(*value), event.id, event.wants_reply);
    }
    // And who had sent one before may wait for its reply since.
    for (const record::EventValue& event : inbox.values) {
      if (event.wants_reply) WaitForReply(inbox.name, event.id);
    }
  }
  shared.adopting = false;
  shared.stored_inbox = CountsOf(found.inbox);
  if (ended_) return;
  if (found.main.cancel == record::Cancel::kTerminate) {
    MarkTerminated();
    EndNow(SessionStatus::kCancelled, vm::MakeError("terminated", "the session was terminated"));
  } else if (found.main.cancel == record::Cancel::kCancel && !cancelled_) {
    CancelAll();
  }
  WantCommit();
}

void Session::AdoptPaused(const std::optional<record::Paused>& paused) {
  if (!paused && IsDead()) kept_->crashes = 0;  // RetryDead, asked of another host
  if (!paused && LacksForeign()) {
    // It cannot go on here: it is left to a host that has its code, or that says again what is missing.
    kept_->head.paused.reset();
    return HandOver(true);
  }
  SetPaused(paused);
}

bool Session::KnowsEventsOf(const record::Session& found) const {
  const SharedSession& shared = *kept_->shared;
  // One that is older than what was committed since has nothing that those commits did not take over; one of another
  // host is found out by the next commit.
  if (found.main.commit_id == shared.stored_id) return CountsOf(found.inbox) == shared.stored_inbox;
  if (kept_->in_air && found.main.commit_id == shared.sent_id) return CountsOf(found.inbox) == shared.sent_inbox;
  return true;
}

bool Session::LeaseHolds() const {
  if (kept_->shared == nullptr || TEAL_MUTANT("zombie_starts_effect")) return true;
  const SharedSession& shared = *kept_->shared;
  return !shared.handing_over && record::MayStartEffect(static_cast<uint64_t>(shared.lease_sent_ns),
                                                        static_cast<uint64_t>(scheduler_.clock().NowUnixNs()),
                                                        shared.lease_ns, runtime_->options_.constants);
}

void Session::HandOver(bool at_once) {
  assert(kept_->shared != nullptr);
  kept_->shared->handing_over = true;
  kept_->shared->at_once = at_once;
  if (calls_ == 0 || at_once) WantCommit();
}

}  // namespace teal::runtime

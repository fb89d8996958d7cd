#include "triggers/s3/source.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "triggers/s3/keys.hpp"

namespace teal::s3 {

Source::Source(std::string id, Rule rule, Emitter emitter, State* state)
    : id_(std::move(id)),
      rule_(std::move(rule)),
      wants_created_(rule_.ForType(kCreated)),
      wants_removed_(rule_.ForType(kRemoved)),
      emitter_(std::move(emitter)),
      state_(state),
      ledger_(rule_.bucket) {}

bool Source::Found(const std::string& key, const Stamp& stamp) {
  if (!rule_.ForKey(key)) return false;
  const Digest object = DigestOfKey(key);
  const Ledger::Kept* const before = ledger_.Find(object);
  if (before != nullptr) ledger_.Find(object)->scan = scan_;
  const auto motion = motions_.find(object);
  if (motion == motions_.end()) return before == nullptr || before->stamp != stamp.digest;
  motion->second.scan = scan_;
  return !motion->second.latest || !(*motion->second.latest == stamp);
}

void Source::Written(const std::string& key, const Stamp& stamp) {
  if (!rule_.ForKey(key)) return;
  const Digest object = DigestOfKey(key);
  const Ledger::Kept* const kept = ledger_.Find(object);
  const auto found = motions_.find(object);
  if (found == motions_.end() && kept != nullptr && kept->stamp == stamp.digest) return;
  Motion& motion = motions_[object];
  motion.key = key;
  motion.latest = stamp;
  motion.scan = scan_;
  Reconcile(object);
}

void Source::Gone(const std::string& key) {
  if (!rule_.ForKey(key)) return;
  const Digest object = DigestOfKey(key);
  if (motions_.find(object) == motions_.end() && ledger_.Find(object) == nullptr) return;
  if (tree_ != nullptr && tree_->IsThere(key)) return;  // again; its writer tells
  Motion& motion = motions_[object];
  motion.key = key;
  motion.latest.reset();
  Reconcile(object);
}

void Source::GoneBelow(const std::string& prefix) {
  std::vector<std::string> keys;
  for (const auto& [object, motion] : motions_) {
    if (motion.key.starts_with(prefix)) keys.push_back(motion.key);
  }
  if (wants_removed_) {
    for (const auto& [object, kept] : ledger_.kept()) {
      if (!kept.key.empty() && kept.key.starts_with(prefix)) keys.push_back(kept.key);
    }
  }
  for (const std::string& key : keys) Gone(key);
}

void Source::ScanEnds() {
  std::vector<Digest> gone;
  for (const auto& [object, motion] : motions_) {
    if (motion.scan != scan_ && motion.latest) gone.push_back(object);
  }
  for (const Digest& object : gone) {
    motions_[object].latest.reset();
    Reconcile(object);
  }
  gone.clear();
  for (const auto& [object, kept] : ledger_.kept()) {
    if (kept.scan != scan_ && motions_.find(object) == motions_.end()) gone.push_back(object);
  }
  for (const Digest& object : gone) {
    motions_[object].key = ledger_.Find(object)->key;
    Reconcile(object);
  }
}

// What is to be told of the object next, if nothing of it is on its way.
void Source::Reconcile(const Digest& object) {
  const auto at = motions_.find(object);
  if (at == motions_.end()) return;
  Motion& motion = at->second;
  if (motion.event != 0) {
    Event& event = events_.at(motion.event);
    if (event.step != Step::kQueued) return;
    queued_.erase(motion.event);
    events_.erase(std::exchange(motion.event, 0));
  }
  const Ledger::Kept* const kept = ledger_.Find(object);
  if (motion.latest) {
    if (kept == nullptr || kept->stamp != motion.latest->digest) {
      if (wants_created_) return Enqueue(object, motion, true, motion.latest->digest);
      ledger_.Set(object, motion.latest->digest, KeyToKeep(motion.key));
      ledger_.Find(object)->scan = scan_;
    }
  } else if (kept != nullptr) {
    // Without its key nothing can be told of it: it was accepted before removals were asked for.
    if (wants_removed_ && !motion.key.empty() && rule_.ForKey(motion.key))
      return Enqueue(object, motion, false, kept->stamp);
    ledger_.Erase(object);
  }
  motions_.erase(at);
}

void Source::Enqueue(const Digest& object, Motion& motion, bool created, const Digest& stamp) {
  const uint64_t number = ++last_event_;
  Event& event = events_[number];
  event.object = object;
  event.created = created;
  event.stamp = stamp;
  event.key = motion.key;
  if (motion.latest) {
    event.size = motion.latest->size;
    event.changed_ns = motion.latest->changed_ns;
  }
  motion.event = number;
  queued_.insert(number);
}

void Source::AddCredit(uint64_t count) {
  credit_ += std::min(count, UINT64_MAX - credit_);
}

void Source::Pump() {
  if (stopped_) return;
  const uint64_t now = emitter_.now_unix_ns();
  // Also what nobody waits for: an object's removal can be told after a crash only if it is known to have been there.
  if (now >= save_after_unix_ns_) Save();
  while (credit_ > 0 && !delayed_.empty() && delayed_.begin()->first <= now) {
    const uint64_t number = delayed_.begin()->second;
    delayed_.erase(delayed_.begin());
    Emit(number, events_.at(number));
  }
  while (credit_ > 0 && !queued_.empty()) {
    const uint64_t number = *queued_.begin();
    queued_.erase(queued_.begin());
    Event& event = events_.at(number);
    event.time_unix_ns = now;
    Make(event);
    Emit(number, event);
  }
}

uint64_t Source::NextDue() const {
  return stopped_ || credit_ == 0 || delayed_.empty() ? 0 : delayed_.begin()->first;
}

void Source::Make(Event& event) {
  RecordParts parts;
  parts.bucket = rule_.bucket;
  parts.key = event.key;
  parts.type = event.created ? kCreated : kRemoved;
  parts.time = TimeText(event.time_unix_ns);
  parts.rule = id_;
  if (event.created) {
    parts.size = event.size;
    parts.has_size = true;
    parts.etag = HexOf(event.stamp);
  }
  std::array<char, 17> sequencer{};
  std::snprintf(sequencer.data(), sequencer.size(), "%016llX",
                static_cast<unsigned long long>(event.created ? event.changed_ns : event.time_unix_ns));
  parts.sequencer = sequencer.data();
  event.told = {rule_.bucket, event.key, parts.type, HexOf(event.stamp), MakeRecord(parts)};
  event.data = event.told.Arguments();
}

void Source::Emit(uint64_t number, Event& event) {
  --credit_;
  event.step = Step::kWithHost;
  event.token = ++*emitter_.last_token;
  by_token_[event.token] = number;
  const std::string source = event.told.Source();
  const std::string id = event.told.Id();
  teal_event out{};
  out.struct_size = sizeof out;
  out.token = event.token;
  out.time_unix_ns = event.time_unix_ns;
  out.source = Bytes(source);
  out.id = Bytes(id);
  out.type = Bytes(event.told.type);
  out.content_type = Bytes(kArgumentsType);
  out.data = Bytes(event.data);
  emitter_.emit(emitter_.ctx, &out);
}

bool Source::Reject(uint64_t token, uint64_t delay_ns) {
  const auto found = by_token_.find(token);
  if (found == by_token_.end()) return false;
  const uint64_t number = found->second;
  Event& event = events_.at(number);
  by_token_.erase(found);
  event.step = Step::kDelayed;
  const uint64_t now = emitter_.now_unix_ns();
  event.again_unix_ns = now + std::min(delay_ns, UINT64_MAX - now);
  delayed_.insert({event.again_unix_ns, number});
  return true;
}

bool Source::Accept(uint64_t token, plugin::Done& done) {
  const auto found = by_token_.find(token);
  if (found == by_token_.end()) return false;
  const uint64_t number = found->second;
  Event& event = events_.at(number);
  by_token_.erase(found);
  event.step = Step::kSaving;
  event.accept = std::move(done);
  if (event.created) {
    ledger_.Set(event.object, event.stamp, KeyToKeep(event.key));
    ledger_.Find(event.object)->scan = scan_;
  } else {
    ledger_.Erase(event.object);
  }
  waiting_events_.push_back(number);
  Save();
  return true;
}

}  // namespace teal::s3

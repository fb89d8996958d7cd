#include "core/runtime/limiter.h"

#include <algorithm>
#include <cassert>

#include "core/runtime/scheduler.h"
#include "core/runtime/session.h"

namespace teal::runtime {

Admission::Admission(Limiter* limiter, std::string running_key, std::string begins_key)
    : limiter_(limiter), keys_(std::move(running_key), std::move(begins_key)) {}

bool Admission::Enter(ThreadRecord* who) {
  assert(state_ == State::kOutside);
  state_ = State::kWaiting;
  limiter_->lines_[keys_].push_back({this, who, ++limiter_->arrivals_});
  limiter_->Admit();
  return inside();
}

void Admission::TakePlace() {
  assert(state_ == State::kOutside);
  limiter_->Take(this, limiter_->scheduler_->clock().NowUnixNs());
}

void Admission::Leave() {
  if (state_ == State::kOutside) return;
  if (state_ == State::kWaiting) {
    const auto line = limiter_->lines_.find(keys_);
    assert(line != limiter_->lines_.end());
    const auto at =
        std::find_if(line->second.begin(), line->second.end(), [this](const auto& e) { return e.admission == this; });
    assert(at != line->second.end());
    if (at->who == limiter_->armed_for_) limiter_->Disarm();
    line->second.erase(at);
    if (line->second.empty()) limiter_->lines_.erase(line);
  } else if (limiter_->policy_.running_max > 0) {
    const auto count = limiter_->running_.find(keys_.first);
    assert(count != limiter_->running_.end());
    if (--count->second == 0) limiter_->running_.erase(count);
  }
  state_ = State::kOutside;
  limiter_->Admit();
}

Limiter::Limiter(Scheduler* scheduler, uint32_t index, std::string name, LimitPolicy policy)
    : scheduler_(scheduler),
      index_(index),
      name_(std::move(name)),
      policy_(std::move(policy)),
      per_ns_(std::max<int64_t>(After(0, policy_.per_seconds), 1)) {
  assert(policy_.Any());
}

bool Limiter::HasRoom(const Keys& keys) const {
  if (policy_.running_max == 0) return true;
  const auto count = running_.find(keys.first);
  return count == running_.end() || count->second < policy_.running_max;
}

int64_t Limiter::BeginsFrom(const Keys& keys) const {
  if (policy_.begins_max == 0) return 0;
  const auto times = begins_.find(keys.second);
  if (times == begins_.end() || times->second.size() < policy_.begins_max) return 0;
  return times->second.front() + per_ns_;
}

void Limiter::Take(Admission* admission, int64_t now) {
  admission->state_ = Admission::State::kInside;
  if (policy_.running_max > 0) ++running_[admission->keys_.first];
  if (policy_.begins_max == 0) return;
  if (begins_.size() >= forget_at_) Forget(now);
  std::deque<int64_t>& times = begins_[admission->keys_.second];
  times.push_back(now);
  if (times.size() > policy_.begins_max) times.pop_front();
}

// Keys that no time is kept of any more need no memory.
void Limiter::Forget(int64_t now) {
  std::erase_if(begins_, [&](const auto& each) { return each.second.back() + per_ns_ <= now; });
  forget_at_ = std::max<size_t>(64, 2 * begins_.size());
}

// Lets in who can come in, the earliest first.
void Limiter::Admit() {
  const int64_t now = lines_.empty() ? 0 : scheduler_->clock().NowUnixNs();
  while (!lines_.empty()) {
    auto earliest = lines_.end();
    for (auto line = lines_.begin(); line != lines_.end(); ++line) {
      if (earliest != lines_.end() && earliest->second.front().arrival < line->second.front().arrival) continue;
      if (HasRoom(line->first) && BeginsFrom(line->first) <= now) earliest = line;
    }
    if (earliest == lines_.end()) break;
    const Entry entry = earliest->second.front();
    earliest->second.pop_front();
    if (earliest->second.empty()) lines_.erase(earliest);
    if (entry.who == armed_for_) Disarm();
    Take(entry.admission, now);
    // One that enters just now goes on by itself.
    if (entry.who->phase == Phase::kWaiting) entry.who->session->Admitted(*entry.who);
  }
  Arm();
}

// Sets a timer for the first of those who wait for nothing but time.
void Limiter::Arm() {
  if (policy_.begins_max == 0) return;
  int64_t due = 0;
  ThreadRecord* who = nullptr;
  for (const auto& [keys, line] : lines_) {
    if (!HasRoom(keys)) continue;
    const int64_t from = BeginsFrom(keys);
    if (who != nullptr && from >= due) continue;
    due = from;
    who = line.front().who;
  }
  if (armed_for_ != nullptr && (who == nullptr || due != armed_ns_)) Disarm();
  if (who == nullptr || armed_for_ != nullptr) return;
  armed_for_ = who;
  armed_ns_ = due;
  scheduler_->SetTimer({due, 0, who->session, TimerKind::kThread, who->generation, who});
}

void Limiter::Disarm() {
  if (armed_for_ == nullptr) return;
  armed_for_ = nullptr;
  scheduler_->TimerIsVoid();
}

void Limiter::TimerFired() {
  armed_for_ = nullptr;
  Admit();
}

}  // namespace teal::runtime

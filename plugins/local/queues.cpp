#include "plugins/local/queues.hpp"

#include <algorithm>
#include <cassert>
#include <chrono>

#include "plugins/local/quiet.hpp"

namespace teal::local {
namespace {

// The clock is the host's and may be set or be a simulation's, so a long sleep asks it again now and then.
constexpr uint64_t kSleepNsMax = 50'000'000;

}  // namespace

Queues::Queues(Clock now, uint64_t items_max) : now_(std::move(now)), items_max_(items_max) {
  const Quiet quiet;
  thread_ = std::thread([this] { Run(); });
}

Queues::~Queues() {
  Stop();
}

void Queues::Stop() {
  std::vector<plugin::Done> drains;
  {
    const std::lock_guard lock(mutex_);
    if (stop_) return;
    stop_ = true;
    deliver_ = nullptr;
    drains.swap(drains_);
  }
  changed_.notify_all();
  thread_.join();
  for (plugin::Done& done : drains) done.Fail({TEAL_CLOSED, "closed before all that was delivered was settled"});
}

std::optional<plugin::Error> Queues::Dispatch(const teal_item* items, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    if (items[i].payload.size <= kQueuePayloadBytesMax) continue;
    return plugin::Error{TEAL_TOO_LARGE,
                         "the payload of item " + std::to_string(i) + " is " + std::to_string(items[i].payload.size) +
                             " bytes, over payload_bytes_max of " + std::to_string(kQueuePayloadBytesMax)};
  }
  const std::lock_guard lock(mutex_);
  if (stop_) return plugin::Error{TEAL_CLOSED, "the queue is closed"};
  if (count > items_max_ - std::min(count_, items_max_)) {
    plugin::Error full{TEAL_THROTTLED, "the queue holds " + std::to_string(count_) + " items of at most " +
                                           std::to_string(items_max_) + " (queue_items_max)"};
    full.retry_after_ns = 100'000'000;
    return full;
  }
  for (uint64_t i = 0; i < count; ++i) {
    auto item = std::make_shared<Item>();
    item->id = Copy(items[i].id);
    item->lane = Copy(items[i].lane);
    item->order_key = Copy(items[i].order_key);
    item->payload = Copy(items[i].payload);
    item->not_before = items[i].not_before_unix_ns;
    item->priority = items[i].priority;
    Enqueue(std::move(item));
  }
  Pump();
  changed_.notify_all();
  return std::nullopt;
}

// An item that waits already is the same work: it is kept once, at the earlier time and the higher priority of the two.
void Queues::Enqueue(ItemPointer item) {
  const auto waits = item->id.empty() ? waiting_.end() : waiting_.find(item->id);
  if (waits != waiting_.end()) {
    const ItemPointer& old = waits->second;
    Withdraw(old);
    old->not_before = std::min(old->not_before, item->not_before);
    old->priority = std::max(old->priority, item->priority);
    Offer(old);
    return;
  }
  item->number = ++last_number_;
  ++count_;
  if (!item->id.empty()) waiting_[item->id] = item;
  if (!item->order_key.empty()) order_keys_[item->order_key].items.emplace(item->number, item);
  Offer(item);
}

void Queues::Offer(const ItemPointer& item) {
  if (!item->order_key.empty()) {
    const OrderKey& key = order_keys_[item->order_key];
    if (key.delivered || key.items.begin()->second != item) return;  // offered when its turn comes
  }
  if (item->not_before > now_()) {
    delayed_.insert(item);
  } else {
    lanes_[item->lane].insert(item);
  }
}

void Queues::Withdraw(const ItemPointer& item) {
  delayed_.erase(item);
  const auto lane = lanes_.find(item->lane);
  if (lane == lanes_.end()) return;
  lane->second.erase(item);
  if (lane->second.empty()) lanes_.erase(lane);
}

void Queues::Ended(const ItemPointer& item) {
  --count_;
  if (item->order_key.empty()) return;
  const auto at = order_keys_.find(item->order_key);
  assert(at != order_keys_.end());
  at->second.delivered = false;
  at->second.items.erase(item->number);
  if (at->second.items.empty()) {
    order_keys_.erase(at);
  } else {
    Offer(at->second.items.begin()->second);
  }
}

void Queues::Pump() {
  const uint64_t now = now_();
  while (!delayed_.empty() && (*delayed_.begin())->not_before <= now) {
    const ItemPointer item = *delayed_.begin();
    delayed_.erase(delayed_.begin());
    lanes_[item->lane].insert(item);
  }
  while (deliver_ != nullptr && !draining_ && credits_ > 0 && !lanes_.empty()) {
    auto lane = lanes_.upper_bound(last_lane_);
    if (lane == lanes_.end()) lane = lanes_.begin();
    const ItemPointer item = *lane->second.begin();
    last_lane_ = lane->first;
    Withdraw(item);
    if (const auto waits = waiting_.find(item->id); waits != waiting_.end() && waits->second == item)
      waiting_.erase(waits);
    if (!item->order_key.empty()) order_keys_[item->order_key].delivered = true;
    --credits_;
    ++item->attempt;
    const uint64_t token = ++last_token_;
    delivered_.emplace(token, item);
    teal_item out{};
    out.id = Bytes(item->id);
    out.lane = Bytes(item->lane);
    out.order_key = Bytes(item->order_key);
    out.payload = Bytes(item->payload);
    out.not_before_unix_ns = item->not_before;
    out.token = token;
    out.attempt = item->attempt;
    out.priority = item->priority;
    deliver_(deliver_ctx_, &out);
  }
}

bool Queues::Consume(teal_deliver_fn deliver, void* ctx) {
  const std::lock_guard lock(mutex_);
  if (deliver_ != nullptr || stop_) return false;
  deliver_ = deliver;
  deliver_ctx_ = ctx;
  credits_ = 0;
  draining_ = false;
  std::map<uint64_t, ItemPointer> again;
  for (const auto& [token, item] : delivered_) again.emplace(item->number, item);
  delivered_.clear();
  for (const auto& [number, item] : again) {
    if (!item->order_key.empty()) order_keys_[item->order_key].delivered = false;
    if (!item->id.empty()) waiting_.try_emplace(item->id, item);
    Offer(item);
  }
  return true;
}

void Queues::StopConsuming() {
  const std::lock_guard lock(mutex_);
  deliver_ = nullptr;
  credits_ = 0;
}

void Queues::Credit(uint64_t count) {
  const std::lock_guard lock(mutex_);
  if (deliver_ == nullptr) return;
  credits_ = std::min(kQueueCreditsMax, credits_ + std::min(count, kQueueCreditsMax));
  Pump();
}

bool Queues::Settle(uint64_t token, uint32_t how, uint64_t delay_ns) {
  std::vector<plugin::Done> drained;
  {
    const std::lock_guard lock(mutex_);
    const auto at = delivered_.find(token);
    if (at == delivered_.end()) return false;
    const ItemPointer item = at->second;
    delivered_.erase(at);
    if (how == TEAL_RETRY) {
      item->not_before = now_() + std::min(delay_ns, kQueueDelayNsMax);
      // Dispatched again while it was worked on, it waits already: this one stays its own.
      if (!item->id.empty()) waiting_.try_emplace(item->id, item);
      if (!item->order_key.empty()) order_keys_[item->order_key].delivered = false;
      Offer(item);
    } else {
      Ended(item);
    }
    Pump();
    if (delivered_.empty()) drained.swap(drains_);
  }
  changed_.notify_all();
  for (plugin::Done& done : drained) done.Ok();
  return true;
}

void Queues::Drain(plugin::Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (!stop_) {
      draining_ = true;
      if (!delivered_.empty()) drains_.push_back(std::move(done));
    }
  }
  if (done) done.Ok();
}

void Queues::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (delayed_.empty()) {
      changed_.wait(lock);
    } else {
      const uint64_t now = now_();
      const uint64_t at = (*delayed_.begin())->not_before;
      if (at > now) changed_.wait_for(lock, std::chrono::nanoseconds(std::min(at - now, kSleepNsMax)));
    }
    if (!stop_) Pump();
  }
}

}  // namespace teal::local

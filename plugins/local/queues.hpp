// teal.threads/1 in this process: work items wait in lanes until there is credit, a due time and a free order key.
// Nothing is durable, by design: memory is the only truth, and its sweeper dispatches again what is lost here.
// Thread-safe; Consume, StopConsuming and Stop are control calls. Deliveries are made under the one mutex, so that
// none is under way when StopConsuming or Stop has returned.
#pragma once

#include <teal/abi.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "teal/plugin.hpp"

namespace teal::local {

inline constexpr uint64_t kQueuePayloadBytesMax = 256 << 10;
inline constexpr uint64_t kQueueDelayNsMax = uint64_t{366} * 24 * 3600 * 1'000'000'000;
inline constexpr uint64_t kQueueCreditsMax = 1 << 20;

class Queues {
 public:
  using Clock = std::function<uint64_t()>;  // unix ns

  Queues(Clock now, uint64_t items_max);
  ~Queues();
  // Forgets all items, ends open drains as closed, ends the thread.
  void Stop();

  // All are taken or none.
  std::optional<plugin::Error> Dispatch(const teal_item* items, uint64_t count);
  bool Consume(teal_deliver_fn deliver, void* ctx);  // false if somebody does
  // What was delivered may still be settled until the next Consume; what is not by then is delivered again.
  void StopConsuming();
  void Credit(uint64_t count);
  // False: the token is unknown or settled.
  bool Settle(uint64_t token, uint32_t how, uint64_t delay_ns);
  // No new deliveries until the next Consume.
  void Drain(plugin::Done done);

 private:
  struct Lane;
  struct Item {
    std::string id, lane, order_key, payload;
    uint64_t not_before = 0;
    uint32_t priority = 0;
    uint32_t attempt = 0;
    uint64_t number = 0;  // order of arrival
  };
  using ItemPointer = std::shared_ptr<Item>;
  struct ByPriority {
    bool operator()(const ItemPointer& a, const ItemPointer& b) const {
      return a->priority != b->priority ? a->priority > b->priority : a->number < b->number;
    }
  };
  struct ByTime {
    bool operator()(const ItemPointer& a, const ItemPointer& b) const {
      return a->not_before != b->not_before ? a->not_before < b->not_before : a->number < b->number;
    }
  };
  // The items of one order key, in order. The first of them may be waiting in the sets below, or be delivered
  // (`delivered`); the others wait here only.
  struct OrderKey {
    std::map<uint64_t, ItemPointer> items;  // by number
    bool delivered = false;
  };

  // All with mutex_ held.
  void Offer(const ItemPointer& item);     // to the sets, by its time
  void Withdraw(const ItemPointer& item);  // from the sets
  void Enqueue(ItemPointer item);
  void Ended(const ItemPointer& item);  // for good: the next of its order key is free
  void Pump();
  void Run();

  const Clock now_;
  const uint64_t items_max_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool stop_ = false;
  uint64_t count_ = 0;  // items waiting or delivered
  uint64_t last_number_ = 0;
  uint64_t last_token_ = 0;
  uint64_t credits_ = 0;
  bool draining_ = false;
  teal_deliver_fn deliver_ = nullptr;
  void* deliver_ctx_ = nullptr;
  std::map<std::string, std::set<ItemPointer, ByPriority>, std::less<>> lanes_;  // what may be delivered now
  std::string last_lane_;  // delivered from last: lanes take turns
  std::set<ItemPointer, ByTime> delayed_;
  std::unordered_map<std::string, ItemPointer> waiting_;  // by id, for what waits
  std::unordered_map<std::string, OrderKey> order_keys_;
  std::unordered_map<uint64_t, ItemPointer> delivered_;  // by token
  std::vector<plugin::Done> drains_;
  std::thread thread_;
};

}  // namespace teal::local

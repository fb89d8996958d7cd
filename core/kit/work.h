// Threads under test: dispatch, and a consumer that records what is delivered.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "core/kit/call.h"
#include "core/kit/instance.h"

namespace teal::kit {

// An item, owned. `id` stands in this test's space once dispatched.
struct Item {
  std::string id;
  std::string lane = "lane";
  std::string order_key = {};
  std::string payload = "payload";
  uint64_t not_before = 0;
  uint32_t priority = 0;
};

struct Delivery {
  Item item;  // its id without the space
  uint64_t token = 0;
  uint32_t attempt = 0;
  uint64_t host_time = 0;  // by the host's clock
};

// The calls of teal.threads/1 over an instance and one consumer's record. Lives for ever once made (New): a delivery
// that comes late is seen, not a crash. Thread-safe.
class Work {
 public:
  static Work& New(const Instance& instance);

  const teal_threads& table() const;
  const teal_threads_caps& caps() const { return caps_; }
  void Need(uint64_t feature, const char* name) const;  // else NotOffered

  Call& BeginDispatch(const std::vector<Item>& items);
  void MustDispatch(const std::vector<Item>& items);
  void MustConsume();
  void MustStop();
  void Credit(uint64_t count);
  Call& BeginSettle(uint64_t token, uint32_t how, uint64_t delay_ns = 0);
  void MustSettle(const Delivery& delivery, uint32_t how = TEAL_ACK, uint64_t delay_ns = 0);
  Call& BeginDrain();

  // Waits until `count` items of this test were delivered in all; what other tests left in the queues is settled and
  // its credit given again. False past timeout_s.
  bool WaitFor(std::size_t count, double timeout_s);
  // The same, fails the test if they do not come.
  std::vector<Delivery> Await(std::size_t count);
  // What has come within `seconds` from now.
  std::vector<Delivery> After(double seconds);
  std::vector<Delivery> Deliveries();
  uint64_t calls() const { return calls_.load(); }  // of `deliver`, of whatever items

 private:
  explicit Work(const Instance& instance);
  static void TEAL_CALL Deliver(void* ctx, const teal_item* item);
  void SettleForeign();

  const Instance& instance_;
  teal_instance* const handle_;
  teal_threads_caps caps_{};
  std::atomic<uint64_t> calls_{0};
  std::mutex mutex_;
  std::condition_variable ready_;
  std::vector<Delivery> deliveries_;  // guarded by mutex_
  std::vector<uint64_t> foreign_;     // tokens; guarded by mutex_
};

}  // namespace teal::kit

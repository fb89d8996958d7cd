#include "core/kit/work.h"

#include <chrono>
#include <thread>

#include "abi/include/teal/bytes.hpp"
#include "core/kit/options.h"
#include "core/kit/subject.h"
#include "core/kit/verdict.h"

namespace teal::kit {

Work& Work::New(const Instance& instance) {
  return *new Work(instance);
}

Work::Work(const Instance& instance) : instance_(instance), handle_(instance.handle()) {
  caps_.struct_size = sizeof caps_;
  const teal_status status = table().caps(handle_, &caps_);
  if (status != TEAL_OK) Fail("caps of " TEAL_THREADS_ID " gave ", StatusName(status));
}

const teal_threads& Work::table() const {
  return *Tested().threads;
}

void Work::Need(uint64_t feature, const char* name) const {
  if ((caps_.features & feature) == 0) NotOffered("no ", name);
}

Call& Work::BeginDispatch(const std::vector<Item>& items) {
  std::string words = "dispatch";
  for (std::size_t n = 0; n < items.size() && n < 3; ++n) words += " " + Show(items[n].id);
  Call& call = NewCall(Text(words, " (", items.size(), " items)"), Gives::kNothing);
  std::vector<teal_item> raw;
  for (const Item& item : items) {
    teal_item one{};
    one.id = call.inputs().Bytes(Space(item.id));
    one.lane = call.inputs().Bytes(item.lane);
    one.order_key = call.inputs().Bytes(item.order_key.empty() ? "" : Space(item.order_key));
    one.payload = call.inputs().Bytes(item.payload);
    one.not_before_unix_ns = item.not_before;
    one.priority = item.priority;
    raw.push_back(one);
  }
  const teal_item* placed = call.inputs().Array(std::span<const teal_item>(raw));
  call.Begin([&](const teal_call* c) { return table().dispatch(handle_, c, placed, raw.size()); });
  return call;
}

void Work::MustDispatch(const std::vector<Item>& items) {
  Call& call = BeginDispatch(items);
  if (!call.Wait().Ok()) Fail(call.words(), " gave ", call.reply().Says());
}

void Work::MustConsume() {
  const teal_status status = table().consume(handle_, &Work::Deliver, this);
  Note("consume -> ", StatusName(status));
  if (status != TEAL_OK) Fail("consume gave ", StatusName(status));
}

void Work::MustStop() {
  const teal_status status = table().stop_consuming(handle_);
  Note("stop_consuming -> ", StatusName(status));
  if (status != TEAL_OK) Fail("stop_consuming gave ", StatusName(status));
}

void Work::Credit(uint64_t count) {
  Note("credit ", count);
  table().credit(handle_, count);
}

Call& Work::BeginSettle(uint64_t token, uint32_t how, uint64_t delay_ns) {
  Call& call = NewCall(Text("settle ", token,
                            how == TEAL_ACK     ? " ACK"
                            : how == TEAL_RETRY ? " RETRY"
                                                : " DEAD"),
                       Gives::kNothing);
  call.Begin([&](const teal_call* c) { return table().settle(handle_, c, token, how, delay_ns); });
  return call;
}

void Work::MustSettle(const Delivery& delivery, uint32_t how, uint64_t delay_ns) {
  Call& call = BeginSettle(delivery.token, how, delay_ns);
  if (!call.Wait().Ok()) Fail(call.words(), " of ", Show(delivery.item.id), " gave ", call.reply().Says());
}

Call& Work::BeginDrain() {
  Call& call = NewCall("drain", Gives::kNothing);
  call.Begin([&](const teal_call* c) { return table().drain(handle_, c); });
  return call;
}

void TEAL_CALL Work::Deliver(void* ctx, const teal_item* item) {
  auto* self = static_cast<Work*>(ctx);
  self->calls_.fetch_add(1);
  const std::string id = Copy(item->id);
  const std::string space = Space("");
  const std::lock_guard lock(self->mutex_);
  if (!id.starts_with(space)) {
    self->foreign_.push_back(item->token);
  } else {
    Delivery delivery;
    delivery.item.id = id.substr(space.size());
    delivery.item.lane = Copy(item->lane);
    const std::string order_key = Copy(item->order_key);
    delivery.item.order_key = order_key.starts_with(space) ? order_key.substr(space.size()) : order_key;
    delivery.item.payload = Copy(item->payload);
    delivery.item.not_before = item->not_before_unix_ns;
    delivery.item.priority = item->priority;
    delivery.token = item->token;
    delivery.attempt = item->attempt;
    delivery.host_time = self->instance_.host().Now();
    Note("delivered ", Show(delivery.item.id), " token ", delivery.token, " attempt ", delivery.attempt);
    self->deliveries_.push_back(std::move(delivery));
  }
  self->ready_.notify_all();
}

void Work::SettleForeign() {
  std::vector<uint64_t> foreign;
  {
    const std::lock_guard lock(mutex_);
    foreign.swap(foreign_);
  }
  for (const uint64_t token : foreign) BeginSettle(token, TEAL_ACK).Wait();
  if (!foreign.empty()) Credit(foreign.size());
}

bool Work::WaitFor(std::size_t count, double timeout_s) {
  const auto deadline = std::chrono::steady_clock::now() +
                        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(timeout_s));
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      ready_.wait_until(lock, deadline, [&] { return deliveries_.size() >= count || !foreign_.empty(); });
      if (deliveries_.size() >= count) return true;
      if (foreign_.empty()) return false;
    }
    SettleForeign();
  }
}

std::vector<Delivery> Work::Await(std::size_t count) {
  if (!WaitFor(count, CallSeconds())) {
    Fail("after ", CallSeconds(), " s ", Deliveries().size(), " of ", count,
         " items were delivered, with credit for them");
  }
  return Deliveries();
}

std::vector<Delivery> Work::After(double seconds) {
  WaitFor(SIZE_MAX, seconds);
  return Deliveries();
}

std::vector<Delivery> Work::Deliveries() {
  const std::lock_guard lock(mutex_);
  return deliveries_;
}

}  // namespace teal::kit

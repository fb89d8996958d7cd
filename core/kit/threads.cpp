// Dispatch, delivery, credit, settling.
#include <array>
#include <cstring>
#include <map>
#include <set>

#include "core/kit/subject.h"
#include "core/kit/test.h"
#include "core/kit/verdict.h"
#include "core/kit/work.h"

namespace teal::kit {
namespace {

void Caps() {
  Host host;
  const Instance instance(host);
  const Work& work = Work::New(instance);
  const teal_threads_caps& caps = work.caps();
  teal_threads_caps again{};
  again.struct_size = sizeof again;
  work.table().caps(instance.handle(), &again);
  Expect(std::memcmp(&again, &caps, sizeof caps) == 0, "caps gave something else the second time");
  constexpr uint64_t kKnown = TEAL_THREADS_DELAY | TEAL_THREADS_ORDER | TEAL_THREADS_PRIORITY | TEAL_THREADS_DEDUP;
  Expect((caps.features & ~kKnown) == 0, "features has bits that the header does not know: ", caps.features);
  Expect(caps.reserved0 == 0, "reserved0 is ", caps.reserved0);
  Expect(caps.payload_bytes_max != 0, "payload_bytes_max is 0");
  Expect(caps.credits_max != 0, "credits_max is 0");
  Expect((caps.features & TEAL_THREADS_DELAY) == 0 || caps.delay_ns_max != 0,
         "TEAL_THREADS_DELAY is offered and delay_ns_max is 0");
}

void DeliveredAsDispatched() {
  Host host;
  const Instance instance(host);
  Work& work = Work::New(instance);
  std::string every;
  for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
  std::vector<Item> items = {{.id = "plain"},
                             {.id = "bytes " + every, .lane = "other lane", .payload = every},
                             {.id = "empty payload", .payload = ""},
                             {.id = "ordered", .order_key = "key", .payload = "p", .priority = 7}};
  for (int n = 0; n < 20; ++n)
    items.push_back({.id = Text("item ", n), .lane = Text("lane ", n % 3), .payload = Text("payload ", n)});
  work.MustConsume();
  work.MustDispatch(items);
  work.Credit(items.size());
  std::map<std::string, Delivery> got;
  std::set<uint64_t> tokens;
  for (const Delivery& delivery : work.Await(items.size())) {
    Expect(delivery.token != 0, "an item is delivered with token 0");
    Expect(tokens.insert(delivery.token).second, "the token ", delivery.token, " is given twice");
    Expect(delivery.attempt == 1, Show(delivery.item.id), " is delivered first as attempt ", delivery.attempt);
    got[delivery.item.id] = delivery;
    work.MustSettle(delivery);
  }
  for (const Item& item : items) {
    const auto at = got.find(item.id);
    if (at == got.end()) Fail(Show(item.id), " was dispatched and not delivered");
    const Item& is = at->second.item;
    Expect(is.lane == item.lane && is.order_key == item.order_key && is.payload == item.payload &&
               is.priority == item.priority,
           Show(item.id), " is delivered with lane ", Show(is.lane), ", order key ", Show(is.order_key), ", payload ",
           Show(is.payload), ", priority ", is.priority);
  }
}

void CreditIsNeverOverrun() {
  Host host;
  const Instance instance(host);
  Work& work = Work::New(instance);
  constexpr std::size_t kItems = 60;
  std::vector<Item> items;
  for (std::size_t n = 0; n < kItems; ++n) items.push_back({.id = Text("item ", n)});
  work.MustDispatch(items);
  work.MustConsume();
  Expect(work.After(0.2).empty(), "without credit ", work.Deliveries().size(), " items were delivered");
  std::size_t credited = 0;
  std::size_t settled = 0;
  const auto settle_all = [&] {
    const auto deliveries = work.Deliveries();
    for (; settled < deliveries.size(); ++settled) work.MustSettle(deliveries[settled]);
  };
  for (const std::size_t more : {1u, 2u, 5u, 1u, 10u}) {
    work.Credit(more);
    credited += more;
    work.Await(credited);
    const std::size_t calls = work.After(0.05).size();
    Expect(calls <= credited, "with credit for ", credited, " ", calls, " items were delivered");
    // To settle gives no credit.
    settle_all();
    Expect(work.After(0.05).size() <= credited, "with credit for ", credited, ", all settled, ",
           work.Deliveries().size(), " items were delivered");
  }
  work.Credit(kItems);
  work.Await(kItems);
  settle_all();
}

void SettledIsGone() {
  Host host;
  const Instance instance(host);
  Work& work = Work::New(instance);
  work.MustConsume();
  work.MustDispatch({{.id = "ack"}, {.id = "dead"}});
  work.Credit(10);
  for (const Delivery& delivery : work.Await(2))
    work.MustSettle(delivery, delivery.item.id == "dead" ? TEAL_DEAD : TEAL_ACK);
  work.MustStop();
  Work& again = Work::New(instance);
  again.MustConsume();
  again.Credit(10);
  const auto later = again.After(1.0);
  if (!later.empty()) Fail(Show(later[0].item.id), " was settled and is delivered again");
  if (work.Deliveries().size() > 2) Fail("an item that was settled is delivered again");
}

void UnknownTokens() {
  Host host;
  const Instance instance(host);
  Work& work = Work::New(instance);
  work.MustConsume();
  work.MustDispatch({{.id = "one"}});
  work.Credit(1);
  const Delivery delivery = work.Await(1).front();
  work.MustSettle(delivery);
  for (const uint64_t token : {delivery.token, uint64_t{0xdeadbeef}, uint64_t{0}}) {
    Call& call = work.BeginSettle(token, TEAL_ACK);
    const Reply& reply = call.Wait();
    Expect(reply.returned == TEAL_OK && reply.code == TEAL_NOT_FOUND, call.words(),
           ", a token unknown or settled, gave ", reply.Says(), ", not NOT_FOUND through `done`");
  }
}

void PayloadAtTheLimit() {
  Host host;
  const Instance instance(host);
  Work& work = Work::New(instance);
  constexpr uint64_t kTried = 64u * 1024 * 1024;
  const uint64_t size = std::min(work.caps().payload_bytes_max, kTried);
  work.MustConsume();
  work.MustDispatch({{.id = "largest", .payload = std::string(size, 'p')}});
  work.Credit(2);
  const Delivery delivery = work.Await(1).front();
  Expect(delivery.item.payload.size() == size, "a payload of ", size, " bytes is delivered with ",
         delivery.item.payload.size());
  work.MustSettle(delivery);
  if (size < work.caps().payload_bytes_max) return;
  Call& call = work.BeginDispatch({{.id = "too large", .payload = std::string(size + 1, 'p')}});
  Expect(call.Wait().code == TEAL_TOO_LARGE, "a payload of ", size + 1, " bytes, one over its limit, gave ",
         call.reply().Says());
}

constexpr std::array<Test, 6> kTests = {{{"THR-1", Needs::kThreads, 30, Caps},
                                         {"THR-2", Needs::kThreads, 60, DeliveredAsDispatched},
                                         {"THR-3", Needs::kThreads, 60, CreditIsNeverOverrun},
                                         {"THR-7", Needs::kThreads, 60, SettledIsGone},
                                         {"THR-9", Needs::kThreads, 60, UnknownTokens},
                                         {"THR-14", Needs::kThreads, 60, PayloadAtTheLimit}}};

}  // namespace

std::span<const Test> ThreadsTests() {
  return kTests;
}

}  // namespace teal::kit

// When and in what order items are delivered.
#include <algorithm>
#include <array>
#include <map>

#include "core/kit/test.h"
#include "core/kit/verdict.h"
#include "core/kit/work.h"

namespace teal::kit {
namespace {

constexpr uint64_t kMs = 1'000'000;

void NotBefore() {
  Host host;
  const Instance instance(host);
  Work& work = Work::New(instance);
  work.Need(TEAL_THREADS_DELAY, "TEAL_THREADS_DELAY");
  work.MustConsume();
  work.Credit(100);
  const uint64_t now = host.Now();
  std::map<std::string, uint64_t> due;
  std::vector<Item> items;
  for (const uint64_t ms : {400u, 150u, 600u, 151u, 0u}) {
    const std::string id = Text("in ", ms, " ms");
    due[id] = ms == 0 ? 0 : now + ms * kMs;
    items.push_back({.id = id, .not_before = due[id]});
  }
  items.push_back({.id = "past", .not_before = now - 1'000 * kMs});
  work.MustDispatch(items);
  for (const Delivery& delivery : work.Await(items.size())) {
    const uint64_t not_before = due[delivery.item.id];
    Expect(delivery.host_time >= not_before, Show(delivery.item.id), " is delivered ",
           (not_before - delivery.host_time) / kMs, " ms before its not_before");
    work.MustSettle(delivery);
  }
  const auto all = work.Deliveries();
  Expect(all.back().item.id == "in 600 ms", "the last delivered is ", Show(all.back().item.id), ", not the latest");
}

void OrderKeys() {
  Host host;
  const Instance instance(host);
  Work& work = Work::New(instance);
  work.Need(TEAL_THREADS_ORDER, "TEAL_THREADS_ORDER");
  work.MustConsume();
  constexpr int kEach = 6;
  constexpr int kKeys = 3;
  for (int n = 0; n < kEach; ++n) {
    for (int key = 0; key < kKeys; ++key)
      work.MustDispatch({{.id = Text(key, " item ", n), .order_key = Text("key ", key)}});
  }
  work.Credit(100);
  work.Await(kKeys);
  Expect(work.After(0.15).size() == kKeys, "of ", kKeys, " order keys ", work.Deliveries().size(),
         " items are out at once: the next comes when the one before is settled");
  // Key 0 is held back; the others go on.
  std::map<int, int> next;
  std::size_t seen = 0;
  Delivery held;
  const auto take = [&](bool settle_key_0) {
    for (const auto deliveries = work.Deliveries(); seen < deliveries.size(); ++seen) {
      const Delivery& delivery = deliveries[seen];
      const int key = std::atoi(delivery.item.id.c_str());
      const std::string want = Text(key, " item ", next[key]);
      Expect(delivery.item.id == want, "of order key ", key, " ", Show(delivery.item.id), " is delivered where ",
             Show(want), " was to come");
      ++next[key];
      if (key != 0 || settle_key_0) {
        work.MustSettle(delivery);
      } else {
        held = delivery;
      }
    }
  };
  for (std::size_t out = kKeys; out <= static_cast<std::size_t>((kKeys - 1) * kEach + 1); ++out) {
    work.Await(out);
    take(false);
  }
  Expect(next[0] == 1, "of an order key whose first item is not settled ", next[0], " are delivered");
  work.MustSettle(held);
  for (std::size_t out = (kKeys - 1) * kEach + 2; out <= static_cast<std::size_t>(kKeys * kEach); ++out) {
    work.Await(out);
    take(true);
  }
}

void LargestPriorityFirst() {
  Host host;
  const Instance instance(host);
  Work& work = Work::New(instance);
  work.Need(TEAL_THREADS_PRIORITY, "TEAL_THREADS_PRIORITY");
  std::vector<Item> items;
  for (const uint32_t priority : {3u, 0u, 9u, 5u, 9u, 1u, 0xffffffffu}) {
    items.push_back({.id = Text("priority ", priority, " #", items.size()), .priority = priority});
  }
  work.MustDispatch(items);
  work.MustConsume();
  std::vector<uint32_t> got;
  for (std::size_t n = 1; n <= items.size(); ++n) {
    work.Credit(1);
    const Delivery delivery = work.Await(n).back();
    got.push_back(delivery.item.priority);
    work.MustSettle(delivery);
  }
  for (std::size_t n = 1; n < got.size(); ++n) {
    Expect(got[n - 1] >= got[n], "priority ", got[n], " waited and was delivered after priority ", got[n - 1]);
  }
}

void RetryAfterTheDelay() {
  Host host;
  const Instance instance(host);
  Work& work = Work::New(instance);
  work.MustConsume();
  work.Credit(100);
  work.MustDispatch({{.id = "again"}, {.id = "at once"}});
  std::map<std::string, Delivery> last;
  for (const Delivery& delivery : work.Await(2)) last[delivery.item.id] = delivery;
  const uint64_t retried = host.Now();
  constexpr uint64_t kDelay = 300 * kMs;
  work.MustSettle(last["again"], TEAL_RETRY, kDelay);
  work.MustSettle(last["at once"], TEAL_RETRY, 0);
  for (std::size_t n = 2; n < 4; ++n) {
    const Delivery again = work.Await(n + 1)[n];
    const Delivery& first = last[again.item.id];
    Expect(again.attempt == 2, Show(again.item.id), " is delivered again as attempt ", again.attempt);
    Expect(again.token != first.token, Show(again.item.id), " is delivered again with the same token");
    Expect(again.item.payload == first.item.payload, Show(again.item.id), " is delivered again with another payload");
    if (again.item.id == "again") {
      Expect(again.host_time >= retried + kDelay, "an item settled with RETRY in ", kDelay / kMs,
             " ms is delivered again after ", (again.host_time - retried) / kMs, " ms");
    }
    work.MustSettle(again);
  }
  Expect(work.After(0.2).size() == 4, "an item that was acknowledged after a retry is delivered again");
}

void WaitingIdOnce() {
  Host host;
  const Instance instance(host);
  Work& work = Work::New(instance);
  work.Need(TEAL_THREADS_DEDUP, "TEAL_THREADS_DEDUP");
  for (int n = 0; n < 4; ++n) work.MustDispatch({{.id = "same"}, {.id = Text("other ", n)}});
  work.MustConsume();
  work.Credit(100);
  work.Await(5);
  const auto deliveries = work.After(0.3);
  const auto same =
      std::count_if(deliveries.begin(), deliveries.end(), [](const Delivery& d) { return d.item.id == "same"; });
  Expect(same == 1, "an id dispatched 4 times while it waited is delivered ", same, " times");
  for (const Delivery& delivery : deliveries) work.MustSettle(delivery);
  // Once it waits no longer, it is work again.
  work.MustDispatch({{.id = "same"}});
  work.MustSettle(work.Await(6).back());
}

constexpr std::array<Test, 5> kTests = {{{"THR-4", Needs::kThreads, 60, NotBefore},
                                         {"THR-5", Needs::kThreads, 90, OrderKeys},
                                         {"THR-6", Needs::kThreads, 60, LargestPriorityFirst},
                                         {"THR-8", Needs::kThreads, 60, RetryAfterTheDelay},
                                         {"THR-12", Needs::kThreads, 60, WaitingIdOnce}}};

}  // namespace

std::span<const Test> ThreadsOrderTests() {
  return kTests;
}

}  // namespace teal::kit

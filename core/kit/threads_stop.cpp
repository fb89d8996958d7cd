// How consuming ends.
#include <array>
#include <chrono>
#include <thread>

#include "core/kit/test.h"
#include "core/kit/verdict.h"
#include "core/kit/work.h"

namespace teal::kit {
namespace {

std::vector<Item> Items(int count) {
  std::vector<Item> items;
  for (int n = 0; n < count; ++n) items.push_back({.id = Text("item ", n)});
  return items;
}

void Drain() {
  Host host;
  const Instance instance(host);
  Work& work = Work::New(instance);
  work.MustConsume();
  work.MustDispatch(Items(10));
  work.Credit(4);
  const auto out = work.Await(4);
  Call& drain = work.BeginDrain();
  work.Credit(6);
  Expect(!drain.WaitFor(0.2), "drain is done while 4 items are delivered and not settled");
  Expect(work.Deliveries().size() == 4, "while draining ", work.Deliveries().size() - 4, " items are newly delivered");
  for (std::size_t n = 0; n < out.size(); ++n) {
    Expect(!drain.DoneNow(), "drain is done while ", out.size() - n, " items are not settled");
    work.MustSettle(out[n]);
  }
  Expect(drain.Wait().Ok(), "drain gave ", drain.reply().Says());
  Expect(work.After(0.2).size() == 4, "after a drain ", work.Deliveries().size() - 4, " items are newly delivered");
  work.MustStop();
  Work& again = Work::New(instance);
  again.MustConsume();
  again.Credit(100);
  for (const Delivery& delivery : again.Await(6)) again.MustSettle(delivery);
  // With nothing delivered it is done at once.
  Expect(again.BeginDrain().Wait().Ok(), "a drain with nothing delivered does not end with OK");
}

void SilentAfterStop() {
  Host host;
  const Instance instance(host);
  Work* before = nullptr;
  for (int round = 0; round < 10; ++round) {
    Work& work = Work::New(instance);
    work.MustConsume();
    work.Credit(1'000);
    std::thread dispatcher([&] {
      for (int n = 0; n < 20; ++n) work.MustDispatch({{.id = Text(round, " item ", n)}});
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(2 + round));
    work.MustStop();
    const uint64_t calls = work.calls();
    dispatcher.join();
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    Expect(work.calls() == calls, "after stop_consuming returned `deliver` was called ", work.calls() - calls,
           " times");
    before = &work;
  }
  const auto unsettled = before->Deliveries();
  Work& last = Work::New(instance);
  last.MustConsume();
  last.Credit(100'000);
  const auto all = last.Await(200);
  for (const Delivery& was : unsettled) {
    bool again = false;
    for (const Delivery& is : all) again = again || is.item.id == was.item.id;
    Expect(again, Show(was.item.id), ", delivered before stop_consuming and not settled, is not delivered again");
  }
  for (const Delivery& delivery : all) last.BeginSettle(delivery.token, TEAL_ACK).Wait();
}

void OneConsumer() {
  Host host;
  const Instance instance(host);
  Work& first = Work::New(instance);
  first.MustConsume();
  const teal_status status = first.table().consume(instance.handle(), [](void*, const teal_item*) {}, nullptr);
  Expect(status == TEAL_INVALID, "a second consumer gave ", StatusName(status), ", not INVALID");
  first.MustDispatch(Items(1));
  first.Credit(1);
  first.MustSettle(first.Await(1).front());
  first.MustStop();
  Work& second = Work::New(instance);
  second.MustConsume();
  second.MustStop();
}

void CloseWithItems() {
  Host host;
  for (int round = 0; round < 5; ++round) {
    Instance instance(host);
    Work& work = Work::New(instance);
    work.MustConsume();
    auto items = Items(40);
    for (std::size_t n = 0; n < items.size(); ++n) {
      items[n].id = Text(round, " ", items[n].id);
      if (n % 4 == 0) items[n].order_key = "key";
    }
    work.MustDispatch(items);
    work.Credit(15);
    work.Await(3);
    Call& drain = work.BeginDrain();
    instance.Close();
    const uint64_t calls = work.calls();
    Expect(drain.DoneNow() || drain.reply().returned != TEAL_OK, "close returned while a drain was open");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    Expect(work.calls() == calls, "after close returned `deliver` was called ", work.calls() - calls, " times");
  }
}

constexpr std::array<Test, 4> kTests = {{{"THR-10", Needs::kThreads, 60, Drain},
                                         {"THR-11", Needs::kThreads, 90, SilentAfterStop},
                                         {"THR-13", Needs::kThreads, 60, OneConsumer},
                                         {"THR-15", Needs::kThreads, 60, CloseWithItems}}};

}  // namespace

std::span<const Test> ThreadsStopTests() {
  return kTests;
}

}  // namespace teal::kit

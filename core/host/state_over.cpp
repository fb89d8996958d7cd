// State kept in a memory. `done` of the memory is a sink and calls nothing back, so the next page of a `due` is asked
// for by a thread of the store's own; everything else ends in the sink itself.
#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <queue>
#include <thread>
#include <vector>

#include "core/host/call.h"
#include "core/host/state.h"

namespace teal::host {
namespace {

constexpr std::string_view kPrefix = "teal.state/";
constexpr uint64_t kPageRecords = 100;  // of up to 64 KiB each

class StateOver : public StateStore {
 public:
  StateOver(const teal_memory* memory, teal_instance* instance, std::function<uint64_t()> next_op_id)
      : memory_(memory), instance_(instance), next_op_id_(std::move(next_op_id)) {}

  ~StateOver() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    ready_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  teal_status Get(const std::string& plugin, const teal_call* call, teal_bytes scope, teal_bytes name) override {
    auto* const flight = new Flight(*this, plugin, call, scope, name);
    return Begin(flight, OnGot,
                 [&](const teal_call* inner) { return memory_->get(instance_, inner, &flight->op.key, 1); });
  }

  teal_status Put(const std::string& plugin, const teal_call* call, teal_bytes scope, teal_bytes name, teal_bytes value,
                  const teal_version* expected, uint64_t due_unix_ns) override {
    auto* const flight = new Flight(*this, plugin, call, scope, name);
    flight->op.kind = TEAL_PUT;
    flight->op.value = value;
    flight->op.due_unix_ns = due_unix_ns;
    Condition(expected, &flight->op);
    return Begin(flight, OnPut,
                 [&](const teal_call* inner) { return memory_->commit(instance_, inner, &flight->op, 1); });
  }

  teal_status Remove(const std::string& plugin, const teal_call* call, teal_bytes scope, teal_bytes name,
                     const teal_version* expected) override {
    auto* const flight = new Flight(*this, plugin, call, scope, name);
    flight->op.kind = TEAL_DELETE;
    Condition(expected, &flight->op);
    // Deleting what must not be there is looking that it is not.
    if (flight->op.condition == TEAL_IF_ABSENT) flight->op.kind = TEAL_CHECK;
    return Begin(flight, OnRemoved,
                 [&](const teal_call* inner) { return memory_->commit(instance_, inner, &flight->op, 1); });
  }

  teal_status Due(const std::string& plugin, const teal_call* call, teal_bytes scope, uint64_t until_unix_ns,
                  uint64_t limit) override {
    auto* const flight = new Flight(*this, plugin, call, scope, {});
    flight->until_unix_ns = until_unix_ns;
    flight->limit = limit;
    return Scan(flight);
  }

 private:
  using Due_ = std::pair<uint64_t, std::string>;  // time, name

  // A call of the plugin's and the memory's call that stands for it. Freed when `done` of the plugin's was called.
  struct Flight {
    Flight(StateOver& its_store, const std::string& plugin, const teal_call* call, teal_bytes its_scope,
           teal_bytes its_name)
        : store(its_store), outer(call), scope(its_scope), name(its_name) {
      partition = std::string(kPrefix) + plugin + "/" + std::string(ViewOf(scope));
      op.key = {BytesOf(partition), name};
    }
    StateOver& store;
    const teal_call* outer;
    teal_bytes scope;
    teal_bytes name;
    std::string partition;
    teal_call inner{};
    teal_op op{};
    // Of `due`.
    uint64_t until_unix_ns = 0;
    uint64_t limit = 0;
    std::priority_queue<Due_> earliest;  // at most limit + 1, the latest on top
    std::string cursor;
  };

  static void Condition(const teal_version* expected, teal_op* op) {
    static constexpr teal_version kZero{};
    if (expected == nullptr) {
      op->condition = TEAL_IF_ANY;
    } else if (std::memcmp(expected, &kZero, sizeof kZero) == 0) {
      op->condition = TEAL_IF_ABSENT;
    } else {
      op->condition = TEAL_IF_VERSION;
      op->expected = *expected;
    }
  }

  template <typename Function>
  teal_status Begin(Flight* flight, teal_done_fn done, const Function& function) {
    flight->inner = {};
    flight->inner.struct_size = sizeof flight->inner;
    flight->inner.op_id = next_op_id_();
    flight->inner.deadline_unix_ns = flight->outer->deadline_unix_ns;
    flight->inner.traceparent = flight->outer->traceparent;
    flight->inner.done = done;
    flight->inner.done_ctx = flight;
    const teal_status status = function(&flight->inner);
    if (status == TEAL_OK) return TEAL_OK;
    // Through `done`, since a later page may be refused as well as the first.
    Finish(flight,
           [&](const teal_call* call) { EndWith(call, status, "the memory that keeps the state refused the call"); });
    return TEAL_OK;
  }

  template <typename Ending>
  static void Finish(Flight* flight, const Ending& ending) {
    const std::unique_ptr<Flight> owned(flight);
    ending(flight->outer);
  }

  static void Fail(Flight* flight, const teal_error* error) {
    Finish(flight, [&](const teal_call* call) { call->done(call->done_ctx, error, nullptr); });
  }

  static void TEAL_CALL OnGot(void* ctx, const teal_error* error, const void* result) {
    auto* const flight = static_cast<Flight*>(ctx);
    if (error != nullptr) return Fail(flight, error);
    const auto* const page = static_cast<const teal_page*>(result);
    Finish(flight, [&](const teal_call* call) {
      if (page->count == 0) return EndWith(call, TEAL_NOT_FOUND, "there is no such state");
      teal_record record = page->records[0];
      record.key = {flight->scope, flight->name};
      End(call, &record);
    });
  }

  static void TEAL_CALL OnPut(void* ctx, const teal_error* error, const void* result) {
    auto* const flight = static_cast<Flight*>(ctx);
    if (error != nullptr) return Fail(flight, error);
    const auto* const committed = static_cast<const teal_commit_result*>(result);
    Finish(flight, [&](const teal_call* call) { End(call, committed->versions); });
  }

  static void TEAL_CALL OnRemoved(void* ctx, const teal_error* error, const void*) {
    auto* const flight = static_cast<Flight*>(ctx);
    if (error != nullptr) return Fail(flight, error);
    Finish(flight, [](const teal_call* call) { End(call, nullptr); });
  }

  teal_status Scan(Flight* flight) {
    return Begin(flight, OnPage, [&](const teal_call* inner) {
      return memory_->scan(instance_, inner, BytesOf(flight->partition), {}, kPageRecords, BytesOf(flight->cursor));
    });
  }

  static void TEAL_CALL OnPage(void* ctx, const teal_error* error, const void* result) {
    auto* const flight = static_cast<Flight*>(ctx);
    if (error != nullptr) return Fail(flight, error);
    const auto* const page = static_cast<const teal_page*>(result);
    for (uint64_t i = 0; i < page->count; ++i) {
      const teal_record& record = page->records[i];
      if (record.due_unix_ns == 0 || record.due_unix_ns > flight->until_unix_ns) continue;
      flight->earliest.emplace(record.due_unix_ns, std::string(ViewOf(record.key.sort)));
      if (flight->earliest.size() > flight->limit + 1) flight->earliest.pop();
    }
    if (page->more != 0) {
      flight->cursor = std::string(ViewOf(page->next));
      return flight->store.Later(flight);
    }
    Finish(flight, [&](const teal_call* call) { GivePage(*flight, call); });
  }

  static void GivePage(Flight& flight, const teal_call* call) {
    teal_page page{};
    page.struct_size = sizeof page;
    page.more = flight.earliest.size() > flight.limit ? 1 : 0;
    if (page.more != 0) flight.earliest.pop();
    std::vector<Due_> due;
    for (; !flight.earliest.empty(); flight.earliest.pop()) due.push_back(flight.earliest.top());
    std::reverse(due.begin(), due.end());
    std::vector<teal_record> records;
    for (const auto& [at, name] : due) records.push_back({{flight.scope, BytesOf(name)}, {}, {}, at, 0});
    page.count = records.size();
    page.records = records.data();
    End(call, &page);
  }

  void Later(Flight* flight) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(flight);
      if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
    }
    ready_.notify_one();
  }

  void Run() {
    std::unique_lock lock(mutex_);
    while (true) {
      ready_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      Flight* const flight = waiting_.front();
      waiting_.pop_front();
      lock.unlock();
      Scan(flight);
      lock.lock();
    }
  }

  const teal_memory* const memory_;
  teal_instance* const instance_;
  const std::function<uint64_t()> next_op_id_;

  std::mutex mutex_;
  std::condition_variable ready_;
  // Guarded by mutex_.
  bool stopping_ = false;
  std::deque<Flight*> waiting_;
  std::thread thread_;
};

}  // namespace

std::shared_ptr<StateStore> MakeStateOver(const teal_memory* memory, teal_instance* instance,
                                          std::function<uint64_t()> next_op_id) {
  return std::make_shared<StateOver>(memory, instance, std::move(next_op_id));
}

}  // namespace teal::host

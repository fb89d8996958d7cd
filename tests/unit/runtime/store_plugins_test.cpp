// The store over real memory plugins, opened as a host opens them, with real threads: also where replies are lost and
// where it ends with calls in the air.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "core/host/instance.h"
#include "core/runtime/memory_store.h"
#include "tests/unit/runtime/store_scripted.h"

namespace teal::runtime {
namespace {

template <typename T, typename Begin>
Result<T> WaitFor(Begin begin) {
  std::mutex mutex;
  std::condition_variable ready;
  std::optional<Result<T>> result;
  begin([&](Result<T> given) {
    const std::lock_guard lock(mutex);
    result.emplace(std::move(given));
    ready.notify_all();
  });
  std::unique_lock lock(mutex);
  ready.wait(lock, [&] { return result.has_value(); });
  return std::move(*result);
}

// A table over another's: each third commit is throttled, each third is applied and its reply lost.
struct Flaky {
  const teal_memory* real = nullptr;
  teal_instance* instance = nullptr;
  std::atomic<uint64_t> commits{0};

  struct Passing {
    teal_call call;
    teal_done_fn done;
    void* ctx;
  };
  static Flaky& Of(teal_instance* instance) { return *reinterpret_cast<Flaky*>(instance); }
  static void Say(teal_done_fn done, void* ctx, teal_status code, uint32_t outcome) {
    teal_error error{};
    error.struct_size = sizeof error;
    error.code = code;
    error.outcome = outcome;
    done(ctx, &error, nullptr);
  }
  static void TEAL_CALL Lose(void* ctx, const teal_error*, const void*) {
    const std::unique_ptr<Passing> passing(static_cast<Passing*>(ctx));
    Say(passing->done, passing->ctx, TEAL_TIMEOUT, TEAL_OUTCOME_UNKNOWN);
  }
  static teal_status TEAL_CALL Caps(teal_instance* self, teal_memory_caps* out) {
    return Of(self).real->caps(Of(self).instance, out);
  }
  static teal_status TEAL_CALL Commit(teal_instance* self, const teal_call* call, const teal_op* ops, uint64_t count) {
    Flaky& flaky = Of(self);
    const uint64_t number = flaky.commits.fetch_add(1);
    if (number % 3 == 0) {
      Say(call->done, call->done_ctx, TEAL_THROTTLED, TEAL_NOT_APPLIED);
      return TEAL_OK;
    }
    if (number % 3 == 1) return flaky.real->commit(flaky.instance, call, ops, count);
    auto passing = std::make_unique<Passing>(Passing{*call, call->done, call->done_ctx});
    passing->call.done = &Lose;
    passing->call.done_ctx = passing.get();
    const teal_status status = flaky.real->commit(flaky.instance, &passing->call, ops, count);
    if (status == TEAL_OK) (void)passing.release();  // Lose deletes it, perhaps already has
    return status;
  }
  static teal_status TEAL_CALL Get(teal_instance* self, const teal_call* call, const teal_key* keys, uint64_t count) {
    return Of(self).real->get(Of(self).instance, call, keys, count);
  }
};

class StoreOver : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const host::Manifest manifest =
        host::ReadManifest(std::string(TEAL_BINARY_DIR) + "/lib/teal/plugins/" + GetParam() + ".teal-plugin.json")
            .value();
    const Result<const host::Plugin*> plugin = host::LoadPlugin(manifest, {});
    ASSERT_TRUE(plugin.ok()) << plugin.failure().message;
    std::string name = (std::filesystem::temp_directory_path() / "teal-store-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    host::InstanceOptions options;
    if (GetParam() == "local") options.config_json = "{\"path\": \"" + folder_ + "/store\"}";
    Result<std::unique_ptr<host::Instance>> opened = host::Instance::Open(*plugin.value(), options);
    ASSERT_TRUE(opened.ok()) << opened.failure().message;
    instance_ = std::move(opened).value();
    store_ = std::make_unique<MemoryStore>(instance_->memory(), instance_->handle());
  }
  void TearDown() override {
    store_.reset();
    instance_.reset();
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }

  Result<StoreCommitted> Commit(Store& store, std::vector<StoreWrite> writes) {
    return WaitFor<StoreCommitted>([&](auto done) { store.Commit(std::move(writes), std::move(done)); });
  }
  Result<std::vector<std::optional<StoreItem>>> Get(Store& store, std::vector<record::Key> keys) {
    return WaitFor<std::vector<std::optional<StoreItem>>>(
        [&](auto done) { store.Get(std::move(keys), std::move(done)); });
  }

  // Adds one to a number, as often as told, against whoever else does. The conflicts are the store's to tell.
  void Count(Store& store, const record::Key& key, const std::string& who, int times) {
    std::optional<StoreItem> seen = Get(store, {key}).value().at(0);
    for (int i = 0; i < times;) {
      const uint64_t number = seen ? std::stoull(seen->bytes) : 0;
      const std::string bytes = std::to_string(number + 1) + " " + who + " " + std::to_string(i);
      const auto done = Commit(store, {seen ? PutOf(key, bytes, StoreCondition::kVersion, seen->version)
                                            : PutOf(key, bytes, StoreCondition::kAbsent)});
      ASSERT_TRUE(done.ok()) << done.failure().message;
      if (!done.value().applied) {
        if (done.value().doubtful) doubtful_.fetch_add(1);
        seen = done.value().found;
        continue;
      }
      seen = StoreItem{key, bytes, done.value().versions.at(0)};
      ++i;
    }
  }

  std::string folder_;
  std::unique_ptr<host::Instance> instance_;
  std::unique_ptr<MemoryStore> store_;
  std::atomic<uint64_t> doubtful_{0};
};

TEST_P(StoreOver, WritesReadsAndConflicts) {
  EXPECT_EQ(store_->limits().durable, GetParam() == "local");
  EXPECT_GT(store_->limits().commit_ops_max, 1u);
  EXPECT_GE(store_->limits().value_bytes_max, 65'536u);
  const record::Key a{"p", "a"};
  StoreWrite due = PutOf({"p", "b"}, "due", StoreCondition::kAbsent);
  due.due_unix_ns = 1'000;
  const auto made = Commit(*store_, {PutOf(a, "one", StoreCondition::kAbsent), due});
  ASSERT_TRUE(made.ok() && made.value().applied);
  const auto again = Commit(*store_, {PutOf(a, "two", StoreCondition::kAbsent)});
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again.value().applied);
  EXPECT_EQ(again.value().found->bytes, "one");
  EXPECT_EQ(again.value().found->version, made.value().versions.at(0));
  ASSERT_TRUE(
      Commit(*store_, {PutOf(a, "two", StoreCondition::kVersion, made.value().versions.at(0))}).value().applied);
  const auto got = Get(*store_, {{"p", "b"}, {"p", "none"}, a});
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got.value().at(0)->due_unix_ns, 1'000u);
  EXPECT_FALSE(got.value().at(1));
  EXPECT_EQ(got.value().at(2)->bytes, "two");
  const auto late = WaitFor<StorePage>([&](auto done) { store_->ScanDue(0, 1, 2'000, 10, "", std::move(done)); });
  ASSERT_EQ(late.value().items.size(), 1u);
  EXPECT_EQ(late.value().items[0].key.sort, "b");
}

TEST_P(StoreOver, GetsAndScansWhatIsMoreThanOneCallTakes) {
  std::vector<record::Key> keys;
  std::vector<StoreWrite> writes;
  for (int i = 0; i < 2'500; ++i) {
    keys.push_back({"p", std::to_string(10'000 + i)});
    if (i % 2 == 0) writes.push_back(PutOf(keys.back(), std::to_string(i)));
    if (writes.size() == std::min<uint64_t>(store_->limits().commit_ops_max, 100) || i == 2'499) {
      ASSERT_TRUE(Commit(*store_, std::exchange(writes, {})).ok());
    }
  }
  const auto got = Get(*store_, keys);
  ASSERT_TRUE(got.ok()) << got.failure().message;
  for (size_t i = 0; i < keys.size(); ++i) {
    ASSERT_EQ(got.value()[i].has_value(), i % 2 == 0) << i;
    if (i % 2 == 0) {
      ASSERT_EQ(got.value()[i]->bytes, std::to_string(i));
    }
  }
  size_t seen = 0;
  std::string cursor;
  for (bool more = true; more;) {
    const auto page = WaitFor<StorePage>([&](auto done) { store_->Scan("p", "1", 100'000, cursor, std::move(done)); });
    ASSERT_TRUE(page.ok());
    for (const StoreItem& item : page.value().items) EXPECT_EQ(item.key, keys[2 * seen++]);
    more = page.value().more;
    cursor = page.value().next;
  }
  EXPECT_EQ(seen, 1'250u);
}

// Whether lost replies are found out right shows in the number: a write counted that was not, or one twice, is off.
TEST_P(StoreOver, NothingIsLostOrDoneTwiceWhereRepliesAreLost) {
  Flaky flaky{.real = instance_->memory(), .instance = instance_->handle(), .commits = 0};
  teal_memory table{};
  table.struct_size = sizeof table;
  table.caps = &Flaky::Caps;
  table.commit = &Flaky::Commit;
  table.get = &Flaky::Get;
  MemoryStoreOptions options;
  options.backoff_first_ns = 100'000;
  options.backoff_max_ns = kMs;
  MemoryStore store(&table, reinterpret_cast<teal_instance*>(&flaky), options);
  constexpr int kThreads = 4;
  constexpr int kTimes = 60;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] { Count(store, {"p", "n"}, std::to_string(t), kTimes); });
  }
  for (std::thread& thread : threads) thread.join();
  const uint64_t number = std::stoull(Get(store, {{"p", "n"}}).value().at(0)->bytes);
  // A doubtful conflict may have been applied and counted over: that is what it says.
  EXPECT_GE(number, uint64_t{kThreads * kTimes});
  EXPECT_LE(number, kThreads * kTimes + doubtful_.load());
  EXPECT_GT(store.counters().unknown, 0u);
  EXPECT_GT(store.counters().repeats, 0u);
}

TEST_P(StoreOver, ItsEndWaitsForWhatIsInTheAir) {
  for (int round = 0; round < 20; ++round) {
    auto store = std::make_unique<MemoryStore>(instance_->memory(), instance_->handle());
    std::atomic<int> ended{0};
    for (int i = 0; i < 50; ++i) {
      store->Commit({PutOf({"p", std::to_string(i)}, "x")}, [&](Result<StoreCommitted> done) {
        EXPECT_TRUE(done.ok());
        ended.fetch_add(1);
      });
    }
    store.reset();
    EXPECT_EQ(ended, 50);
  }
}

// RocksDB is not built with sanitizers, which would take its locks and its memory for what they are not.
#if defined(TEAL_SANITIZED)
#define TEAL_PLUGINS testing::Values("memory")
#else
#define TEAL_PLUGINS testing::Values("memory", "local")
#endif
INSTANTIATE_TEST_SUITE_P(Plugins, StoreOver, TEAL_PLUGINS, [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace teal::runtime

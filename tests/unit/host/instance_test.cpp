#include "core/host/instance.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <teal/host.hpp>
#include <thread>

#include "core/host/keep.h"
#include "samples.h"

namespace teal::host {
namespace {

const Plugin& ThePlugin(const std::string& name) {
  // The library must stay where it is for as long as the process.
  static auto* const folders = new std::vector<std::unique_ptr<TempFolder>>;
  folders->push_back(std::make_unique<TempFolder>());
  const Manifest manifest = ReadManifest(PutPlugin(folders->back()->path(), Sample(name))).value();
  return *LoadPlugin(manifest, {}).value();
}

Result<std::unique_ptr<Instance>> Open(const Plugin& plugin, const std::string& behave, InstanceOptions options = {}) {
  options.config_json = "{\"behave\": \"" + behave + "\"}";
  return Instance::Open(plugin, std::move(options));
}

TEST(Instance, OpensAndCloses) {
  const Plugin& plugin = ThePlugin("good");
  Result<std::unique_ptr<Instance>> instance = Open(plugin, "well");
  ASSERT_TRUE(instance.ok()) << instance.failure().message;
  Instance& opened = *instance.value();
  ASSERT_NE(opened.memory(), nullptr);
  EXPECT_EQ(opened.threads(), nullptr);
  EXPECT_EQ(opened.trigger(), nullptr);
  EXPECT_EQ(opened.deploy(), nullptr);
  const Memory memory(opened.memory(), opened.handle());
  EXPECT_EQ(memory.Caps().key_bytes_max, 512U);
  EXPECT_TRUE(memory.GetNow("p", "s").error.Ok());
  EXPECT_EQ(memory.CommitNow({}).error.code, TEAL_UNSUPPORTED);
  EXPECT_TRUE(opened.Close().ok());
  EXPECT_TRUE(opened.Close().ok());
}

TEST(Instance, SlotsBeyondThePluginsTableAreNull) {
  const Result<std::unique_ptr<Instance>> instance = Open(ThePlugin("good"), "well");
  ASSERT_TRUE(instance.ok());
  // The sample's table is 48 bytes long and has poison behind.
  EXPECT_NE(instance.value()->memory()->scan_due, nullptr);
  EXPECT_EQ(instance.value()->memory()->watch, nullptr);
  EXPECT_EQ(instance.value()->memory()->blob_delete, nullptr);
  EXPECT_EQ(instance.value()->memory()->struct_size, sizeof(teal_memory));
}

TEST(Instance, WhatOpenSaysIsTold) {
  const Plugin& plugin = ThePlugin("good");
  EXPECT_EQ(Open(plugin, "fail").failure().message,
            "plugin \"sample\": its open failed: the password is wrong; see \"password\" (TEAL_DENIED)");
  EXPECT_EQ(Open(plugin, "nothing").failure().message, "plugin \"sample\": its open said TEAL_OK and gave no instance");
  EXPECT_EQ(Open(plugin, "blobs").failure().message,
            "plugin \"sample\": it offers blobs, and its table lacks blob_open");
}

TEST(Instance, AnOpenThatNeverReturnsIsGivenUp) {
  InstanceOptions options;
  options.open_ns_max = 50'000'000;
  const Failure failure = Open(ThePlugin("good"), "hang", std::move(options)).failure();
  EXPECT_EQ(failure.code, FailureCode::kUnavailable);
  EXPECT_EQ(failure.message.rfind("plugin \"sample\": its open did not come back within 50 ms; ", 0), 0U)
      << failure.message;
}

TEST(Instance, AnOpenThatReturnsTooLateIsClosed) {
  // The thread that was given up uses them at any time.
  struct Kept {
    std::mutex mutex;
    std::vector<std::string> lines;
    std::unique_ptr<Services> services;
  };
  const auto kept = std::make_shared<Kept>();
  KeepForEver(kept);
  LogOptions log;
  log.sink = [raw = kept.get()](std::string_view line) {
    const std::lock_guard lock(raw->mutex);
    raw->lines.emplace_back(line);
  };
  kept->services = std::make_unique<Services>(ServicesOptions{.log = Log::Make(log).value()});
  InstanceOptions options;
  options.open_ns_max = 50'000'000;
  options.services = kept->services.get();
  EXPECT_FALSE(Open(ThePlugin("good"), "slow log", std::move(options)).ok());
  for (int i = 0; i < 200; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const std::lock_guard lock(kept->mutex);
    if (kept->lines.size() == 2) break;
  }
  const std::lock_guard lock(kept->mutex);
  ASSERT_EQ(kept->lines.size(), 2U);
  EXPECT_NE(kept->lines[0].find("warning sample: hello from the sample"), std::string::npos) << kept->lines[0];
  EXPECT_NE(kept->lines[1].find("goodbye"), std::string::npos);
}

TEST(Instance, ACloseThatNeverReturnsIsGivenUp) {
  InstanceOptions options;
  options.close_ns_max = 50'000'000;
  Result<std::unique_ptr<Instance>> instance = Open(ThePlugin("good"), "stay", std::move(options));
  ASSERT_TRUE(instance.ok());
  const Status closed = instance.value()->Close();
  ASSERT_FALSE(closed.ok());
  EXPECT_EQ(closed.failure().message,
            "plugin \"sample\": its close did not come back within 50 ms; report it to the plugin's author");
  EXPECT_FALSE(instance.value()->Close().ok());
}

TEST(Instance, OpIdsAreNeverUsedTwice) {
  Result<std::unique_ptr<Instance>> instance = Open(ThePlugin("good"), "well");
  ASSERT_TRUE(instance.ok());
  std::mutex mutex;
  std::set<uint64_t> ids;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) {
        const uint64_t id = instance.value()->NextOpId();
        const std::lock_guard lock(mutex);
        EXPECT_TRUE(id != 0 && ids.insert(id).second);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

struct Counts {
  std::atomic<int> ok{0}, cancelled{0}, closed{0}, throttled{0};
  void Take(const PageResult& page) {
    switch (page.error.code) {
      case TEAL_OK:
        ++ok;
        break;
      case TEAL_CANCELLED:
        ++cancelled;
        break;
      case TEAL_CLOSED:
        ++closed;
        break;
      case TEAL_THROTTLED:
        ++throttled;
        break;
      default:
        ADD_FAILURE() << page.error.message;
    }
  }
  int all() const { return ok + cancelled + closed + throttled; }
};

void StartGet(Instance& instance, Counts& counts, uint64_t op_id) {
  static const uint8_t kByte = 'x';
  static const teal_key kKey = {{&kByte, 1}, {&kByte, 1}};
  Start<PageResult>(
      {.op_id = op_id}, [&](PageResult page) { counts.Take(page); },
      [&](const teal_call* call) { return instance.memory()->get(instance.handle(), call, &kKey, 1); });
}

TEST(Instance, ABlockingPluginDoesNotBlockItsCaller) {
  InstanceOptions options;
  options.pool_threads = 2;
  options.pool_calls_max = 4;
  Result<std::unique_ptr<Instance>> opened = Open(ThePlugin("blocking"), "well", std::move(options));
  ASSERT_TRUE(opened.ok()) << opened.failure().message;
  Instance& instance = *opened.value();
  Counts counts;
  const auto start = std::chrono::steady_clock::now();
  // Two run for 100 ms, at most four wait, the rest is too much.
  for (uint64_t i = 1; i <= 20; ++i) StartGet(instance, counts, i);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(50));
  EXPECT_GE(counts.throttled, 14);
  while (counts.all() < 20) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(counts.ok, 20 - counts.throttled);
  EXPECT_EQ(Memory(instance.memory(), instance.handle()).CommitNow({}).error.code, TEAL_UNSUPPORTED);
}

TEST(Instance, CallsThatWaitForThePoolCanBeCancelled) {
  InstanceOptions options;
  options.pool_threads = 1;
  Result<std::unique_ptr<Instance>> opened = Open(ThePlugin("blocking"), "well", std::move(options));
  ASSERT_TRUE(opened.ok());
  Instance& instance = *opened.value();
  Counts counts;
  StartGet(instance, counts, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(10));  // it is in the plugin
  StartGet(instance, counts, 2);
  EXPECT_EQ(instance.Cancel(2), TEAL_OK);
  EXPECT_EQ(counts.cancelled, 1);
  EXPECT_EQ(instance.Cancel(1), TEAL_OK);
  while (counts.all() < 2) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(counts.cancelled, 2);
}

TEST(Instance, CloseEndsEveryCallOfABlockingPlugin) {
  InstanceOptions options;
  options.pool_threads = 2;
  Result<std::unique_ptr<Instance>> opened = Open(ThePlugin("blocking"), "well", std::move(options));
  ASSERT_TRUE(opened.ok());
  Counts counts;
  for (uint64_t i = 1; i <= 10; ++i) StartGet(*opened.value(), counts, i);
  EXPECT_TRUE(opened.value()->Close().ok());
  EXPECT_EQ(counts.all(), 10);
  EXPECT_GE(counts.closed, 8);
}

TEST(InstanceDeathTest, ACrashInOpenNamesThePlugin) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Plugin& plugin = ThePlugin("good");
  EXPECT_EXIT(static_cast<void>(Open(plugin, "crash")), DiedBy(SIGSEGV),
              "teal: error: plugin \"sample\" crashed in open \\(SIGSEGV\\); the process ends");
  EXPECT_EXIT(static_cast<void>(Open(plugin, "overflow")), DiedBy(SIGSEGV),
              "teal: error: plugin \"sample\" crashed in open \\(SIGSEGV\\)");
  EXPECT_EXIT(static_cast<void>(Open(plugin, "exit")), testing::ExitedWithCode(0),
              "teal: error: plugin \"sample\" crashed in open \\(it called exit\\)");
}

TEST(InstanceDeathTest, AfterOpenACrashIsNotThePlugins) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const auto instance = Open(ThePlugin("good"), "well");
        std::fprintf(stderr, "opened\n");
        std::abort();
      },
      DiedBy(SIGABRT), "^opened\n$");
}

}  // namespace
}  // namespace teal::host

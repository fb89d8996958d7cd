#include "core/host/services.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <teal/host.hpp>
#include <thread>

#include "core/host/call.h"
#include "core/host/instance.h"
#include "samples.h"

namespace teal::host {
namespace {

// A plugin's view of the services.
struct Guest {
  explicit Guest(Services* services, const std::string& id = "sample", const std::string& config = "{}") {
    context.plugin_id = id;
    context.secrets = SecretsNamedIn(config);
    context.now_unix_ns = SystemNowUnixNs;
    context.services = services;
    context.log = &services->log();
    host = MakeHost(&context);
  }
  template <typename Table>
  const Table* Service(const char* id) const {
    return static_cast<const Table*>(host.service(&host, id));
  }
  HostContext context;
  teal_host host{};
};

TEST(Metrics, AreCountedAndWritten) {
  Services services({});
  const Guest guest(&services, "my-plugin");
  const auto* const metrics = guest.Service<teal_metrics>(TEAL_METRICS_ID);
  const auto series = [&](uint32_t kind, const char* name, const char* help, const char* labels) {
    return metrics->series(&guest.host, kind, BytesOf(name), BytesOf(help), BytesOf(labels));
  };
  const uint64_t calls = series(TEAL_COUNTER, "calls_total", "Calls.\nAll of them", R"({"op":"get","z":"a\"b\\"})");
  EXPECT_EQ(series(TEAL_COUNTER, "calls_total", "", R"({"z":"a\"b\\","op":"get"})"), calls);
  const uint64_t open = series(TEAL_GAUGE, "open", "", "");
  const uint64_t took = series(TEAL_HISTOGRAM, "took_seconds", "", "");
  ASSERT_TRUE(calls != 0 && open != 0 && took != 0);
  metrics->record(&guest.host, calls, 1);
  metrics->record(&guest.host, calls, 1.5);
  metrics->record(&guest.host, calls, -5);
  metrics->record(&guest.host, open, 7);
  metrics->record(&guest.host, open, -0.1);
  metrics->record(&guest.host, took, 0.0005);
  metrics->record(&guest.host, took, 100);
  metrics->record(&guest.host, took, std::nan(""));
  metrics->record(&guest.host, 99'999, 1);
  metrics->record(&guest.host, 0, 1);
  const std::string text = services.metrics().PrometheusText();
  const auto has = [&](const std::string& line) {
    EXPECT_NE(text.find(line + "\n"), std::string::npos) << line << "\n" << text;
  };
  has("# HELP teal_plugin_my_plugin_calls_total Calls.\\nAll of them");
  has("# TYPE teal_plugin_my_plugin_calls_total counter");
  has(R"(teal_plugin_my_plugin_calls_total{op="get",z="a\"b\\"} 2.5)");
  has("teal_plugin_my_plugin_open -0.1");
  has("teal_plugin_my_plugin_took_seconds_bucket{le=\"0.0005\"} 1");
  has("teal_plugin_my_plugin_took_seconds_bucket{le=\"60\"} 1");
  has("teal_plugin_my_plugin_took_seconds_bucket{le=\"+Inf\"} 2");
  has("teal_plugin_my_plugin_took_seconds_sum 100.0005");
  has("teal_plugin_my_plugin_took_seconds_count 2");
}

TEST(Metrics, RefuseWhatPrometheusWould) {
  Metrics metrics;
  EXPECT_NE(metrics.Series("p", TEAL_COUNTER, "good", "", ""), 0U);
  EXPECT_EQ(metrics.Series("p", TEAL_GAUGE, "good", "", ""), 0U) << "another kind";
  EXPECT_EQ(metrics.Series("p", 4, "x", "", ""), 0U);
  EXPECT_EQ(metrics.Series("p", TEAL_HISTOGRAM, "took", "", ""), 0U) << "no unit";
  for (const char* name : {"", "1a", "a b", "ä", "a{b}"})
    EXPECT_EQ(metrics.Series("p", TEAL_COUNTER, name, "", ""), 0U) << name;
  for (const char* labels : {"[]", "{", R"({"a":1})", R"({"__a":"b"})", R"({"le":"1"})", R"({"a-b":"c"})"}) {
    EXPECT_EQ(metrics.Series("p", TEAL_COUNTER, "labelled", "", labels), 0U) << labels;
  }
  uint64_t last = 0;
  for (uint64_t i = 1; i < kSeriesOfPluginMax; ++i) {
    last = metrics.Series("p", TEAL_COUNTER, "many", "", "{\"i\":\"" + std::to_string(i) + "\"}");
  }
  EXPECT_NE(last, 0U);
  EXPECT_EQ(metrics.Series("p", TEAL_COUNTER, "many", "", R"({"i":"more"})"), 0U);
  const uint64_t theirs = metrics.Series("q", TEAL_COUNTER, "theirs", "", "");
  EXPECT_NE(theirs, 0U);
  metrics.Record("p", theirs, 1);
  EXPECT_NE(metrics.PrometheusText().find("teal_plugin_q_theirs 0\n"), std::string::npos)
      << "recorded to another's series";
}

TEST(Metrics, LoseNothingUnderThreads) {
  Metrics metrics;
  const uint64_t series = metrics.Series("p", TEAL_COUNTER, "n", "", "");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 10'000; ++j) metrics.Record("p", series, 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_NE(metrics.PrometheusText().find("teal_plugin_p_n 40000\n"), std::string::npos);
}

class LogLines {
 public:
  std::shared_ptr<Log> Make(bool json, uint32_t level = TEAL_LOG_INFO) {
    LogOptions options;
    options.json = json;
    options.level_min = level;
    options.sink = [this](std::string_view line) { lines.emplace_back(line); };
    return Log::Make(options).value();
  }
  std::vector<std::string> lines;
};

TEST(Log, WritesALineAnEntry) {
  LogLines text;
  const auto log = text.Make(false);
  log->Write(TEAL_LOG_DEBUG, "p", "not asked for");
  log->Write(TEAL_LOG_INFO, "p", "two\nlines \"quoted\"", R"({"a": 1})");
  log->Write(99, "", "bad \xff byte", "no json");
  ASSERT_EQ(text.lines.size(), 2U);
  EXPECT_EQ(text.lines[0].substr(24), " info p: two\\nlines \"quoted\" {\"a\":1}");
  EXPECT_EQ(text.lines[1].substr(24), " error host: bad \xef\xbf\xbd byte no json");

  LogLines json;
  json.Make(true)->Write(TEAL_LOG_WARNING, "p", "a \"b\"", R"({"c":[1]})");
  const nlohmann::json line = nlohmann::json::parse(json.lines.at(0));
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["plugin"], "p");
  EXPECT_EQ(line["message"], "a \"b\"");
  EXPECT_EQ(line["fields"]["c"][0], 1);
  EXPECT_EQ(line["time"].get<std::string>().size(), 24U);
}

TEST(Log, CutsWhatIsTooLong) {
  LogLines text;
  text.Make(false)->Write(TEAL_LOG_INFO, "p", std::string(kLogMessageBytesMax - 1, 'a') + "ää");
  EXPECT_LT(text.lines.at(0).size(), kLogMessageBytesMax + 64);
  EXPECT_EQ(text.lines.at(0).substr(text.lines.at(0).size() - 4), "a…");
}

TEST(Secrets, AreGivenToWhomTheyAreNamedForAndNeverLogged) {
  const TempFolder folder;
  WriteFile(folder / "api-key", "hush \"quoted\"\n");
  WriteFile(folder / "open", "x");
  ::chmod((folder / "api-key").c_str(), 0600);
  ::chmod((folder / "open").c_str(), 0644);
  ::setenv("TEAL_SECRET_DB_PASSWORD", "sesame", 1);
  LogLines lines;
  Services services({.secrets = MakeSecretChain({MakeEnvironmentSecrets(), MakeFileSecrets(folder.path())}),
                     .log = lines.Make(true)});
  const Guest guest(
      &services, "sample",
      R"({"url": "db://u:${secret:db.password}@h", "keys": ["${secret:api-key}", "${secret:open} ${secret:none}", "${secret:../x}"]})");
  const auto* const secrets = guest.Service<teal_secrets>(TEAL_SECRETS_ID);
  const auto get = [&](const char* name) {
    return Wait<BytesResult>({}, [&](const teal_call* call) { return secrets->get(&guest.host, call, BytesOf(name)); });
  };
  EXPECT_EQ(get("db.password").bytes, "sesame");
  EXPECT_EQ(get("api-key").bytes, "hush \"quoted\"");
  EXPECT_EQ(get("none").error.code, TEAL_NOT_FOUND);
  EXPECT_EQ(get("other").error.code, TEAL_DENIED);
  EXPECT_EQ(get("other").error.message, "the section of plugin \"sample\" does not name ${secret:other}");
  EXPECT_EQ(get("../x").error.code, TEAL_INVALID);
  EXPECT_EQ(get("open").error.code, TEAL_UNAVAILABLE);
  EXPECT_NE(get("open").error.message.find("is open to others; run: chmod"), std::string::npos);
  guest.host.log(&guest.host, TEAL_LOG_INFO, BytesOf("the password is sesame, the key is hush \"quoted\""),
                 BytesOf(R"({"k":"hush \"quoted\""})"));
  const nlohmann::json line = nlohmann::json::parse(lines.lines.at(0));
  EXPECT_EQ(line["message"], "the password is ***, the key is ***");
  EXPECT_EQ(line["fields"]["k"], "***");
  ::unsetenv("TEAL_SECRET_DB_PASSWORD");
}

TEST(Services, AreThereAsTheyWereGiven) {
  Services none({});
  const Guest guest(&none);
  EXPECT_EQ(guest.host.service(&guest.host, TEAL_STATE_ID), nullptr);
  EXPECT_EQ(guest.host.service(&guest.host, TEAL_SECRETS_ID), nullptr);
  EXPECT_EQ(guest.host.service(&guest.host, "teal.host.other/1"), nullptr);
  EXPECT_NE(guest.host.service(&guest.host, TEAL_METRICS_ID), nullptr);
  EXPECT_NE(guest.host.service(&guest.host, TEAL_HTTP_ID), nullptr);
  EXPECT_EQ(none.Http().value()->Stats().open, 0U);
  Services broken({.http_library = "/nowhere/libteal_http.so"});
  EXPECT_NE(broken.Http().failure().message.find("/nowhere/libteal_http.so: cannot be loaded"), std::string::npos);
}

// ---- state/1, over both stores ----

class State : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      const Manifest manifest =
          ReadManifest(std::string(TEAL_BINARY_DIR) + "/lib/teal/plugins/memory.teal-plugin.json").value();
      Result<const Plugin*> plugin = LoadPlugin(manifest, {});
      ASSERT_TRUE(plugin.ok()) << plugin.failure().message;
      memory_ = std::move(Instance::Open(*plugin.value(), {})).value();
      store_ = MakeStateOver(memory_->memory(), memory_->handle(), [this] { return memory_->NextOpId(); });
    } else {
      store_ = MakeStateInMemory();
    }
    services_ = std::make_unique<Services>(ServicesOptions{.state = store_});
    guest_ = std::make_unique<Guest>(services_.get());
    table_ = guest_->Service<teal_state>(TEAL_STATE_ID);
  }

  struct Got {
    Error error;
    std::string value;
    std::string name;
    std::string scope;
    teal_version version{};
    uint64_t due = 0;
  };
  Got Get(const std::string& scope, const std::string& name, const Guest* guest = nullptr) {
    if (guest == nullptr) guest = guest_.get();
    Got got;
    Call(
        got.error,
        [&](const teal_call* call) { return table_->get(&guest->host, call, BytesOf(scope), BytesOf(name)); },
        [&](const void* result) {
          const auto* const record = static_cast<const teal_record*>(result);
          got.value = Text(record->value);
          got.name = Text(record->key.sort);
          got.scope = Text(record->key.partition);
          got.version = record->version;
          got.due = record->due_unix_ns;
        });
    return got;
  }
  Error Put(const std::string& scope, const std::string& name, const std::string& value,
            const teal_version* expected = nullptr, uint64_t due = 0, teal_version* version = nullptr) {
    Error error;
    Call(
        error,
        [&](const teal_call* call) {
          return table_->put(&guest_->host, call, BytesOf(scope), BytesOf(name), BytesOf(value), expected, due);
        },
        [&](const void* result) {
          if (version != nullptr) *version = *static_cast<const teal_version*>(result);
        });
    return error;
  }
  Error Remove(const std::string& scope, const std::string& name, const teal_version* expected = nullptr) {
    Error error;
    Call(
        error,
        [&](const teal_call* call) {
          return table_->remove(&guest_->host, call, BytesOf(scope), BytesOf(name), expected);
        },
        [](const void*) {});
    return error;
  }
  PageResult Due(const std::string& scope, uint64_t until, uint64_t limit) {
    return Wait<PageResult>(
        {}, [&](const teal_call* call) { return table_->due(&guest_->host, call, BytesOf(scope), until, limit); });
  }

  static std::string Text(teal_bytes bytes) { return std::string(ViewOf(bytes)); }

  template <typename Begin, typename Take>
  void Call(Error& error, const Begin& begin, const Take& take) {
    struct Shared {
      std::function<void(const void*)> take;
      Error error;
      std::mutex mutex;
      std::condition_variable ready;
      bool done = false;
    } shared;
    shared.take = take;
    teal_call call{};
    call.struct_size = sizeof call;
    call.done_ctx = &shared;
    call.done = [](void* ctx, const teal_error* failed, const void* result) {
      auto* const mine = static_cast<Shared*>(ctx);
      const std::lock_guard lock(mine->mutex);
      mine->error = FromAbi(failed);
      if (failed == nullptr && result != nullptr) mine->take(result);
      mine->done = true;
      mine->ready.notify_all();
    };
    const teal_status status = begin(&call);
    if (status != TEAL_OK) {
      error.code = status;
      return;
    }
    std::unique_lock lock(shared.mutex);
    shared.ready.wait(lock, [&] { return shared.done; });
    error = shared.error;
  }

  std::unique_ptr<Instance> memory_;
  std::shared_ptr<StateStore> store_;
  std::unique_ptr<Services> services_;
  std::unique_ptr<Guest> guest_;
  const teal_state* table_ = nullptr;
};

constexpr teal_version kAbsent{};

TEST_P(State, KeepsWhatWasPut) {
  EXPECT_EQ(Get("t", "cursor").error.code, TEAL_NOT_FOUND);
  teal_version version{};
  EXPECT_TRUE(Put("t", "cursor", std::string("a\0b", 3), nullptr, 77, &version).Ok());
  const Got got = Get("t", "cursor");
  EXPECT_EQ(got.value, std::string("a\0b", 3));
  EXPECT_EQ(got.name, "cursor");
  EXPECT_EQ(got.scope, "t");
  EXPECT_EQ(got.due, 77U);
  EXPECT_EQ(std::memcmp(&got.version, &version, sizeof version), 0);
  EXPECT_TRUE(Remove("t", "cursor").Ok());
  EXPECT_TRUE(Remove("t", "cursor").Ok()) << "an absent record is fine";
  EXPECT_EQ(Get("t", "cursor").error.code, TEAL_NOT_FOUND);
}

TEST_P(State, ComparesBeforeItPuts) {
  teal_version first{};
  EXPECT_TRUE(Put("t", "n", "1", &kAbsent, 0, &first).Ok());
  EXPECT_EQ(Put("t", "n", "2", &kAbsent).code, TEAL_CONFLICT);
  teal_version second{};
  EXPECT_TRUE(Put("t", "n", "2", &first, 0, &second).Ok());
  EXPECT_EQ(Put("t", "n", "3", &first).code, TEAL_CONFLICT);
  EXPECT_EQ(Remove("t", "n", &first).code, TEAL_CONFLICT);
  EXPECT_EQ(Remove("t", "n", &kAbsent).code, TEAL_CONFLICT);
  EXPECT_EQ(Get("t", "n").value, "2");
  EXPECT_TRUE(Remove("t", "n", &second).Ok());
  EXPECT_TRUE(Remove("t", "n", &kAbsent).Ok());
  EXPECT_EQ(Put("t", "n", "4", &second).code, TEAL_CONFLICT) << "a version never comes back";
}

TEST_P(State, EachPluginAndScopeIsItsOwn) {
  EXPECT_TRUE(Put("t", "n", "mine").Ok());
  const Guest other(services_.get(), "other");
  EXPECT_EQ(Get("t", "n", &other).error.code, TEAL_NOT_FOUND);
  EXPECT_EQ(Get("u", "n").error.code, TEAL_NOT_FOUND);
  const Guest close(services_.get(), "sampl");
  EXPECT_EQ(Get("e/t", "n", &close).error.code, TEAL_NOT_FOUND);
}

TEST_P(State, GivesWhatIsDueEarliestFirst) {
  for (int i = 0; i < 250; ++i) {
    EXPECT_TRUE(Put("t", "n" + std::to_string(i), "x", nullptr, static_cast<uint64_t>(1000 - i)).Ok());
  }
  EXPECT_TRUE(Put("t", "never", "x").Ok());
  EXPECT_TRUE(Put("u", "elsewhere", "x", nullptr, 1).Ok());
  const PageResult page = Due("t", 800, 3);
  EXPECT_TRUE(page.more);
  ASSERT_EQ(page.records.size(), 3U);
  EXPECT_EQ(page.records[0].sort, "n249");
  EXPECT_EQ(page.records[0].due_unix_ns, 751U);
  EXPECT_EQ(page.records[2].sort, "n247");
  const PageResult all = Due("t", 800, 1000);
  EXPECT_FALSE(all.more);
  EXPECT_EQ(all.records.size(), 50U);
  EXPECT_EQ(Due("t", 750, 10).records.size(), 0U);
}

TEST_P(State, LimitsAreNamed) {
  EXPECT_EQ(Put("t", "n", std::string(kStateValueBytesMax, 'x')).code, TEAL_OK);
  EXPECT_EQ(Put("t", "n", std::string(kStateValueBytesMax + 1, 'x')).code, TEAL_TOO_LARGE);
  EXPECT_EQ(Put("", "n", "x").code, TEAL_INVALID);
  EXPECT_EQ(Put("t", "", "x").code, TEAL_INVALID);
  EXPECT_EQ(Put(std::string(257, 's'), "n", "x").code, TEAL_INVALID);
  EXPECT_EQ(Put(std::string(256, 's'), std::string(512, 'n'), "x").code, TEAL_OK);
  EXPECT_EQ(Put("t", std::string(513, 'n'), "x").message, "a name is 1 to 512 bytes");
  EXPECT_EQ(Due("t", 1, 0).error.code, TEAL_INVALID);
}

INSTANTIATE_TEST_SUITE_P(Stores, State, testing::Values(false, true),
                         [](const auto& tested) { return std::string(tested.param ? "OverMemory" : "InMemory"); });

}  // namespace
}  // namespace teal::host

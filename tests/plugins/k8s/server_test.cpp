// The server as it is in life: killed, away, refusing, of another kind.
#include <chrono>
#include <fstream>
#include <iterator>
#include <set>

#include "tests/plugins/k8s/fake_server.h"
#include "tests/plugins/k8s/support.h"

namespace teal::k8s_test {
namespace {

using std::chrono::milliseconds;

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << text;
  return text.replace(at, from.size(), to);
}

void ExpectError(const host::Error& error, teal_status code, const std::string& words) {
  EXPECT_EQ(error.code, code) << error.message;
  EXPECT_NE(error.message.find(words), std::string::npos) << error.message;
  EXPECT_EQ(error.message.find("hush"), std::string::npos) << "a password in: " << error.message;
}

TEST(Open, NamesWhatIsWrongWithTheConfiguration) {
  const std::string url = Env("TEAL_K8S_URL");
  ExpectError(OpenError("{"), TEAL_INVALID, "JSON");
  ExpectError(OpenError("[]"), TEAL_INVALID, "object");
  ExpectError(OpenError("{}"), TEAL_INVALID, "url is missing");
  ExpectError(OpenError(Section(url, "teal", R"(,"colour":1)")), TEAL_INVALID, "colour");
  ExpectError(OpenError(Section(url, "pg_teal")), TEAL_INVALID, "schema");
  ExpectError(OpenError(Section(url, "a;b")), TEAL_INVALID, "schema");
  ExpectError(OpenError(Section(url, "teal", R"(,"pool_size":0)")), TEAL_INVALID, "pool_size");
  ExpectError(OpenError(Section(url, "teal", R"(,"pool_size":2.5)")), TEAL_INVALID, "pool_size");
  ExpectError(OpenError(Section(url, "teal", R"(,"password_secret":"x")")), TEAL_UNSUPPORTED, "password_secret");
  // A password that was not encoded: no piece of it is shown.
  ExpectError(OpenError(Section("postgresql://teal:hu/hush@127.0.0.1:1/teal", "teal")), TEAL_INVALID, "percent-encode");
  ExpectError(OpenError(Section("postgresql://teal:1/hush@127.0.0.1:1/teal", "teal")), TEAL_INVALID, "percent-encode");
  ExpectError(OpenError(Section("postgresql://teal:s@hush@127.0.0.1:1/teal", "teal")), TEAL_INVALID, "percent-encode");
  ExpectError(OpenError(Section("postgresql://teal:%ZZhush@127.0.0.1:1/teal", "teal")), TEAL_INVALID, "percent-encode");
}

TEST(Open, NamesWhyTheServerRefuses) {
  const std::string url = Env("TEAL_K8S_URL");
  ExpectError(OpenError(Section(Replaced(url, "hush%2Fof", "wrong"), "teal")), TEAL_DENIED, "teal");
  ExpectError(OpenError(Section(Replaced(url, ":hush%2Fof%2Bteal", ""), "teal")), TEAL_DENIED, "password");
  ExpectError(OpenError(Section(Replaced(url, "/teal:", "/nobody:"), "teal")), TEAL_DENIED, "nobody");
  ExpectError(OpenError(Section(url + "2", "teal")), TEAL_NOT_FOUND, "CREATE DATABASE teal2");
  ExpectError(OpenError(Section("postgresql://teal@127.0.0.1:1/teal", "teal")), TEAL_UNAVAILABLE, "127.0.0.1");
  ExpectError(OpenError(Section("postgresql://teal@nowhere.invalid/teal", "teal")), TEAL_UNAVAILABLE,
              "nowhere.invalid");
  ExpectError(OpenError(Section(Replaced(Env("TEAL_K8S_POOLED_URL"), "hush%2Fof", "wrong"), "teal")), TEAL_DENIED,
              "teal");
}

TEST(Open, NeedsTheRightToMakeItsSchemaOnlyWhereItIsMissing) {
  const std::string schema = FreshSchema();
  Sql("CREATE ROLE guest_" + schema + " LOGIN PASSWORD 'hush_g'");
  const std::string url = Replaced(Env("TEAL_K8S_URL"), "teal:hush%2Fof%2Bteal", "guest_" + schema + ":hush_g");
  ExpectError(OpenError(Section(url, schema)), TEAL_DENIED, "CREATE SCHEMA " + schema);
  {
    const Store made(Section(Env("TEAL_K8S_URL"), schema));
  }
  ExpectError(OpenError(Section(url, schema)), TEAL_DENIED, schema);  // may not look into it
  Sql("GRANT USAGE ON SCHEMA " + schema + " TO guest_" + schema + "; GRANT SELECT ON ALL TABLES IN SCHEMA " + schema +
      " TO guest_" + schema);
  const Store guest(Section(url, schema));
  EXPECT_EQ(guest.Get("p", "s"), std::nullopt);
  const auto refused = guest.Put("p", "s", "v");
  EXPECT_EQ(refused.error.code, TEAL_DENIED);
  EXPECT_EQ(refused.error.outcome, TEAL_NOT_APPLIED);
  Sql("GRANT ALL ON ALL TABLES IN SCHEMA " + schema + " TO guest_" + schema +
      "; GRANT ALL ON ALL SEQUENCES IN SCHEMA " + schema + " TO guest_" + schema);
  EXPECT_OK(guest.Put("p", "s", "v"));
}

TEST(Open, RefusesAServerThatDoesNotWrite) {
  const std::string schema = FreshSchema();
  Sql("CREATE ROLE reader_" + schema + " LOGIN PASSWORD 'hush_r'; ALTER ROLE reader_" + schema +
      " SET default_transaction_read_only = on");
  const std::string url = Replaced(Env("TEAL_K8S_URL"), "teal:hush%2Fof%2Bteal", "reader_" + schema + ":hush_r");
  ExpectError(OpenError(Section(url, schema)), TEAL_UNAVAILABLE, "default_transaction_read_only");
}

TEST(Open, RefusesAReadOnlyReplica) {
  const std::string folder = Env("TEAL_K8S_FOLDER") + "/replica";
  const std::string line = Peer("postgres start " + folder + " --replica-of " + Env("TEAL_K8S_SERVER"));
  const std::string url =
      line.substr(line.find("postgresql://"), line.find('"', line.find("postgresql://")) - line.find("postgresql://"));
  ExpectError(OpenError(Section(url, "teal")), TEAL_UNAVAILABLE, "read-only replica");
  Peer("postgres stop " + folder);
}

TEST(Open, RefusesAServerThatIsTooOld) {
  FakeServer server("11.22");
  ExpectError(OpenError(Section(
                  "postgresql://teal@127.0.0.1:" + std::to_string(server.port()) + "/teal?sslmode=disable", "teal")),
              TEAL_UNSUPPORTED, "PostgreSQL 11");
}

TEST(Open, GivesUpOnAServerThatSaysNothing) {
  FakeServer server("");
  const auto begin = std::chrono::steady_clock::now();
  ExpectError(
      OpenError(Section("postgresql://teal@127.0.0.1:" + std::to_string(server.port()) + "/teal?sslmode=disable",
                        "teal", R"(,"connect_timeout_ms":400)")),
      TEAL_UNAVAILABLE, "connect_timeout_ms");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(1500));
}

TEST(Open, IsDurableOnlyWhereTheServerWaitsForItsDisk) {
  const std::string schema = FreshSchema();
  const Store durable(Section(Env("TEAL_K8S_URL"), schema));
  EXPECT_TRUE(durable.features() & TEAL_MEMORY_DURABLE);
  Sql("CREATE ROLE hasty_" + schema + " LOGIN PASSWORD 'hush_h' IN ROLE teal; ALTER ROLE hasty_" + schema +
      " SET synchronous_commit = off");
  const std::string url = Replaced(Env("TEAL_K8S_URL"), "teal:hush%2Fof%2Bteal", "hasty_" + schema + ":hush_h");
  Store hasty(Section(url, schema));
  EXPECT_FALSE(hasty.features() & TEAL_MEMORY_DURABLE);
  EXPECT_NE(hasty.host().log().find("synchronous_commit"), std::string::npos);
}

TEST(Schema, OneOpenMakesItForAll) {
  const std::string schema = FreshSchema();
  Together(8, [&](int i) {
    Store store(Section(Env(i % 2 == 0 ? "TEAL_K8S_URL" : "TEAL_K8S_POOLED_URL"), schema));
    EXPECT_OK(store.Put("p", std::to_string(i), "v"));
  });
  const Store store(Section(Env("TEAL_K8S_URL"), schema));
  EXPECT_EQ(store.memory().ScanNow("p", "", 100).records.size(), 8U);
}

TEST(Schema, OfVersionOneIsBroughtUpToDateWithWhatIsInIt) {
  const std::string schema = FreshSchema();
  std::ifstream file(Env("TEAL_K8S_FIXTURES") + "/schema_1.sql");
  std::string fixture{std::istreambuf_iterator<char>(file), {}};
  for (std::size_t at = 0; (at = fixture.find("{S}", at)) != std::string::npos;) fixture.replace(at, 3, schema);
  Sql(fixture, Env("TEAL_K8S_URL"));
  EXPECT_EQ(Sql("SELECT value FROM " + schema + ".meta WHERE name = 'schema_version'"), "1");
  Store store(Section(Env("TEAL_K8S_URL"), schema));
  EXPECT_EQ(Sql("SELECT value FROM " + schema + ".meta WHERE name = 'schema_version'"), "2");
  const auto old = store.Get("session", "s");
  ASSERT_TRUE(old);
  EXPECT_EQ(old->value, "kept");
  EXPECT_EQ(old->due_unix_ns, 1'700'000'000 * kSecond);
  EXPECT_EQ(store.memory().ScanDueNow(0, 1, 1'800'000'000 * kSecond, 10).records.size(), 1U);
  EXPECT_OK(store.Replace("session", "s", "changed", old->version));
  const auto blob = store.memory().BlobOpenNow("b");
  ASSERT_OK(blob);
  EXPECT_TRUE(store.memory().BlobCommitNow(blob.handle).Ok());
}

TEST(Schema, OfANewerVersionIsRefusedByItsNumber) {
  const std::string schema = FreshSchema();
  {
    const Store made(Section(Env("TEAL_K8S_URL"), schema));
  }
  Sql("UPDATE " + schema + ".meta SET value = '3' WHERE name = 'schema_version'");
  ExpectError(OpenError(Section(Env("TEAL_K8S_URL"), schema)), TEAL_UNSUPPORTED, "version 3");
}

TEST(Watch, TellsOfChangesByOtherInstances) {
  const std::string schema = FreshSchema();
  Store writer(Section(Env("TEAL_K8S_POOLED_URL"), schema));
  EXPECT_FALSE(writer.features() & TEAL_MEMORY_WATCH);
  uint64_t id = 0;
  const auto ignore = [](void*, teal_key) {};
  EXPECT_EQ(writer.memory().table()->watch(writer.instance(), Bytes("p"), ignore, nullptr, &id), TEAL_UNSUPPORTED);

  Store watcher(Section(Env("TEAL_K8S_POOLED_URL"), schema, R"(,"direct_url":")" + Env("TEAL_K8S_URL") + "\""));
  EXPECT_TRUE(watcher.features() & TEAL_MEMORY_WATCH);
  struct Heard {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> keys;
    std::size_t Count() {
      const std::lock_guard lock(mutex);
      return keys.size();
    }
    bool Wait(const std::string& key) {
      std::unique_lock lock(mutex);
      return changed.wait_for(lock, std::chrono::seconds(10),
                              [&] { return std::find(keys.begin(), keys.end(), key) != keys.end(); });
    }
  } heard;
  const auto hear = [](void* ctx, teal_key key) {
    auto& told = *static_cast<Heard*>(ctx);
    const std::lock_guard lock(told.mutex);
    told.keys.push_back(Copy(key.partition) + "/" + Copy(key.sort));
    told.changed.notify_all();
  };
  ASSERT_EQ(watcher.memory().table()->watch(watcher.instance(), Bytes("p"), hear, &heard, &id), TEAL_OK);
  ASSERT_OK(writer.Put("q", "s", "v"));
  ASSERT_OK(writer.Put("p1", std::string("\0\xFF:", 3), "v"));
  EXPECT_TRUE(heard.Wait("p1/" + std::string("\0\xFF:", 3)));
  {
    const std::lock_guard lock(heard.mutex);
    for (const std::string& key : heard.keys) EXPECT_TRUE(key.starts_with("p")) << key;
  }

  // A lost connection: look again, then as before.
  Sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' OR query = 'SELECT 1'");
  EXPECT_TRUE(heard.Wait("/"));
  ASSERT_OK(writer.Put("p2", "s", "v"));
  EXPECT_TRUE(heard.Wait("p2/s"));

  watcher.memory().table()->unwatch(watcher.instance(), id);
  const std::size_t before = heard.Count();
  ASSERT_OK(writer.Put("p3", "s", "v"));
  std::this_thread::sleep_for(milliseconds(400));
  EXPECT_EQ(heard.Count(), before);
}

TEST(Watch, IsRefusedOverAPoolerOrAnotherStore) {
  const std::string schema = FreshSchema();
  const std::string pooled = Env("TEAL_K8S_POOLED_URL");
  ExpectError(OpenError(Section(pooled, schema, R"(,"direct_url":")" + pooled + "\"")), TEAL_INVALID,
              "leads to a pooler");
  if (Sql("SELECT 1 FROM pg_database WHERE datname = 'elsewhere'").empty()) Sql("CREATE DATABASE elsewhere OWNER teal");
  const std::string elsewhere = Replaced(Env("TEAL_K8S_URL") + "|", "/teal|", "/elsewhere");
  {
    const Store made(Section(elsewhere, schema));
  }
  ExpectError(OpenError(Section(pooled, schema, R"(,"direct_url":")" + elsewhere + "\"")), TEAL_INVALID,
              "another store");
}

// Last, since it takes the server away: suites run in the order of their files' names in CMake's list.
TEST(Server, ZDiesUnderLoadAndLosesNothingAcknowledged) {
  const std::string schema = FreshSchema();
  for (const char* kind : {"TEAL_K8S_URL", "TEAL_K8S_POOLED_URL"}) {
    Store store(Section(Env(kind), schema));
    std::atomic<bool> over{false};
    std::mutex mutex;
    std::set<std::string> acknowledged;
    std::set<std::string> unknown;
    std::thread killer([&] {
      EXPECT_TRUE(Becomes([&] {
        const std::lock_guard lock(mutex);
        return acknowledged.size() > 500;
      }));
      KillServer();
      RestartServer();
      std::this_thread::sleep_for(milliseconds(700));
      over = true;
    });
    Together(16, [&](int client) {
      for (int n = 0; !over || n == 0; ++n) {
        const std::string name = std::string(kind) + "/" + std::to_string(client) + "/" + std::to_string(n);
        const host::Op ops[] = {{.condition = TEAL_IF_ABSENT, .partition = "a", .sort = name, .value = "v"},
                                {.condition = TEAL_IF_ABSENT, .partition = "b", .sort = name, .value = "v"}};
        const auto result = store.memory().CommitNow(ops);
        const std::lock_guard lock(mutex);
        if (result.error.Ok()) {
          acknowledged.insert(name);
          continue;
        }
        EXPECT_NE(result.error.code, TEAL_CONFLICT) << "of its own write";
        if (result.error.outcome == TEAL_OUTCOME_UNKNOWN) unknown.insert(name);
      }
    });
    killer.join();
    // Counted from outside.
    const std::string like = " WHERE encode(sort, 'escape') LIKE '" + std::string(kind) + "/%'";
    const auto there = static_cast<std::size_t>(std::stoi(Sql("SELECT count(*) FROM " + schema + ".record" + like)));
    const std::string missing = Sql("SELECT count(*) FROM " + schema + ".record x" + like +
                                    " AND partition = 'a' AND NOT EXISTS "
                                    "(SELECT 1 FROM " +
                                    schema + ".record y WHERE y.partition = 'b' AND y.sort = x.sort)");
    EXPECT_EQ(missing, "0") << "half a commit";
    EXPECT_GE(there, 2 * acknowledged.size());
    EXPECT_LE(there, 2 * (acknowledged.size() + unknown.size()));
    for (const std::string& name : acknowledged)
      ASSERT_TRUE(store.Get("a", name)) << name << " was acknowledged and is gone";
    EXPECT_OK(store.Put("after", kind, "works again"));
  }
}

TEST(Server, ZIsAwayForAWhileAndComesBack) {
  const std::string schema = FreshSchema();
  Store store(Section(Env("TEAL_K8S_URL"), schema));
  ASSERT_OK(store.Put("p", "s", "v"));
  KillServer();
  const auto quick = store.memory().GetNow("p", "s", {.deadline_unix_ns = store.host().Now() + kSecond});
  EXPECT_EQ(quick.error.code, TEAL_TIMEOUT);
  EXPECT_NE(quick.error.message.find("no connection"), std::string::npos) << quick.error.message;
  const auto begin = std::chrono::steady_clock::now();
  const auto gone = store.memory().GetNow("p", "s");
  EXPECT_EQ(gone.error.code, TEAL_UNAVAILABLE) << gone.error.message;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(14));
  ExpectError(OpenError(Section(Env("TEAL_K8S_URL"), schema)), TEAL_UNAVAILABLE, "127.0.0.1");
  // Called while the server is not there yet: the call waits for it, or is told that there is none.
  std::thread waiting([&] {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    for (;;) {
      const auto page = store.memory().GetNow("p", "s");
      if (page.error.Ok()) {
        ASSERT_EQ(page.records.size(), 1U);
        EXPECT_EQ(page.records[0].value, "v");
        return;
      }
      ASSERT_EQ(page.error.code, TEAL_UNAVAILABLE) << page.error.message;
      ASSERT_LT(std::chrono::steady_clock::now(), patience);
    }
  });
  RestartServer();
  waiting.join();
  EXPECT_NE(store.host().log().find("connected to PostgreSQL again"), std::string::npos);
  EXPECT_EQ(store.host().log().find("hush"), std::string::npos);
}

}  // namespace
}  // namespace teal::k8s_test

// Answers that are lost: what was applied is told as applied, what cannot be told is told as unknown, and a conflict is
// never told of the caller's own write. (ERR-3)
#include <chrono>
#include <future>

#include "tests/plugins/k8s/proxy.h"

namespace teal::k8s_test {
namespace {

class Outcome : public testing::Test {
 protected:
  const std::string schema = FreshSchema();
  Proxy proxy{std::stoi(Env("TEAL_K8S_PORT"))};
  Store plain{Section(Env("TEAL_K8S_URL"), schema)};
  Store store{Section(proxy.Through(Env("TEAL_K8S_URL")), schema, R"(,"pool_size":2)")};
  teal_version made{};

  void SetUp() override {
    const auto result = plain.Create("p", "s", "before");
    ASSERT_OK(result);
    made = result.versions[0];
    // Both connections are there before the proxy begins to lose things: the first commit goes over the one made at
    // open, later ones over the other as soon as it is there.
    ASSERT_OK(store.Put("p", "warm", "up"));
    const int first = proxy.committer();
    ASSERT_TRUE(Becomes([&] { return store.Put("p", "warm", "up").error.Ok() && proxy.committer() != first; }));
  }
};

TEST_F(Outcome, AReplaceWhoseAnswerIsLostIsToldAsApplied) {
  proxy.Catch(Proxy::Mode::kDropAnswer);
  const auto result = store.Replace("p", "s", "after", made);
  EXPECT_TRUE(proxy.caught());
  ASSERT_OK(result);
  const auto now = plain.Get("p", "s");
  EXPECT_EQ(now->value, "after");
  EXPECT_TRUE(SameVersion(now->version, result.versions[0]));
}

TEST_F(Outcome, ACreateWhoseAnswerIsLostIsToldAsApplied) {
  proxy.Catch(Proxy::Mode::kDropAnswer);
  const auto result = store.Create("p", "new", "v");
  EXPECT_TRUE(proxy.caught());
  ASSERT_OK(result);
  EXPECT_TRUE(SameVersion(plain.Get("p", "new")->version, result.versions[0]));
}

TEST_F(Outcome, OfManyOperationsOneThatStandsProvesAll) {
  const host::Op ops[] = {
      {.kind = TEAL_DELETE, .condition = TEAL_IF_VERSION, .partition = "p", .sort = "s", .expected = made},
      {.kind = TEAL_CHECK, .condition = TEAL_IF_ABSENT, .partition = "p", .sort = "t"},
      {.condition = TEAL_IF_ABSENT, .partition = "p", .sort = "z", .value = "v"}};
  proxy.Catch(Proxy::Mode::kDropAnswer);
  const auto result = store.memory().CommitNow(ops);
  EXPECT_TRUE(proxy.caught());
  ASSERT_OK(result);
  ASSERT_EQ(result.versions.size(), 3U);
  EXPECT_TRUE(SameVersion(result.versions[2], plain.Get("p", "z")->version));
  EXPECT_TRUE(SameVersion(result.versions[0], kAbsent));
  EXPECT_FALSE(plain.Get("p", "s"));
}

TEST_F(Outcome, ADeleteWhoseAnswerIsLostIsUnknownNeverAConflict) {
  const host::Op op{.kind = TEAL_DELETE, .condition = TEAL_IF_VERSION, .partition = "p", .sort = "s", .expected = made};
  proxy.Catch(Proxy::Mode::kDropAnswer);
  const auto result = store.memory().CommitNow({&op, 1}, {.idempotency_key = "delete"});
  EXPECT_TRUE(proxy.caught());
  EXPECT_NE(result.error.code, TEAL_CONFLICT);
  EXPECT_FALSE(result.error.Ok());
  EXPECT_EQ(result.error.outcome, TEAL_OUTCOME_UNKNOWN);
  EXPECT_FALSE(plain.Get("p", "s"));
  // Nor when the host repeats it under its key. Under another key it is another commit, and a conflict.
  const auto again = store.memory().CommitNow({&op, 1}, {.idempotency_key = "delete"});
  EXPECT_EQ(again.error.outcome, TEAL_OUTCOME_UNKNOWN);
  EXPECT_NE(again.error.code, TEAL_CONFLICT);
  EXPECT_EQ(store.memory().CommitNow({&op, 1}, {.idempotency_key = "other"}).error.code, TEAL_CONFLICT);
}

TEST_F(Outcome, ARepeatByTheHostIsProvenByAnyInstance) {
  const host::Op op{.condition = TEAL_IF_VERSION, .partition = "p", .sort = "s", .value = "once", .expected = made};
  const auto first = store.memory().CommitNow({&op, 1}, {.idempotency_key = "runner 7, 12"});
  ASSERT_OK(first);
  const auto second = plain.memory().CommitNow({&op, 1}, {.idempotency_key = "runner 7, 12"});
  ASSERT_OK(second);
  EXPECT_TRUE(SameVersion(first.versions[0], second.versions[0]));
  EXPECT_EQ(plain.memory().CommitNow({&op, 1}, {.idempotency_key = "runner 8, 12"}).error.code, TEAL_CONFLICT);
}

TEST_F(Outcome, AReplaceThatLandsLateChangesNothing) {
  proxy.Catch(Proxy::Mode::kHoldCommit);
  const auto result = store.Replace("p", "s", "mine", made);
  EXPECT_TRUE(proxy.caught());
  ASSERT_OK(result);  // sent again, over another connection
  const auto other = plain.Replace("p", "s", "another's", result.versions[0]);
  ASSERT_OK(other);
  proxy.Release();
  EXPECT_EQ(plain.Get("p", "s")->value, "another's");
}

TEST_F(Outcome, ACreateThatMayLandLateIsUnknown) {
  proxy.Catch(Proxy::Mode::kHoldCommit);
  const auto result = store.Create("p", "new", "late");
  EXPECT_TRUE(proxy.caught());
  EXPECT_FALSE(result.error.Ok());
  EXPECT_EQ(result.error.outcome, TEAL_OUTCOME_UNKNOWN);
  EXPECT_FALSE(plain.Get("p", "new"));
  proxy.Release();
  EXPECT_EQ(plain.Get("p", "new")->value, "late");
}

TEST_F(Outcome, ACommitOvertakenAfterItsAnswerWasLostIsNoConflict) {
  // Applied, its answer dropped, and replaced by another before the plugin can look.
  for (int round = 0; round < 5; ++round) {
    const auto now = plain.Get("p", "s");
    ASSERT_TRUE(now);
    proxy.Catch(Proxy::Mode::kDropAnswer, [&] {
      const auto mine = plain.Get("p", "s");
      ASSERT_TRUE(mine);
      EXPECT_EQ(mine->value, "mine");
      EXPECT_OK(plain.Replace("p", "s", "theirs", mine->version));
    });
    const auto result = store.Replace("p", "s", "mine", now->version);
    EXPECT_TRUE(proxy.caught());
    EXPECT_EQ(result.error.code, TEAL_UNAVAILABLE) << result.error.message;
    EXPECT_EQ(result.error.outcome, TEAL_OUTCOME_UNKNOWN) << result.error.message;
    EXPECT_EQ(plain.Get("p", "s")->value, "theirs");
  }
}

TEST_F(Outcome, ReadsAreSentAgain) {
  proxy.Set(Proxy::Mode::kSilent);
  auto read = std::async(std::launch::async, [&] { return store.Get("p", "s"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  Sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'teal'");
  proxy.Set(Proxy::Mode::kPass);
  EXPECT_EQ(read.get()->value, "before");
}

TEST_F(Outcome, ADeadlineEndsACallThatHasNoAnswer) {
  proxy.Set(Proxy::Mode::kSilent);
  const auto begin = std::chrono::steady_clock::now();
  const host::CallOptions soon{.deadline_unix_ns = store.host().Now() + kSecond / 2};
  const auto read = store.memory().GetNow("p", "s", soon);
  EXPECT_EQ(read.error.code, TEAL_TIMEOUT);
  EXPECT_EQ(read.error.outcome, TEAL_NOT_APPLIED);
  const auto write = store.Replace("p", "s", "x", made, {.deadline_unix_ns = store.host().Now() + kSecond / 2});
  EXPECT_EQ(write.error.code, TEAL_TIMEOUT);
  EXPECT_EQ(write.error.outcome, TEAL_OUTCOME_UNKNOWN);
  const auto late = store.memory().GetNow("p", "s", {.deadline_unix_ns = store.host().Now() - kSecond});
  EXPECT_EQ(late.error.code, TEAL_TIMEOUT);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
  proxy.Set(Proxy::Mode::kPass);
}

TEST_F(Outcome, AStatementWithoutAnAnswerGivesItsConnectionUp) {
  Store impatient(Section(proxy.Through(Env("TEAL_K8S_URL")), schema, R"(,"pool_size":2,"statement_timeout_ms":300)"));
  ASSERT_OK(impatient.Put("p", "warm", "up"));
  proxy.Set(Proxy::Mode::kSilent);
  auto read = std::async(std::launch::async, [&] { return impatient.Get("p", "s"); });
  EXPECT_TRUE(Becomes([&] { return impatient.host().log().find("did not answer") != std::string::npos; }))
      << impatient.host().log();
  proxy.Set(Proxy::Mode::kPass);
  EXPECT_EQ(read.get()->value, "before");
}

TEST_F(Outcome, CancelAndCloseEndEveryCallOnce) {
  proxy.Set(Proxy::Mode::kSilent);
  struct Counted {
    std::atomic<int> done{0};
    std::atomic<int> cancelled{0};
    std::atomic<int> closed{0};
  } counted;
  std::vector<teal_call> calls(200);
  const teal_op op{TEAL_PUT, TEAL_IF_ANY, {Bytes("p"), Bytes("c")}, Bytes("v"), {}, 0, 0};
  const teal_key key{Bytes("p"), Bytes("s")};
  for (std::size_t i = 0; i < calls.size(); ++i) {
    calls[i].struct_size = sizeof(teal_call);
    calls[i].op_id = 1000 + i;
    calls[i].done_ctx = &counted;
    calls[i].done = [](void* ctx, const teal_error* error, const void*) {
      auto& told = *static_cast<Counted*>(ctx);
      ++told.done;
      if (error != nullptr && error->code == TEAL_CANCELLED) ++told.cancelled;
      if (error != nullptr && error->code == TEAL_CLOSED) ++told.closed;
    };
    const teal_memory* table = store.memory().table();
    ASSERT_EQ(i % 2 == 0 ? table->commit(store.instance(), &calls[i], &op, 1)
                         : table->get(store.instance(), &calls[i], &key, 1),
              TEAL_OK);
  }
  for (std::size_t i = 0; i < calls.size(); i += 4) Plugin()->cancel(store.instance(), 1000 + i);
  Plugin()->cancel(store.instance(), 999'999);
  EXPECT_TRUE(Becomes([&] { return counted.cancelled > 0; }));
  store.Close();
  EXPECT_EQ(counted.done, 200);
  EXPECT_EQ(counted.cancelled + counted.closed, 200);
  proxy.Set(Proxy::Mode::kPass);
}

}  // namespace
}  // namespace teal::k8s_test

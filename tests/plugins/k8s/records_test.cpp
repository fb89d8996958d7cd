// Records one commit at a time, straight to PostgreSQL and through PgBouncer in transaction mode.
#include "tests/plugins/k8s/both.h"

namespace teal::k8s_test {
namespace {

TEST_P(Both, ConditionsHoldAndTheRecordInTheWayIsGiven) {
  const auto made = store.Create("p", "s", "one");
  ASSERT_OK(made);
  ASSERT_EQ(made.versions.size(), 1U);
  const auto again = store.Create("p", "s", "two");
  EXPECT_EQ(again.error.code, TEAL_CONFLICT);
  EXPECT_EQ(again.error.outcome, TEAL_NOT_APPLIED);
  EXPECT_TRUE(again.versions.empty());
  ASSERT_TRUE(again.found);
  EXPECT_EQ(again.found->value, "one");
  EXPECT_EQ(again.found->sort, "s");
  EXPECT_TRUE(SameVersion(again.found->version, made.versions[0]));

  const auto replaced = store.Replace("p", "s", "two", made.versions[0]);
  ASSERT_OK(replaced);
  const auto stale = store.Replace("p", "s", "three", made.versions[0]);
  EXPECT_EQ(stale.error.code, TEAL_CONFLICT);
  ASSERT_TRUE(stale.found);
  EXPECT_EQ(stale.found->value, "two");
  EXPECT_TRUE(SameVersion(stale.found->version, replaced.versions[0]));

  const host::Op check{.kind = TEAL_CHECK,
                       .condition = TEAL_IF_VERSION,
                       .partition = "p",
                       .sort = "s",
                       .expected = replaced.versions[0]};
  const auto checked = store.memory().CommitNow({&check, 1});
  ASSERT_OK(checked);
  EXPECT_TRUE(SameVersion(checked.versions[0], replaced.versions[0]));

  ASSERT_OK(store.Delete("p", "s"));
  ASSERT_OK(store.Delete("p", "s"));
  EXPECT_FALSE(store.Get("p", "s"));
  const auto gone = store.Replace("p", "s", "four", replaced.versions[0]);
  EXPECT_EQ(gone.error.code, TEAL_CONFLICT);
  EXPECT_FALSE(gone.found);
}

TEST_P(Both, AVersionNeverComesBack) {
  std::set<std::string> seen;
  for (int i = 0; i < 20; ++i) {
    const auto made = store.Put("p", "s", "same");
    ASSERT_OK(made);
    EXPECT_TRUE(seen.emplace(reinterpret_cast<const char*>(made.versions[0].opaque), 32).second);
    if (i % 3 == 0) {
      ASSERT_OK(store.Delete("p", "s"));
    }
  }
  // Not even for the same call, given again under its key after a delete.
  const host::Op op{.partition = "p", .sort = "k", .value = "v"};
  const auto first = store.memory().CommitNow({&op, 1}, {.idempotency_key = "commit 1"});
  ASSERT_OK(store.Delete("p", "k"));
  const auto second = store.memory().CommitNow({&op, 1}, {.idempotency_key = "commit 1"});
  ASSERT_OK(second);
  EXPECT_FALSE(SameVersion(first.versions[0], second.versions[0]));
}

TEST_P(Both, ManyOperationsAreAppliedAllOrNone) {
  ASSERT_OK(store.Create("p", "b", "old"));
  const auto b = store.Get("p", "b");
  for (const char* failing : {"a", "b", "c", "d"}) {
    std::vector<host::Op> ops = {
        {.condition = TEAL_IF_ABSENT, .partition = "p", .sort = "d", .value = "new"},
        {.kind = TEAL_CHECK, .condition = TEAL_IF_ABSENT, .partition = "p", .sort = "c"},
        {.condition = TEAL_IF_VERSION, .partition = "p", .sort = "b", .value = "new", .expected = b->version},
        {.kind = TEAL_DELETE, .partition = "p", .sort = "a"},
        {.partition = "p", .sort = "e", .value = "new"},
    };
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < ops.size(); ++i) {
      if (ops[i].sort != failing) continue;
      wrong = i;
      ops[i].condition = TEAL_IF_VERSION;
      ops[i].expected.opaque[5] = 7;
    }
    const auto result = store.memory().CommitNow(ops);
    EXPECT_EQ(result.error.code, TEAL_CONFLICT) << failing;
    EXPECT_EQ(result.failed_op, wrong) << failing;
    EXPECT_EQ(result.found.has_value(), std::string(failing) == "b") << failing;
    EXPECT_FALSE(store.Get("p", "d"));
    EXPECT_FALSE(store.Get("p", "e"));
    EXPECT_EQ(store.Get("p", "b")->value, "old");
  }
  const std::vector<host::Op> good = {
      {.condition = TEAL_IF_ABSENT,
       .partition = "p",
       .sort = "d",
       .value = "new",
       .due_unix_ns = 5,
       .expires_unix_ns = ~0ULL},
      {.kind = TEAL_CHECK, .condition = TEAL_IF_ABSENT, .partition = "p", .sort = "c"},
      {.condition = TEAL_IF_VERSION, .partition = "p", .sort = "b", .value = "new", .expected = b->version},
      {.kind = TEAL_DELETE, .partition = "p", .sort = "a"},
  };
  const auto result = store.memory().CommitNow(good);
  ASSERT_OK(result);
  ASSERT_EQ(result.versions.size(), 4U);
  const auto d = store.Get("p", "d");
  ASSERT_TRUE(d);
  EXPECT_TRUE(SameVersion(result.versions[0], d->version));
  EXPECT_EQ(d->due_unix_ns, 5U);
  EXPECT_EQ(d->expires_unix_ns, ~0ULL);
  EXPECT_TRUE(SameVersion(result.versions[1], kAbsent));
  EXPECT_TRUE(SameVersion(result.versions[2], store.Get("p", "b")->version));
  EXPECT_TRUE(SameVersion(result.versions[3], kAbsent));
  EXPECT_FALSE(store.Get("p", "c"));  // the placeholder of a check of absence is gone
}

TEST_P(Both, KeysAndValuesMayHoldEveryByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  for (int byte = 0; byte < 256; ++byte) {
    const std::string one(1, static_cast<char>(byte));
    ASSERT_OK(store.Put("p" + one, one, all + one));
    ASSERT_OK(store.Put("every", one + all, one));
  }
  for (int byte = 0; byte < 256; ++byte) {
    const std::string one(1, static_cast<char>(byte));
    ASSERT_EQ(store.Get("p" + one, one)->value, all + one) << byte;
  }
  // Unsigned order.
  const auto page = store.memory().ScanNow("every", "", 1000);
  ASSERT_OK(page);
  ASSERT_EQ(page.records.size(), 256U);
  for (std::size_t i = 0; i < 256; ++i) EXPECT_EQ(static_cast<unsigned char>(page.records[i].sort[0]), i);
  // How the bytes are split counts.
  ASSERT_OK(store.Put("ab", "c", "1"));
  ASSERT_OK(store.Put("a", "bc", "2"));
  EXPECT_EQ(store.Get("ab", "c")->value, "1");
  EXPECT_EQ(store.Get("a", "bc")->value, "2");
  // An empty value is one.
  ASSERT_OK(store.Put("p", "empty", ""));
  EXPECT_EQ(store.Get("p", "empty")->value, "");
}

TEST_P(Both, SizesUpToTheLimitAndNoFurther) {
  const teal_memory_caps caps = store.memory().Caps();
  // What does not compress, or the index would take longer keys than it promises.
  std::string noise(caps.value_bytes_max + 1, '\0');
  uint64_t state = 88172645463325252ULL;
  for (char& c : noise) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    c = static_cast<char>(state);
  }
  const std::string part = noise.substr(0, caps.key_bytes_max);
  const std::string sort = noise.substr(caps.key_bytes_max, caps.key_bytes_max);
  const std::string value = noise.substr(0, caps.value_bytes_max);
  ASSERT_OK(store.Put(part, sort, value, 9));
  EXPECT_EQ(store.Get(part, sort)->value, value);
  const auto over = [&](const host::CommitResult& result, const char* limit) {
    EXPECT_EQ(result.error.code, TEAL_TOO_LARGE);
    EXPECT_NE(result.error.message.find(limit), std::string::npos) << result.error.message;
  };
  over(store.Put(part + "x", sort, ""), "key_bytes_max");
  over(store.Put("p", part + "x", ""), "key_bytes_max");
  over(store.Put("p", "s", noise), "value_bytes_max");
  EXPECT_FALSE(store.Get("p", "s"));

  std::vector<std::string> sorts;
  for (uint64_t i = 0; i <= caps.commit_ops_max; ++i) sorts.push_back("k" + std::to_string(i));
  std::vector<host::Op> ops;
  for (const std::string& s : sorts) ops.push_back({.partition = "many", .sort = s, .value = "v"});
  over(store.memory().CommitNow(ops), "commit_ops_max");
  ops.pop_back();
  ASSERT_OK(store.memory().CommitNow(ops));

  ops.clear();
  const std::string big = value.substr(0, value.size() - 8);
  for (std::size_t i = 0; i < 16; ++i) ops.push_back({.partition = "big", .sort = sorts[i], .value = big});
  uint64_t bytes = 0;
  for (const host::Op& op : ops) bytes += op.partition.size() + op.sort.size() + op.value.size();
  const std::string rest(caps.commit_bytes_max - bytes - 4, 'r');
  ops.push_back({.partition = "big", .sort = "r", .value = rest});
  ASSERT_OK(store.memory().CommitNow(ops));
  const std::string more = rest + "r";
  ops.back().value = more;
  over(store.memory().CommitNow(ops), "commit_bytes_max");

  std::vector<teal_key> keys;
  for (uint64_t i = 0; i <= caps.get_keys_max; ++i) keys.push_back({Bytes("many"), Bytes(sorts[i])});
  EXPECT_EQ(store.memory().GetNow(keys).error.code, TEAL_TOO_LARGE);
  keys.pop_back();
  std::swap(keys[0], keys[200]);
  const auto page = store.memory().GetNow(keys);
  ASSERT_OK(page);
  ASSERT_EQ(page.records.size(), keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(page.records[i].sort, View(keys[i].sort));
}

TEST_P(Both, WhatNoCorrectHostSendsIsRefusedAtOnce) {
  const auto refused = [&](teal_op op) {
    teal_call call{};
    call.struct_size = sizeof call;
    call.done = [](void*, const teal_error*, const void*) { ADD_FAILURE() << "done was called"; };
    return store.memory().table()->commit(store.instance(), &call, &op, 1);
  };
  teal_op op{};
  op.kind = TEAL_PUT;
  op.key = {Bytes("p"), Bytes("s")};
  teal_op wrong = op;
  wrong.kind = 4;
  EXPECT_EQ(refused(wrong), TEAL_INVALID);
  wrong = op;
  wrong.kind = TEAL_CHECK;
  EXPECT_EQ(refused(wrong), TEAL_INVALID);
  wrong = op;
  wrong.key.sort = {nullptr, 0};
  EXPECT_EQ(refused(wrong), TEAL_INVALID);
  wrong = op;
  wrong.kind = TEAL_DELETE;
  wrong.due_unix_ns = 1;
  EXPECT_EQ(refused(wrong), TEAL_INVALID);
}

TEST_P(Both, ExpiredRecordsAreDroppedAfterTheirTimeOnly) {
  const uint64_t now = store.host().Now();
  const host::Op ops[] = {{.partition = "x", .sort = "soon", .value = "v", .expires_unix_ns = now + 30 * kSecond},
                          {.partition = "x", .sort = "late", .value = "v", .expires_unix_ns = now + 3600 * kSecond}};
  ASSERT_OK(store.memory().CommitNow(ops));
  EXPECT_EQ(Sql("SELECT \"" + schema + "\".drop_expired(" + Stored(now + 20 * kSecond) + ", 100)"), "0");
  EXPECT_TRUE(store.Get("x", "soon"));
  EXPECT_EQ(Sql("SELECT \"" + schema + "\".drop_expired(" + Stored(now + 40 * kSecond) + ", 100)"), "1");
  EXPECT_FALSE(store.Get("x", "soon"));
  EXPECT_TRUE(store.Get("x", "late"));
}

}  // namespace
}  // namespace teal::k8s_test

#include "session_harness.h"

namespace teal::runtime {
namespace {

constexpr char kMany[] =
    "fn work(n) { sleep(n)\n print(n)\n n * 2 }\n"
    "fn main() {\n  fs = [async work(1), async work(2), async work(3)]\n  e = event(\"go\")\n  send(sid(), \"go\", 5)\n"
    "  t = timeout(e, 10)\n  [all(fs), await t, await async (fn() { async work(4) })()]\n}";

TEST(Session, MovesAtEachSuspension) {
  const Ran whole = RunText(kMany);
  ASSERT_EQ(whole.Result(), "[[2, 4, 6], 5, 8]") << whole.Message();
  int moves = 0;
  for (uint64_t n = 1;; ++n) {
    RunOptions options;
    options.suspension.move_at = n;
    const Ran first = RunText(kMany, options);
    if (first.moved.empty()) break;
    RunOptions rest;
    rest.take_up = first.moved;
    const Ran second = RunText(kMany, rest);
    EXPECT_EQ(second.Result(), whole.Result()) << "moved at " << n << ": " << second.Message();
    EXPECT_EQ(second.output, whole.output) << "moved at " << n;
    ++moves;
  }
  EXPECT_GT(moves, 15);
}

TEST(Session, SuspendedAlways) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    RunOptions options;
    options.suspension = {.always = true, .seed = seed};
    EXPECT_EQ(RunText(kMany, options).Result(), "[[2, 4, 6], 5, 8]");
  }
}

TEST(Session, DamagedBytesAreTold) {
  RunOptions options;
  options.suspension.move_at = 4;
  const std::string bytes = RunText(kMany, options).moved;
  ASSERT_FALSE(bytes.empty());
  const auto program = Compile(kMany);
  for (size_t size = 0; size < bytes.size(); size += 7) {
    TextSink sink;
    VirtualClock clock(0);
    Runtime runtime({.clock = &clock, .output = &sink});
    SessionStart start;
    start.program = program;
    const auto taken = runtime.TakeUp(std::move(start), bytes.substr(0, size));
    if (!taken.ok()) {
      EXPECT_FALSE(taken.failure().message.empty());
    }
  }
}

TEST(Session, FailuresNobodyAwaitedCount) {
  EXPECT_EQ(RunText("fn bad() { raise(\"K\", \"\", null) }\nfn main() { async bad()\n 1 }").Kind(), "K");
  EXPECT_EQ(RunText("fn bad() { raise(\"K\", \"\", null) }\nfn main() { settle([async bad()])\n 1 }").Result(), "1");
}

TEST(Session, LimitsEndIt) {
  RunOptions options;
  options.limits.steps = 5;
  EXPECT_EQ(RunText("fn f() { 1 }\nfn main() { while true { await async f() } }", options).Kind(), "limit");
}

TEST(Session, RetriesWithGrowingDelays) {
  int calls = 0;
  RunOptions options;
  options.foreign = [&calls](const ForeignCall& call) {
    EXPECT_EQ(call.attempt, static_cast<uint32_t>(++calls));
    EXPECT_EQ(call.step, 0u);
    ForeignOutcome outcome;
    outcome.ok = calls == 4;
    outcome.value = outcome.ok ? vm::Value::Int(1) : vm::MakeError("OSError", "again");
    return outcome;
  };
  const Ran ran = RunText("#[retry(max=4, first=1s, factor=2)]\nimport(f, src.m, 0)\nfn main() { f() }", options);
  EXPECT_EQ(ran.Result(), "1") << ran.Message();
  EXPECT_DOUBLE_EQ(ran.virtual_seconds, 1 + 2 + 4);
}

TEST(Session, LostWorkersAreReplacedThreeTimes) {
  int calls = 0;
  RunOptions options;
  options.foreign = [&calls](const ForeignCall&) {
    ++calls;
    ForeignOutcome outcome;
    outcome.worker_lost = true;
    outcome.value = vm::MakeError("interrupted", "src.m.f: its worker died");
    return outcome;
  };
  EXPECT_EQ(RunText("import(f, src.m, 0)\nfn main() { f() }", options).Kind(), "interrupted");
  EXPECT_EQ(calls, 4);
  calls = 0;
  EXPECT_EQ(RunText("#[at_most_once]\nimport(f, src.m, 0)\nfn main() { f() }", options).Kind(), "interrupted");
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace teal::runtime

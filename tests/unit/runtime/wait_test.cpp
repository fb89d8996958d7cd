#include "session_harness.h"

namespace teal::runtime {
namespace {

constexpr char kWork[] =
    "fn work(n, t) { sleep(t)\n n }\nfn bad(k, t) { sleep(t)\n raise(k, \"failed\", null) }\n"
    "fn kind(f) { try { f()\n \"none\" } catch e { e.kind } }\n";

std::string ResultOf(const std::string& body) {
  const Ran ran = RunText(std::string(kWork) + "fn main() { " + body + " }");
  return ran.outcome.error.IsNull() ? ran.Result() : ran.Kind() + ": " + ran.Message();
}

TEST(Wait, All) {
  EXPECT_EQ(ResultOf("all([async work(1, 3), 7, async work(2, 1)])"), "[1, 7, 2]");
  EXPECT_EQ(ResultOf("kind(fn() { all([async work(1, 100), async bad(\"K\", 1)]) })"), "\"K\"");
}

TEST(Wait, AllCancelsWhatItsThreadStartedAndRaisesWhenEachHasEnded) {
  const Ran ran = RunText(std::string(kWork) +
                          "fn slow() { try { sleep(100) } finally { sleep(5)\n print(\"cleaned\") } }\n"
                          "fn main() { try { all([async slow(), async bad(\"K\", 1)]) } catch e { print(e.kind) } }");
  EXPECT_EQ(ran.output, "cleaned\nK\n");
  EXPECT_DOUBLE_EQ(ran.virtual_seconds, 6);
}

TEST(Wait, SettleSomeAndRace) {
  EXPECT_EQ(ResultOf("r = settle([async work(1, 1), async bad(\"K\", 1)])\n [r[0], r[1].error.kind]"),
            "[{\"ok\": 1}, \"K\"]");
  EXPECT_EQ(ResultOf("some([async work(1, 3), async work(2, 1), async work(3, 2)], 2, 0)"),
            "[{\"index\": 1, \"value\": 2}, {\"index\": 2, \"value\": 3}]");
  EXPECT_EQ(ResultOf("kind(fn() { some([async bad(\"A\", 1), async bad(\"B\", 2), async work(3, 3)], 1, 1) })"),
            "\"B\"");
  EXPECT_EQ(ResultOf("race([async work(1, 3), async work(2, 1)])"), "{\"index\": 1, \"value\": 2}");
}

TEST(Wait, TimeoutCancelsAndFails) {
  EXPECT_EQ(ResultOf("f = async work(1, 100)\n a = kind(fn() { await timeout(f, 2) })\n b = try { await f } catch e if "
                     "e.kind == \"cancelled\" { e.kind }\n [a, b]"),
            "[\"timeout\", \"cancelled\"]");
  EXPECT_EQ(ResultOf("await timeout(async work(1, 1), 2)"), "1");
}

TEST(Wait, ChainedFutures) {
  EXPECT_EQ(ResultOf("await (async (fn() { async work(5, 2) })())"), "5");
  const Ran ran = RunText("fn f() { async g() }\nfn g() { sleep(3)\n 8 }\nfn main() { f() }");
  EXPECT_EQ(ran.Result(), "8") << ran.Message();
}

TEST(Wait, StuckIsToldInsteadOfHanging) {
  const Ran ran = RunText("fn main() {\n  await event(\"x\")\n}");
  EXPECT_EQ(ran.Kind(), "stuck");
  EXPECT_NE(ran.Message().find("thread 0 waits for event(\"x\") at main.tl:2"), std::string::npos) << ran.Message();
  EXPECT_EQ(RunText("fn main() { timer(9)\n await event(\"x\") }").virtual_seconds, 0) << "a timer nobody awaits";
}

}  // namespace
}  // namespace teal::runtime

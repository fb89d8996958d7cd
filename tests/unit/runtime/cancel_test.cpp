#include "session_harness.h"

namespace teal::runtime {
namespace {

TEST(Cancel, IsRaisedOnceAndFinallyMayAwait) {
  const Ran ran = RunText(
      "fn f() { try { sleep(100) } catch e { print(\"caught\") } finally { sleep(1)\n print(\"clean\") } }\n"
      "fn main() { t = async f()\n sleep(1)\n cancel(t)\n cancel(t)\n"
      " try { await t } catch e if e.kind == \"cancelled\" { print(\"seen\") } }");
  EXPECT_EQ(ran.output, "clean\nseen\n");
  EXPECT_EQ(ran.outcome.status, SessionStatus::kDone) << ran.Message();
}

TEST(Cancel, TheGraceEnds) {
  const Ran ran = RunText(
      "fn f() { try { sleep(1000) } finally { sleep(1000)\n print(\"never\") } }\n"
      "fn main() { t = async f()\n sleep(1)\n cancel(t)\n try { await t } catch e if e.kind == \"cancelled\" { null } "
      "}");
  EXPECT_EQ(ran.output, "");
  EXPECT_DOUBLE_EQ(ran.virtual_seconds, 61);
}

TEST(Cancel, AnEventWaitGivesItsPlaceBack) {
  const Ran ran = RunText(
      "fn f() { await event(\"x\") }\n"
      "fn main() { t = async f()\n sleep(1)\n cancel(t)\n send(sid(), \"x\", 5)\n await event(\"x\") }");
  EXPECT_EQ(ran.Result(), "5") << ran.Message();
}

TEST(Cancel, WhatHasEndedStaysAsItIs) {
  EXPECT_EQ(RunText("fn f() { 3 }\nfn main() { t = async f()\n await t\n cancel(t)\n await t }").Result(), "3");
}

}  // namespace
}  // namespace teal::runtime

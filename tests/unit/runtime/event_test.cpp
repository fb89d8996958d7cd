#include "session_harness.h"

namespace teal::runtime {
namespace {

TEST(Event, FirstComeFirstServedOnBothSides) {
  EXPECT_EQ(
      RunText("fn main() { s = sid()\n send(s, \"a\", 1)\n send(s, \"a\", 2)\n x = event(\"a\")\n y = event(\"a\")\n"
              " z = event(\"a\")\n send(s, \"a\", 3)\n [await z, await x, await y] }")
          .Result(),
      "[3, 1, 2]");
}

TEST(Event, TimedOutWaitGivesItsPlaceBack) {
  EXPECT_EQ(RunText("fn main() { try { await timeout(event(\"a\"), 1) } catch e { null }\n send(sid(), \"a\", 4)\n"
                    " await event(\"a\") }")
                .Result(),
            "4");
}

TEST(Event, RequestsBetweenSessions) {
  EXPECT_EQ(RunText("fn other(to) { send(to, \"q\", 9) }\n"
                    "fn main() { start(other, sid())\n r = await request(\"q\")\n reply(r.reply, 1)\n r.value }")
                .Result(),
            "9");
}

TEST(Event, WhatCannotBeSentIsTold) {
  EXPECT_EQ(RunText("fn main() { send(sid(), \"a\", {\"k\": [main]}) }").Message(),
            "send: value.k[0] is a function, which cannot leave its session");
  EXPECT_EQ(RunText("fn main() { send(\"nobody\", \"a\", 1) }").Kind(), "not_found");
}

}  // namespace
}  // namespace teal::runtime

#include "session_harness.h"

namespace teal::runtime {
namespace {

TEST(Scheduler, SpawnedThreadsRunInOrderBeforeWhatWasReady) {
  EXPECT_EQ(RunText("fn f(n) { print(n) }\nfn main() { for i in range(20) { async f(i) }\n null }").output,
            "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n");
}

TEST(Scheduler, DepthFirstKeepsFewThreadsAlive) {
  RunOptions options;
  options.limits.living_threads = 100;
  const Ran ran = RunText(
      "fn fib(n) {\n if n < 2 { return n }\n a = async fib(n - 1)\n b = async fib(n - 2)\n (await a) + (await b)\n}\n"
      "fn main() { fib(12) }",
      options);
  EXPECT_EQ(ran.Result(), "144") << ran.Message();
}

TEST(Scheduler, AComputingThreadDoesNotStarveOthers) {
  const Ran ran = RunText(
      "fn spin() { while true { x = 1 } }\nfn quick() { print(\"ran\") }\n"
      "fn main() { s = async spin()\n q = async quick()\n await q\n cancel(s)\n null }");
  EXPECT_EQ(ran.output, "ran\n");
  EXPECT_EQ(ran.outcome.status, SessionStatus::kDone) << ran.Message();
}

TEST(Scheduler, VirtualTimeJumps) {
  const Ran ran = RunText("fn main() { sleep(10d)\n [await timer(1h)] }");
  EXPECT_EQ(ran.Result(), "[null]");
  EXPECT_DOUBLE_EQ(ran.virtual_seconds, 864000 + 3600);
}

TEST(Scheduler, ManyOsThreadsGiveTheSameSum) {
  RunOptions options;
  options.real_time = true;
  const Ran ran = RunText(
      "fn work(n) { s = 0\n for i in range(2000) { s = s + i % n }\n await timer(0.001)\n s }\n"
      "fn main() { sum(pmap(range(1, 200), work)) - sum(map(range(1, 200), work)) }",
      options);
  EXPECT_EQ(ran.Result(), "0") << ran.Message();
}

TEST(Scheduler, OnlySoManyThreadsRunAtOnce) {
  RunOptions options;
  options.limits.running_threads = 1;
  EXPECT_EQ(
      RunText("fn f(n) { sleep(1)\n n }\nfn main() { all([async f(1), async f(2), async f(3)]) }", options).Result(),
      "[1, 2, 3]");
}

}  // namespace
}  // namespace teal::runtime

// The attributes `concurrency`, `rate` and `priority`, in virtual time.
#include "session_harness.h"

namespace teal::runtime {
namespace {

// Prints the second at which each thread runs.
constexpr char kAt[] = "fn at(what) { print(format(\"{} {}\", what, int(now()) - 1)) }\n";

std::string Text(std::string_view attributes, std::string_view rest) {
  return std::string(kAt) + std::string(attributes) + "\n" + std::string(rest);
}

constexpr char kWork[] = "fn work(n) { at(n)\n sleep(10)\n n }\n";

TEST(Limits, SoManyThreadsOfAFunctionRunAtOnceInTheOrderOfArrival) {
  const Ran ran = RunText(Text("#[concurrency(2)]", std::string(kWork) + "fn main() { pmap(range(5), work) }"));
  EXPECT_EQ(ran.Result(), "[0, 1, 2, 3, 4]") << ran.Message();
  EXPECT_EQ(ran.output, "0 0\n1 0\n2 10\n3 10\n4 20\n");
}

TEST(Limits, EachValueOfTheKeyCountsAlone) {
  const Ran ran = RunText(Text("#[concurrency(1, key=who)]",
                               "fn work(n, who) { at(n)\n sleep(10) }\n"
                               "fn main() { all([async work(0, \"a\"), async work(1, \"a\"), async work(2, \"b\"), "
                               "async work(3, \"b\")])\n null }"));
  EXPECT_EQ(ran.output, "0 0\n2 0\n1 10\n3 10\n") << ran.Message();
}

TEST(Limits, SoManyBeginInAnyWindow) {
  const Ran ran = RunText(Text("#[rate(2, per=60)]", std::string(kWork) +
                                                         "fn main() { sleep(5)\n all(map(range(5), fn(n) { async "
                                                         "work(n) }))\n sleep(58)\n await async work(9)\n null }"));
  EXPECT_EQ(ran.output, "0 5\n1 5\n2 65\n3 65\n4 125\n9 193\n") << ran.Message();
}

TEST(Limits, ARateAndAConcurrencyHoldTogether) {
  const Ran ran = RunText(
      Text("#[rate(3, per=60)]\n#[concurrency(2)]", std::string(kWork) + "fn main() { pmap(range(5), work)\n null }"));
  EXPECT_EQ(ran.output, "0 0\n1 0\n2 10\n3 60\n4 60\n") << ran.Message();
}

TEST(Limits, APlaceComesBackWhenAThreadFailsOrIsCancelled) {
  const Ran ran = RunText(Text("#[concurrency(1)]",
                               "fn work(n) { at(n)\n sleep(10)\n if n == 0 { raise(\"bad\", \"n\") }\n n }\n"
                               "fn main() { a = async work(0)\n b = async work(1)\n c = async work(2)\n d = async "
                               "work(3)\n sleep(1)\n cancel(c)\n try { await a } catch e { print(\"caught\") }\n"
                               " sleep(1)\n cancel(b)\n await d }"));
  EXPECT_EQ(ran.Result(), "3") << ran.Message();
  EXPECT_EQ(ran.output, "0 0\n1 10\ncaught\n3 11\n");
}

TEST(Limits, AThreadThatWaitsForItselfIsStuckAndSaysForWhat) {
  const Ran ran = RunText(Text("#[concurrency(1)]",
                               "fn work(n) { if n > 0 { await async work(n - 1) }\n n }\n"
                               "fn main() { await async work(1) }"));
  EXPECT_EQ(ran.Kind(), "stuck");
  EXPECT_NE(ran.Message().find("a place among those of `work`"), std::string::npos) << ran.Message();
}

TEST(Limits, SessionsOfOneProcessShareThem) {
  const Ran ran = RunText(Text("#[concurrency(1)]",
                               "fn work(n) { at(n)\n sleep(10) }\n"
                               "fn other() { await async work(2) }\n"
                               "fn main() { start(other)\n await async work(1)\n null }"));
  EXPECT_TRUE(ran.output == "1 0\n2 10\n" || ran.output == "2 0\n1 10\n") << ran.output << ran.Message();
}

TEST(Limits, KeysThatCannotBeOneAreAnError) {
  const Ran ran = RunText(
      Text("#[concurrency(1, key=who)]", "fn work(who) { 1 }\nfn main() { f = timer(1)\n await async work([f]) }"));
  EXPECT_EQ(ran.output, "") << ran.Message();
  EXPECT_TRUE(ran.Kind() == "type" || ran.outcome.status == SessionStatus::kDone) << ran.Message();
}

TEST(Limits, LargerPriorityGoesFirst) {
  RunOptions options;
  options.limits.running_threads = 1;
  const std::string text = Text("",
                                "#[priority(5)]\nfn high(n) { at(n)\n n }\n#[priority(-1)]\nfn low(n) { at(n) }\n"
                                "fn plain(n) { at(n) }\nfn main() { all([async low(0), async plain(1), async high(2), "
                                "async plain(3), async high(4)])\n null }");
  EXPECT_EQ(RunText(text, options).output, "2 0\n4 0\n1 0\n3 0\n0 0\n");
  EXPECT_EQ(RunText(text).output, "2 0\n4 0\n1 0\n3 0\n0 0\n");
}

// There is always one of the larger priority ready.
TEST(Limits, AThreadOfLessPriorityIsNotPassedForEver) {
  RunOptions options;
  options.limits.spawn_depth = 10'000;
  const Ran ran = RunText(
      "#[priority(9)]\nfn chain(n) {\n if n == 0 { print(\"done\")\n return 0 }\n async chain(n - 1)\n n\n}\n"
      "fn low() { print(\"low\") }\nfn main() { all([async chain(3000), async low()])\n null }",
      options);
  EXPECT_EQ(ran.output, "low\ndone\n") << ran.Message();
}

// Of calls: each attempt takes a place, and gives it back while it waits for the next.
TEST(Limits, HoldForCallsOfImports) {
  RunOptions options;
  options.foreign = [](const ForeignCall& call) {
    ForeignOutcome outcome;
    outcome.ok = call.attempt == 2;
    outcome.value = outcome.ok ? vm::Value::Int(call.attempt) : vm::MakeError("Busy", "try again");
    return outcome;
  };
  const Ran ran = RunText(Text("#[rate(1, per=10)]\n#[retry(max=2, first=1)]\nfrom m import call",
                               "fn one(n) { call(n)\n at(n) }\n"
                               "fn main() { pmap(range(3), one)\n null }"),
                          options);
  // Attempts begin at 0 10 20 (the first of each), then 30 40 50.
  EXPECT_EQ(ran.output, "0 30\n1 40\n2 50\n") << ran.Message();
}

TEST(Limits, MoveWithTheSession) {
  const std::string text = Text("#[concurrency(1)]",
                                "fn work(n) { print(n)\n sleep(0.01)\n print(n)\n n }\n"
                                "fn main() { pmap(range(3), work) }");
  for (uint64_t at = 1;; ++at) {
    RunOptions options;
    options.real_time = true;
    options.suspension.move_at = at;
    Ran ran = RunText(text, options);
    if (ran.moved.empty()) break;
    ASSERT_LT(at, 200u);
    options.suspension.move_at = 0;
    options.take_up = ran.moved;
    ran = RunText(text, options);
    // Each prints its number twice, with none between. A move may change who comes first.
    ASSERT_EQ(ran.output.size(), 12u) << "moved at " << at << ": " << ran.output << ran.Message();
    for (size_t i = 0; i < 12; i += 4) EXPECT_EQ(ran.output[i], ran.output[i + 2]) << "moved at " << at;
  }
}

}  // namespace
}  // namespace teal::runtime

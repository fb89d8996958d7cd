// Requests of every kind, their answers, budgets, and what a parked thread costs.
#include "core/vm/thread.h"

#include <gtest/gtest.h>

#include "core/vm/builtins.h"
#include "tests/unit/vm/running.h"

namespace teal::vm {
namespace {

std::string Arguments(const Thread& thread) {
  std::string text;
  for (const Value& argument : thread.request().arguments) text += (text.empty() ? "" : " ") + SourceForm(argument);
  return text;
}

TEST(Thread, ForeignCallsAreRequests) {
  const std::string import = "import python m f\n";
  for (const char* body : {
           "kLoadInt r1 1\n kLoadInt r2 2\n kCallForeign r1 2 $0\n kNewList r0 r1 2\n kReturn r0",
           "kLoadForeign r0 $0\n kLoadInt r1 1\n kLoadInt r2 2\n kCall r0 2 r1\n kNewList r0 r1 2\n kReturn r0",
           "kLoadForeign r0 $0\n kLoadInt r1 1\n kLoadInt r2 2\n kNewList r1 r1 2\n kApply r1 r0 r1\n kNewList r0 r1 "
           "2\n kReturn r0",
           "kCallFunction r1 @tail r1\n kNewList r0 r1 2\n kReturn r0",
       }) {
    auto thread = Started(import + "function main() registers 6\n" + body +
                          "\nfunction tail() registers 6\n kLoadForeign r3 $0\n kLoadInt r4 1\n kLoadInt r5 2\n "
                          "kTailCall r3 2\n kReturn r3");
    ASSERT_EQ(thread->Run(1000), RunState::kRequest) << body;
    EXPECT_EQ(thread->request().kind, RequestKind::kForeign);
    EXPECT_EQ(thread->request().id, 0);
    EXPECT_EQ(Arguments(*thread), "1 2");
    thread->Resolve(Value::FromText("answer"));
    EXPECT_EQ(Outcome(*thread), "[\"answer\", null]") << body;
  }
}

TEST(Thread, HostBuiltinsAreRequests) {
  for (const char* body : {"kLoadInt r0 5\n kHost r0 1 %print\n kReturn r0",
                           "kLoadBuiltin r0 %print\n kLoadInt r1 5\n kCall r0 1 r0\n kReturn r0",
                           "kLoadBuiltin r0 %print\n kLoadInt r1 5\n kTailCall r0 1\n kReturn r0"}) {
    auto thread = Started(std::string("function main() registers 3\n") + body);
    ASSERT_EQ(thread->Run(1000), RunState::kRequest) << body;
    EXPECT_EQ(thread->request().kind, RequestKind::kHost);
    EXPECT_EQ(thread->request().id, kBuiltin_print);
    EXPECT_EQ(Arguments(*thread), "5");
    thread->Resolve(Value::Int(6));
    EXPECT_EQ(Outcome(*thread), "6");
  }
}

TEST(Thread, SpawnAndAwait) {
  auto thread = Started(
      "function main() registers 4\n kLoadFunction r1 @main\n kLoadInt r2 5\n kSpawn r1 1 r0\n kAwait r1 r0\n"
      "kAwait r2 r0\n kAwait r1 r1\n kNewList r1 r1 2\n kReturn r1");
  ASSERT_EQ(thread->Run(1000), RunState::kRequest);
  EXPECT_EQ(thread->request().kind, RequestKind::kSpawn);
  ASSERT_EQ(thread->request().arguments.size(), 2u);
  EXPECT_EQ(thread->request().arguments[1].AsInt(), 5);
  thread->Resolve(MakeFuture(FutureKind::kThread, Value::FromText("t2"), 0, 0, Value(), Value()));
  for (int answer : {1, 2}) {  // the future's register stays
    ASSERT_EQ(thread->Run(1000), RunState::kRequest);
    EXPECT_EQ(thread->request().kind, RequestKind::kAwait);
    EXPECT_EQ(thread->request().arguments[0].tag(), Tag::kFuture);
    thread->Resolve(Value::Int(answer));
  }
  EXPECT_EQ(Outcome(*thread), "[1, 2]");
  EXPECT_EQ(Answer("function main() registers 2\n kSpawn r0 0 r0\n kReturn r0"), "type: null is not a function");
}

TEST(Thread, ARequestMayFail) {
  auto thread = Started(
      "function main() registers 4\n try: kLoadInt r1 5\n kHost r1 1 %sleep\n end: kReturn r1\n"
      "caught: kField r2 r0 \"message\"\n kNewList r1 r1 2\n kReturn r1\n handler try end caught r0");
  ASSERT_EQ(thread->Run(1000), RunState::kRequest);
  thread->Raise(MakeError("timeout", "too long"));
  EXPECT_EQ(Outcome(*thread), "[null, \"too long\"]");  // the argument is consumed
}

TEST(Thread, RaiseFillsTheTraceUnlessThereIsOne) {
  const char* text = "function main() registers 4\n kLoadInt r0 5\n kHost r0 1 %sleep\n kReturn r0";
  auto thread = Started(text);
  thread->Run(1000);
  EXPECT_EQ(SourceForm(thread->TraceHere()),
            "[{\"function\": \"main\", \"file\": \"test.tl\", \"line\": 3, \"thread\": \"t1\"}]");
  thread->Raise(MakeError("k", "m"));
  EXPECT_EQ(thread->state(), RunState::kFailed);
  EXPECT_EQ(thread->result().As<Error>()->trace.As<List>()->size, 1u);

  thread = Started(text);
  thread->Run(1000);
  Value error = MakeError("k", "m");
  error.As<Error>()->trace = MakeList();
  thread->Raise(error);
  EXPECT_EQ(thread->result().As<Error>()->trace.As<List>()->size, 0u);
}

// Raised from outside while the thread only waits for its turn.
TEST(Thread, RaiseAtABudgetStop) {
  auto thread = Started(
      "function main() registers 2\n kLoadInt r0 0\n top: kAddImm r0 r0 1\n kJump top\n end: kReturn r1\n"
      "handler top end end r1");
  ASSERT_EQ(thread->Run(10), RunState::kBudget);
  thread->Raise(MakeError("cancelled", "stop"));
  ASSERT_EQ(thread->Run(10), RunState::kDone);
  EXPECT_EQ(thread->result().tag(), Tag::kError);
}

TEST(Thread, BudgetCountsJumpsAndCalls) {
  auto thread = Started(
      "function main() registers 2\n kLoadInt r0 0\n top: kAddImm r0 r0 1\n kJumpLessImm r0 100 top\n kReturn r0");
  int stops = 0;
  while (thread->Run(10) == RunState::kBudget) stops++;
  EXPECT_EQ(stops, 9);
  EXPECT_EQ(thread->result().AsInt(), 100);
}

TEST(Thread, StartsWithAnyCallable) {
  auto program = Assembled("import python m f\nfunction main(a, b) registers 3\n kNewList r2 r0 2\n kReturn r2");
  auto run = [&](Value callee, std::vector<Value> arguments, bool keywords = false) {
    Thread thread(program, "t1", std::move(callee), std::move(arguments), keywords);
    return Outcome(thread);
  };
  EXPECT_EQ(run(Value::Function(0), {Value::Int(1), Value::Int(2)}), "[1, 2]");
  EXPECT_EQ(run(Value::Function(0), {Value::Int(1)}), "arity: main takes 2 arguments, 1 was given");
  EXPECT_EQ(run(Value::Builtin(kBuiltin_length), {Value::FromText("ab")}), "2");
  EXPECT_EQ(run(Value::Foreign(0), {Value::Int(1)}), "request");
  EXPECT_EQ(run(Value(), {}), "type: null is not a function");
  EXPECT_EQ(run(Value::Function(99), {}), "internal: a function value that does not belong to this program");
  Value keywords = HashSet(MakeHash(), Value::FromText("b"), Value::Int(2));
  EXPECT_EQ(run(Value::Function(0), {Value::Int(1), keywords}, true), "[1, 2]");
}

TEST(Thread, StackShowsFramesAndReplacedFunctions) {
  auto thread = Started(
      "function main() registers 4\n kLoadInt r1 5\n kCallFunction r1 @f r0\n kReturn r0\n"
      "function f(n) registers 2\n kTailCallFunction r0 @g\nfunction g(n) registers 2\n kHost r0 1 %sleep\n kReturn "
      "r0");
  ASSERT_EQ(thread->Run(1000), RunState::kRequest);
  const std::vector<FrameView> stack = thread->Stack();
  ASSERT_EQ(stack.size(), 3u);
  EXPECT_EQ(stack[0].function->name, "main");
  EXPECT_EQ(stack[1].function->name, "f");
  EXPECT_TRUE(stack[1].replaced);
  EXPECT_EQ(stack[2].function->name, "g");
  EXPECT_EQ(stack[2].registers.size(), 2u);
}

TEST(Thread, AParkedThreadIsSmall) {
  auto program = Assembled(
      "function main(n) registers 8\n kLoadInt r2 5\n kCallFunction r2 @f r2\n kReturn r2\n"
      "function f(n) registers 6\n kHost r0 1 %sleep\n kReturn r0");
  Thread thread(program, "t1", Value::Function(0), {Value::Int(1)});
  ASSERT_EQ(thread.Run(1000), RunState::kRequest);
  thread.Shrink();
  EXPECT_LT(thread.MemorySize(), 700u);
  EXPECT_EQ(Arguments(thread), "5");
  thread.Resolve(Value::Int(7));
  EXPECT_EQ(Outcome(thread), "7");
}

// After Shrink, the windows of lower frames are still whole.
TEST(Thread, ShrinkKeepsTheWindowsOfCallers) {
  auto thread = Started(
      "function main() registers 300\n kCallFunction r0 @f r0\n kLoadInt r299 7\n kReturn r299\n"
      "function f() registers 1\n kHost r0 0 %now\n kReturn r0");
  ASSERT_EQ(thread->Run(1000), RunState::kRequest);
  thread->Shrink();
  thread->Resolve(Value::Int(1));
  EXPECT_EQ(Outcome(*thread), "7");
}

}  // namespace
}  // namespace teal::vm

// Calls that go well: order, concurrency, output, context, values.
#include <thread>

#include "tests/unit/runtime/worker_testing.h"

namespace teal::runtime {
namespace {

using Kind = CallOutcome::Kind;

TEST(WorkerPool, TellsWhatFunctionsAre) {
  TestPool p("async def a(x): pass\ndef b(x, y=1): pass\ndef c(*xs): pass\n", {"a", "b", "c"});
  p.Start();
  ASSERT_EQ(p.report.functions.size(), 3u);
  EXPECT_TRUE(p.report.functions[0].is_async);
  EXPECT_FALSE(p.report.functions[1].is_async);
  EXPECT_TRUE(p.report.functions[1].Takes(1));
  EXPECT_TRUE(p.report.functions[1].Takes(2));
  EXPECT_FALSE(p.report.functions[1].Takes(3));
  EXPECT_TRUE(p.report.functions[2].Takes(200));
  EXPECT_EQ(p.report.python_version.substr(0, 2), "3.");
}

TEST(WorkerPool, TellsTheNamesOfParameters) {
  TestPool p("def a(x, y=1, *, z): pass\ndef b(**others): pass\n", {"a", "b"});
  p.Start();
  ASSERT_EQ(p.report.functions.size(), 2u);
  const WorkerFunctionInfo& a = p.report.functions[0];
  EXPECT_EQ(a.positional, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(a.keywords, std::vector<std::string>{"z"});
  EXPECT_TRUE(a.Names("y") && a.Names("z"));
  EXPECT_FALSE(a.Names("others"));
  EXPECT_TRUE(p.report.functions[1].Names("anything"));
}

TEST(WorkerPool, CallsOfLargerPriorityGoFirst) {
  TestPool p("import time\ndef nap(): time.sleep(0.3)\ndef f(i): return i\n", {"nap", "f"});
  p.options.pipelined_max = 1;
  p.Start();
  p.Begin("nap");
  for (const float priority : {0.0f, 5.0f, -1.0f, 5.0f}) {
    CallRequest request = p.Request("f", Args(1));
    request.priority = priority;
    p.Begin(std::move(request));
  }
  std::vector<uint64_t> orders;
  for (uint64_t tag = 1; tag <= 5; tag++) orders.push_back(p.Wait(tag).order);
  EXPECT_EQ(orders, (std::vector<uint64_t>{1, 4, 2, 5, 3}));
}

TEST(WorkerPool, GivesContextKeywordsAndKey) {
  TestPool p(R"(
import teal
def f(a, *, size):
    c = teal.context()
    return "%s %s %s %s %s %s %s %s" % (a, size, c.session, c.thread, c.step, c.attempt, c.key, c.deadline)
)",
             {"f"});
  p.Start();
  CallRequest request = p.Request("f", Args(7));
  MarshalWriter w(&request.keywords);
  w.DictHead();
  w.Text("size");
  w.Int(9);
  w.DictEnd();
  request.context.step = 5'000'000'000;
  request.context.attempt = 2;
  request.context.deadline = 1.5;
  EXPECT_EQ(AsText(p.Wait(p.Begin(std::move(request))).outcome.payload), "7 9 s t 5000000000 2 s/t/5000000000 1.5");
}

TEST(WorkerPool, RunsDefCallsInOrder) {
  TestPool p("seen = []\ndef f(i):\n    seen.append(i)\n    return len(seen)\n", {"f"});
  p.Start();
  constexpr int kCalls = 2000;
  for (int i = 0; i < kCalls; i++) p.Begin("f", Args(i));
  for (uint64_t tag = 1; tag <= kCalls; tag++) {
    const auto end = p.Wait(tag);
    ASSERT_EQ(AsInt(end.outcome.payload), static_cast<int64_t>(tag));
    ASSERT_EQ(end.order, tag);
  }
}

// The def call ends only after the coroutines have met: were they to wait for it, nothing would end.
TEST(WorkerPool, RunsAsyncCallsConcurrentlyAlsoBesideADefCall) {
  TestPool p(R"(
import asyncio, time
gate = None
async def meet(n):
    global gate, here
    if gate is None:
        gate, here = asyncio.Event(), 0
    here += 1
    if here == n: gate.set()
    await gate.wait()
    return here
def block():
    while gate is None or not gate.is_set(): time.sleep(0.01)
    return 1
)",
             {"meet", "block"});
  p.Start();
  const uint64_t blocking = p.Begin("block");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  std::vector<uint64_t> tags;
  for (int i = 0; i < 500; i++) tags.push_back(p.Begin("meet", Args(500)));
  for (const uint64_t tag : tags) EXPECT_EQ(AsInt(p.Wait(tag).outcome.payload), 500);
  EXPECT_EQ(AsInt(p.Wait(blocking).outcome.payload), 1);
}

// 64 calls print at once, in threads of their own too: each call's text is whole and its own.
TEST(WorkerPool, NeverMixesWhatCallsPrint) {
  TestPool p(R"(
import asyncio, sys, threading
async def chat(i):
    for k in range(20):
        print("call", i, end=" ")
        await asyncio.sleep(0)
        print("line", k)
def say(i):
    t = threading.Thread(target=lambda: print("thread of", i))
    t.start(); t.join()
    for k in range(20):
        print("call", i, end=" ")
        print("line", k, file=sys.stdout if k % 2 else sys.stderr)
)",
             {"chat", "say"}, 2);
  p.Start();
  std::vector<std::pair<uint64_t, int>> calls;
  for (int i = 0; i < 64; i++) calls.emplace_back(p.Begin(i % 2 ? "chat" : "say", Args(i)), i);
  for (const auto& [tag, i] : calls) {
    EXPECT_EQ(p.Wait(tag).outcome.kind, Kind::kValue);
    std::string expected = i % 2 ? "" : "thread of " + std::to_string(i) + "\n";
    for (int k = 0; k < 20; k++) expected += "call " + std::to_string(i) + " line " + std::to_string(k) + "\n";
    EXPECT_EQ(p.Output(tag), expected);
    if (i % 2 == 0) {
      EXPECT_EQ(p.errors[tag].find("line 0\nline 2\n"), 0u) << p.errors[tag];
    }
  }
}

TEST(WorkerPool, SendsOutputOfALongCallWhileItRuns) {
  TestPool p("import time\ndef f():\n    print('begun')\n    time.sleep(0.5)\n    print('done')\n", {"f"});
  p.Start();
  const uint64_t tag = p.Begin("f");
  p.WaitForOutput(tag, "begun");
  EXPECT_EQ(p.Output(tag), "begun\n");
  p.Wait(tag);
  EXPECT_EQ(p.Output(tag), "begun\ndone\n");
}

TEST(WorkerPool, TakesAFloodOfOutput) {
  TestPool p("def f():\n    for i in range(200000): print('line', i)\n", {"f"});
  p.Start();
  const uint64_t tag = p.Begin("f");
  EXPECT_EQ(p.Wait(tag).outcome.kind, Kind::kValue);
  const std::string output = p.Output(tag);
  EXPECT_EQ(static_cast<size_t>(std::count(output.begin(), output.end(), '\n')), 200000u);
  EXPECT_EQ(output.substr(output.size() - 12), "line 199999\n");
}

// A forked child has no part in the conversation, even if it returns from the function.
TEST(WorkerPool, SurvivesAFork) {
  TestPool p(
      "import os\ndef f(x):\n    if os.fork() == 0:\n        print('child')\n        return -1\n    os.wait()\n"
      "    return x\ndef g(x): return x\n",
      {"f", "g"});
  p.Start();
  const uint64_t tag = p.Begin("f", Args(3));
  EXPECT_EQ(AsInt(p.Wait(tag).outcome.payload), 3);
  for (int i = 0; i < 20; i++) EXPECT_EQ(AsInt(p.Do("g", Args(i)).payload), i);
  EXPECT_EQ(p.pool->ProcessCount(), 1);
}

// What a task of user code starts in a thread, or prints later, is not taken for another call's.
TEST(WorkerPool, KeepsTextOfThreadsThatOutliveTheirCallApart) {
  TestPool p(R"(
import threading, time
def leaves():
    def later():
        time.sleep(0.3); print("late")
    threading.Thread(target=later).start()
async def other():
    import asyncio
    await asyncio.sleep(0.6); print("mine")
)",
             {"leaves", "other"});
  p.Start();
  p.Do("leaves");
  const uint64_t tag = p.Begin("other");
  p.Wait(tag);
  EXPECT_EQ(p.Output(tag), "mine\n");
  std::lock_guard lock(p.mu);
  EXPECT_EQ(p.stray, "late\n");
}

TEST(WorkerPool, GivesRawOutputToTheOnlyCall) {
  TestPool p(
      "import os, time, sys\ndef f():\n    os.write(1, b'raw \\xff\\n')\n    sys.stdout.buffer.write(b'bytes')\n    "
      "time.sleep(0.2)\n",
      {"f"});
  p.Start();
  const uint64_t tag = p.Begin("f");
  p.Wait(tag);
  EXPECT_EQ(p.Output(tag), "raw \xef\xbf\xbd\nbytes");
}

TEST(WorkerPool, TakesHeartbeatsAndLogs) {
  TestPool p(
      "import teal\ndef f():\n    teal.heartbeat({'n': 1})\n    teal.heartbeat()\n    teal.log('hello', "
      "'warning', n=2)\n",
      {"f"});
  p.Start();
  const uint64_t tag = p.Begin("f");
  EXPECT_EQ(p.Wait(tag).outcome.kind, Kind::kValue);
  ASSERT_EQ(p.beats[tag].size(), 2u);
  EXPECT_EQ(p.beats[tag][0][0], '{');
  EXPECT_EQ(p.beats[tag][1], "");
  EXPECT_EQ(p.logs[tag], "warning:hello\n");
}

TEST(WorkerPool, StartsProcessesWhenCallsWait) {
  TestPool p("import os, time\ndef f():\n    time.sleep(0.4)\n    return os.getpid()\ndef g(): return 1\n", {"f", "g"},
             3);
  p.Start();
  EXPECT_EQ(p.pool->ProcessCount(), 1);
  for (int i = 0; i < 20; i++) p.Do("g");
  EXPECT_EQ(p.pool->ProcessCount(), 1);
  std::map<int64_t, int> by_process;
  for (int round = 0; round < 20 && by_process.size() < 3; round++) {  // a process takes its time to start
    std::vector<uint64_t> tags;
    for (int i = 0; i < 6; i++) tags.push_back(p.Begin("f"));
    for (const uint64_t tag : tags) by_process[AsInt(p.Wait(tag).outcome.payload)]++;
  }
  EXPECT_EQ(by_process.size(), 3u);
  EXPECT_EQ(p.pool->ProcessCount(), 3);
}

// A function that is nearly always short, and once long: those behind it must not wait for it.
TEST(WorkerPool, TakesBackCallsFromAProcessThatIsStuck) {
  TestPool p("import time\ndef f(s):\n    time.sleep(s)\n    return 1\n", {"f"}, 2);
  p.Start();
  for (int i = 0; i < 50; i++) p.Do("f", Args(0.0));
  const uint64_t slow = p.Begin("f", Args(3.0));
  std::vector<uint64_t> tags;
  for (int i = 0; i < 20; i++) tags.push_back(p.Begin("f", Args(0.0)));
  for (const uint64_t tag : tags) EXPECT_LE(p.Wait(tag).order, 70u);
  EXPECT_EQ(p.Wait(slow).order, 71u);
}

TEST(WorkerPool, CarriesLargeAndUnicodeText) {
  TestPool p("def f(x): return x + x\ndef n(x): return len(x)\n", {"f", "n"});
  p.Start();
  EXPECT_EQ(AsText(p.Do("f", Args("né \xf0\x9f\xa6\x86")).payload), "né \xf0\x9f\xa6\x86né \xf0\x9f\xa6\x86");
  const std::string big(25u << 20, 'x');
  const CallOutcome outcome = p.Do("f", Args(big));
  EXPECT_EQ(AsText(outcome.payload), big + big);
  EXPECT_EQ(AsInt(p.Do("n", Args(big + big)).payload), 50 << 20);
  const CallOutcome too_large = p.Do("f", Args(big + big));
  EXPECT_EQ(too_large.kind, Kind::kError);
  EXPECT_EQ(too_large.error_kind, "limit") << too_large.message;
  EXPECT_EQ(p.Do("n", Args(big + big + big)).error_kind, "limit");
  EXPECT_EQ(AsInt(p.Do("n", Args("abc")).payload), 3);
}

TEST(WorkerPool, MasksSecretsInAllButTheResult) {
  TestPool p(R"(
import sys, teal, time
def f(s):
    print("it is", s)
    sys.stdout.write(s[:3]); time.sleep(0.3); sys.stdout.write(s[3:] + "\n")
    teal.log("log " + s)
    return s
def g(s): raise ValueError("bad " + s)
)",
             {"f", "g"});
  p.Start();
  CallRequest request = p.Request("f", Args("hunter2"));
  request.context.secrets = {"hunter2"};
  const uint64_t tag = p.Begin(std::move(request));
  EXPECT_EQ(AsText(p.Wait(tag).outcome.payload), "hunter2");
  EXPECT_EQ(p.Output(tag), "it is ***\n***\n");
  EXPECT_EQ(p.logs[tag], "info:log ***\n");
  request = p.Request("g", Args("hunter2"));
  request.context.secrets = {"hunter2"};
  const CallOutcome outcome = p.Wait(p.Begin(std::move(request))).outcome;
  EXPECT_EQ(outcome.message, "bad ***");
  EXPECT_EQ(outcome.traceback.find("hunter2"), std::string::npos) << outcome.traceback;
}

TEST(WorkerPool, TakesCallsFromManyThreadsAndFromItsOwnCallbacks) {
  TestPool p("async def a(x): return x\ndef f(x): return x\n", {"a", "f"}, 2);
  p.Start();
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; t++) {
    threads.emplace_back([&p, t] {
      for (int i = 0; i < 200; i++) {
        const CallOutcome outcome = p.Do(i % 2 ? "a" : "f", Args(t * 1000 + i));
        EXPECT_EQ(AsInt(outcome.payload), t * 1000 + i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::atomic<int> left = 1000;
  std::function<void()> next = [&] {
    CallRequest request = p.Request("f", Args(1));
    request.done = [&](CallOutcome&&) {
      if (--left > 0) next();
    };
    p.pool->Call(std::move(request));
  };
  next();
  while (left > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace
}  // namespace teal::runtime

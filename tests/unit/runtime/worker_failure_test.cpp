// Calls that go wrong: errors, values that cannot be carried, cancelling, time limits, processes that end.
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

#include <thread>

#include "tests/unit/runtime/worker_testing.h"

namespace teal::runtime {
namespace {

using Kind = CallOutcome::Kind;
using std::chrono::milliseconds;

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
#define EXPECT_HAS(text, part) EXPECT_TRUE(Has(text, part)) << text

TEST(WorkerFailure, TellsAboutExceptions) {
  TestPool p(R"(
class Odd(Exception):
    def __str__(self): raise RuntimeError("no")
def inner(): raise KeyError("k")
def chained():
    try: inner()
    except KeyError as e: raise ValueError("outer") from e
def leave(): raise SystemExit(3)
def interrupt(): raise KeyboardInterrupt
def odd(): raise Odd()
def deep(): return deep()
def ok(): return 1
)",
             {"chained", "leave", "interrupt", "odd", "deep", "ok"});
  p.Start();
  const CallOutcome chained = p.Do("chained");
  EXPECT_EQ(chained.kind, Kind::kError);
  EXPECT_EQ(chained.error_kind, "ValueError");
  EXPECT_EQ(chained.message, "outer");
  ASSERT_EQ(chained.trace.size(), 1u);
  EXPECT_EQ(chained.trace[0].function, "chained");
  EXPECT_EQ(chained.trace[0].line, 7);
  EXPECT_HAS(chained.trace[0].file, "/m.py");
  EXPECT_HAS(chained.traceback, "KeyError: 'k'");
  EXPECT_HAS(chained.traceback, "direct cause");
  EXPECT_FALSE(Has(chained.traceback, "teal_worker.py")) << chained.traceback;
  EXPECT_EQ(p.Do("leave").error_kind, "SystemExit");
  EXPECT_EQ(p.Do("interrupt").error_kind, "KeyboardInterrupt");
  EXPECT_EQ(p.Do("odd").error_kind, "Odd");
  EXPECT_EQ(p.Do("deep").error_kind, "RecursionError");
  EXPECT_EQ(AsInt(p.Do("ok").payload), 1);
  EXPECT_EQ(p.pool->ProcessCount(), 1);
}

TEST(WorkerFailure, NamesThePathToWhatCannotBeCarried) {
  TestPool p(R"(
import datetime, collections, enum, array
class E(enum.IntEnum): A = 7
P = collections.namedtuple("P", "x y")
class S(str): pass
def date(): return [1, 2, {"x": datetime.datetime(2020, 1, 1)}]
def big(): return {"a": [1, 2**64]}
def surrogate(): return ["ok", "\ud800"]
def coro():
    async def f(): pass
    return f()
def buffer(): return [array.array("i", [1, 2])]
def ring():
    x = []; x.append(x); return x
def nan_key(): return {float("nan"): 1}
def obj(): return {"k": object()}
def sub(): return [E.A, P(1, 2), S("s"), collections.OrderedDict(a=1), True]
def deep(n):
    x = 1
    for _ in range(n): x = [x]
    return x
)",
             {"date", "big", "surrogate", "coro", "buffer", "ring", "nan_key", "obj", "sub", "deep"});
  p.Start();
  const auto expect = [&p](const std::string& f, const std::string& kind, const std::string& part) {
    const CallOutcome outcome = p.Do(f);
    EXPECT_EQ(outcome.kind, Kind::kError) << f;
    EXPECT_EQ(outcome.error_kind, kind) << f;
    EXPECT_HAS(outcome.message, part);
  };
  expect("date", "type", "result[2].x is a datetime.datetime");
  expect("big", "overflow", "result.a[1] is an integer past 64 bits");
  expect("surrogate", "type", "result[1] is a str with a lone surrogate");
  expect("coro", "type", "coroutine");
  expect("buffer", "type", "result[0] is a array.array");
  expect("ring", "type", "nested deeper than 100");
  expect("nan_key", "type", "NaN");
  expect("obj", "type", "result.k is a object");
  const std::string sub = p.Do("sub").payload;
  std::string expected;
  MarshalWriter w(&expected);
  w.ListHead(5);
  w.Int(7);
  w.ListHead(2);
  w.Int(1);
  w.Int(2);
  w.Text("s");
  w.DictHead();
  w.Text("a");
  w.Int(1);
  w.DictEnd();
  w.Bool(true);
  EXPECT_EQ(sub, expected);
  EXPECT_EQ(p.Do("deep", Args(100)).kind, Kind::kValue);
  EXPECT_EQ(p.Do("deep", Args(101)).error_kind, "type");
}

TEST(WorkerFailure, ReportsAllThatIsWrongAtLoading) {
  TempFolder folder;
  folder.Write("good.py", "print('hello from good')\ndef resize(x): pass\nnumber = 3\n");
  folder.Write("broken.py", "x = 1\ndef f(:\n    pass\n");
  folder.Write("raises.py", "def g():\n    return 1 // 0\ng()\n");
  folder.Write("needs.py", "import not_installed_anywhere\n");
  TestPool p("", {});
  WorkerPoolOptions options;
  options.project_folder = folder.path();
  options.environment = Environment();
  options.modules = {
      {"good", {"resise", "number"}}, {"broken", {"f"}}, {"raises", {"g"}}, {"needs", {"h"}}, {"goood", {"x"}}};
  WorkerPool pool(options, &p);
  Result<WorkerLoadReport> report = pool.Load();
  ASSERT_TRUE(report.ok()) << report.failure().message;
  const auto& f = report->failures;
  ASSERT_EQ(f.size(), 6u);
  EXPECT_EQ(f[0].kind, "missing_function");
  EXPECT_HAS(f[0].hint, "`resize`");
  EXPECT_EQ(f[0].line, 2);
  EXPECT_EQ(f[1].kind, "not_callable");
  EXPECT_EQ(f[2].kind, "syntax");
  EXPECT_EQ(f[2].line, 2);
  EXPECT_HAS(f[2].file, "broken.py");
  EXPECT_EQ(f[3].kind, "exception");
  EXPECT_HAS(f[3].message, "ZeroDivisionError");
  EXPECT_EQ(f[3].line, 2);
  EXPECT_EQ(f[4].kind, "exception");
  EXPECT_HAS(f[4].message, "not_installed_anywhere");
  EXPECT_EQ(f[5].kind, "missing_module");
  EXPECT_HAS(f[5].hint, "`good`");
  pool.Shutdown();
  EXPECT_HAS(p.stray, "hello from good");
}

TEST(WorkerFailure, SaysWhyNoProcessCanBeStarted) {
  TestPool p("", {"f"});
  p.options.interpreter = "/nonexistent/python";
  WorkerPool missing(p.options, &p);
  const auto no_interpreter = missing.Load();
  ASSERT_FALSE(no_interpreter.ok());
  EXPECT_HAS(no_interpreter.failure().message, "/nonexistent/python");
  p.options.interpreter = "false";
  WorkerPool fails(p.options, &p);
  const auto ends = fails.Load();
  ASSERT_FALSE(ends.ok());
  EXPECT_HAS(ends.failure().message, "exit status 1");
  p.options.interpreter = "python3";
  p.options.start_timeout = milliseconds(1000);
  p.folder.Write("m.py", "import time\ntime.sleep(60)\n");
  WorkerPool hangs(p.options, &p);
  const auto late = hangs.Load();
  ASSERT_FALSE(late.ok());
  EXPECT_HAS(late.failure().message, "did not import its modules within 1 s");
}

constexpr const char* kDying = R"(
import os, sys, time, ctypes, asyncio
def crash():
    print("before"); sys.__stderr__.write("last words\n"); sys.__stderr__.flush()
    time.sleep(0.3); os.kill(os.getpid(), 9)
def segv(): ctypes.string_at(0)
def leave(): os._exit(7)
def closes(): os.closerange(3, 1000); time.sleep(30)
def garbage():
    import stat
    for fd in range(3, 1000):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode): os.write(fd, b"\xff\xff\xff\x00hello")
        except OSError: pass
    time.sleep(30)
def loud(): os.write(1, b"z" * 10_000_000); return 1
async def wait(s): await asyncio.sleep(s); return 5
def ok(x): return x
)";
const std::vector<std::string> kDyingNames = {"crash", "segv", "leave", "closes", "garbage", "loud", "wait", "ok"};

TEST(WorkerFailure, SaysHowAProcessEndedAndGoesOn) {
  TestPool p(kDying, kDyingNames);
  p.Start();
  const struct {
    const char* function;
    const char* part;
  } cases[] = {{"crash", "killed by signal 9 (SIGKILL)"},
               {"segv", "signal 11 (SIGSEGV)"},
               {"leave", "exit status 7"},
               {"closes", "closed the connection"},
               {"garbage", "not the worker protocol (its first bytes: ff ff ff 00"}};
  for (const auto& c : cases) {
    const uint64_t tag = p.Begin(c.function);
    std::vector<uint64_t> behind;
    for (int i = 0; i < 10; i++) behind.push_back(p.Begin("ok", Args(i)));
    const CallOutcome outcome = p.Wait(tag).outcome;
    EXPECT_EQ(outcome.kind, Kind::kWorkerLost) << c.function;
    EXPECT_TRUE(outcome.began);
    EXPECT_HAS(outcome.message, c.part);
    EXPECT_HAS(outcome.message, std::string("`m.") + c.function + "`");
    for (int i = 0; i < 10; i++) EXPECT_EQ(AsInt(p.Wait(behind[static_cast<size_t>(i)]).outcome.payload), i);
    if (std::string(c.function) == "crash") {
      EXPECT_HAS(p.Output(tag), "before\n");
      EXPECT_HAS(outcome.message, "last words");
    }
    if (std::string(c.function) == "segv") {
      EXPECT_HAS(outcome.message, "Segmentation fault");
    }
  }
  EXPECT_EQ(AsInt(p.Do("loud").payload), 1);
}

TEST(WorkerFailure, ReportsCoroutinesThatHadBegun) {
  TestPool p(kDying, kDyingNames);
  p.Start();
  const uint64_t waiting = p.Begin("wait", Args(30));
  std::this_thread::sleep_for(milliseconds(200));
  p.Begin("leave");
  const CallOutcome outcome = p.Wait(waiting).outcome;
  EXPECT_EQ(outcome.kind, Kind::kWorkerLost);
  EXPECT_TRUE(outcome.began);
  EXPECT_EQ(AsInt(p.Do("wait", Args(0)).payload), 5);
}

TEST(WorkerFailure, SurvivesAProcessThatIsKilledWhileIdle) {
  TestPool p("import os\ndef pid(): return os.getpid()\n", {"pid"});
  p.Start();
  const auto pid = static_cast<pid_t>(AsInt(p.Do("pid").payload));
  kill(pid, SIGKILL);
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_NE(AsInt(p.Do("pid").payload), pid);
}

constexpr const char* kSlow = R"(
import teal, time, asyncio
def spin(s):
    end = time.time() + s
    while time.time() < end: pass
    return 1
def polite():
    while not teal.context().cancelled(): time.sleep(0.01)
    return "told"
async def hang(s): await asyncio.sleep(s)
async def stubborn():
    while True:
        try: await asyncio.sleep(30)
        except asyncio.CancelledError: pass
def beats(n):
    for _ in range(n):
        time.sleep(0.1); teal.heartbeat()
    time.sleep(30)
def ok(x): return x
)";
const std::vector<std::string> kSlowNames = {"spin", "polite", "hang", "stubborn", "beats", "ok"};

TEST(WorkerFailure, EndsCallsThatTakeTooLong) {
  TestPool p(kSlow, kSlowNames);
  p.options.coroutine_grace = milliseconds(300);
  p.Start();
  CallRequest request = p.Request("spin", Args(30));
  request.timeout = milliseconds(300);
  const uint64_t late = p.Begin(std::move(request));
  request = p.Request("ok", Args(4));
  request.timeout = milliseconds(100);  // of execution: the wait behind the other does not count
  const uint64_t behind = p.Begin(std::move(request));
  CallOutcome outcome = p.Wait(late).outcome;
  EXPECT_EQ(outcome.kind, Kind::kError);
  EXPECT_EQ(outcome.error_kind, "timeout");
  EXPECT_HAS(outcome.message, "`m.spin` ran longer than its timeout of 0.3 s");
  EXPECT_EQ(AsInt(p.Wait(behind).outcome.payload), 4);
  for (const char* function : {"hang", "stubborn"}) {
    request = p.Request(function, std::string(function) == "hang" ? Args(30) : Args());
    request.timeout = milliseconds(200);
    outcome = p.Wait(p.Begin(std::move(request))).outcome;
    EXPECT_EQ(outcome.error_kind, "timeout") << function << " " << outcome.message;
  }
  request = p.Request("beats", Args(5));
  request.heartbeat_timeout = milliseconds(300);
  const uint64_t beating = p.Begin(std::move(request));
  outcome = p.Wait(beating).outcome;
  EXPECT_EQ(outcome.error_kind, "timeout");
  EXPECT_HAS(outcome.message, "no heartbeat for 0.3 s");
  EXPECT_EQ(p.beats[beating].size(), 5u);
}

TEST(WorkerFailure, Cancels) {
  TestPool p(kSlow, kSlowNames);
  p.Start();
  const uint64_t polite = p.Begin("polite");
  std::this_thread::sleep_for(milliseconds(50));
  const uint64_t behind = p.Begin("ok", Args(1));
  const uint64_t coroutine = p.Begin("hang", Args(30));
  std::this_thread::sleep_for(milliseconds(100));
  p.pool->Cancel(p.ids[behind]);
  CallOutcome outcome = p.Wait(behind).outcome;
  EXPECT_EQ(outcome.error_kind, "cancelled");
  p.pool->Cancel(p.ids[coroutine]);
  EXPECT_EQ(p.Wait(coroutine).outcome.error_kind, "cancelled");
  p.pool->Cancel(p.ids[polite]);
  EXPECT_EQ(AsText(p.Wait(polite).outcome.payload), "told");
  p.pool->Cancel(p.ids[polite]);  // has ended: nothing happens
  const uint64_t spinning = p.Begin("spin", Args(30));
  std::this_thread::sleep_for(milliseconds(50));
  p.pool->Cancel(p.ids[spinning], milliseconds(200));
  EXPECT_EQ(p.Wait(spinning).outcome.error_kind, "cancelled");
  EXPECT_EQ(AsInt(p.Do("ok", Args(1)).payload), 1);
}

int OpenFiles() {
  int count = 0;
  DIR* const folder = opendir("/proc/self/fd");
  while (readdir(folder) != nullptr) count++;
  closedir(folder);
  return count;
}

TEST(WorkerFailure, ShutsDownWithoutLeavingAnything) {
  const int before = OpenFiles();
  {
    TestPool p(kSlow, kSlowNames, 2);
    p.Start();
    const uint64_t running = p.Begin("spin", Args(30));
    const uint64_t coroutine = p.Begin("hang", Args(30));
    const uint64_t waiting = p.Begin("ok", Args(1));
    std::this_thread::sleep_for(milliseconds(200));
    p.pool->Shutdown();
    EXPECT_EQ(p.Wait(running).outcome.kind, Kind::kWorkerLost);
    EXPECT_EQ(p.Wait(coroutine).outcome.kind, Kind::kWorkerLost);
    p.Wait(waiting);
    EXPECT_EQ(p.Do("ok", Args(1)).kind, Kind::kWorkerLost);
    p.pool->Shutdown();
  }
  EXPECT_EQ(OpenFiles(), before);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

}  // namespace
}  // namespace teal::runtime

// Durable sessions under faults by seed, over a store that commits many records at once and over one that commits
// single records: each ends as it does without faults, no recorded step runs again, and nothing is lost. A failing seed
// is repeated by TEAL_SIM_SEED=n with the test's name as filter; TEAL_SIM_SEEDS=n changes how many there are.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "core/lang/compiler.h"
#include "tests/sim/sessions_world.h"

namespace teal::sim {
namespace {

constexpr uint64_t kHourNs = 3'600'000'000'000;

std::string Executable(const std::string& text) {
  lang::CompileOptions options;
  options.check_python_files = false;
  lang::CompileOutput compiled = lang::CompileText("main.tl", text, options);
  std::string problems;
  for (const lang::Diagnostic& d : compiled.diagnostics) problems += RenderText(d, false);
  EXPECT_TRUE(compiled.ok()) << problems;
  return compiled.executable;
}

struct Shape {
  std::string text;
  std::string result;  // JSON
  // Besides the start: what the world does.
  std::function<void(SessionsWorld&, const std::string& sid)> world = {};
  // After the end.
  std::function<void(SessionsWorld&, const std::string& sid)> check = {};
};

void RunSeeds(bool floor, const Shape& shape, uint64_t seeds) {
  const std::string executable = Executable(shape.text);
  ASSERT_FALSE(executable.empty());
  uint64_t first = 1;
  if (const char* count = std::getenv("TEAL_SIM_SEEDS")) seeds = std::strtoull(count, nullptr, 10);
  if (const char* one = std::getenv("TEAL_SIM_SEED")) {
    first = std::strtoull(one, nullptr, 10);
    seeds = 1;
  }
  uint64_t crashes = 0;
  FaultCounts faults{};
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    SessionsOptions options;
    options.executable = executable;
    options.seed = seed;
    options.floor = floor;
    // A third of the seeds without faults of the store, and a third without crashes.
    options.faults = Rough(seed % 3 == 0 ? 0 : 0.5);
    options.faults.rates[static_cast<size_t>(Fault::kStaleScan)] = 0;  // no memory may give that (docs/abi.md)
    if (floor) options.faults.commit_ops_max = seed % 4 == 0 ? 4 : 1;
    options.crash_rate = seed % 3 == 1 ? 0 : 0.02;
    SessionsWorld world(options);
    runtime::StartRequest request;
    request.function = "main";
    request.id = "one";
    if (shape.world) shape.world(world, world.SidOf(request));
    runtime::SessionView view;
    ASSERT_TRUE(world.RunToEnd(request, 24 * kHourNs, &view)) << "seed " << seed << ": it never ended";
    ASSERT_EQ(view.result_json, shape.result)
        << "seed " << seed << ": " << NameOf(view.status) << " " << view.error_json;
    ASSERT_EQ(world.Wrong(), "") << "seed " << seed;
    if (shape.check) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      shape.check(world, world.SidOf(request));
      if (::testing::Test::HasFailure()) return;
    }
    crashes += world.crashes();
    for (size_t i = 0; i < faults.size(); ++i) faults[i] += world.faults()[i];
  }
  if (seeds >= 20) {
    EXPECT_GT(crashes, 0u);
    EXPECT_GT(faults[static_cast<size_t>(Fault::kLostApplied)], 0u);
    EXPECT_GT(faults[static_cast<size_t>(Fault::kTouched)], 0u);
  }
}

class Sessions : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Stores, Sessions, testing::Bool(),
                         [](const auto& one) { return std::string(one.param ? "floor" : "atomic"); });

constexpr const char* kImports = R"(
import(add, w, 2)
import(double, w, 1)
import(slow, w, 1)
import(fail, w, 1)
import(kill, w, 1)
import(kill_once, w, 1)
#[at_most_once]
import(once, w, 1)
)";

Shape Of(const char* text, std::string result) {
  return {std::string(kImports) + text, std::move(result), {}, {}};
}

TEST_P(Sessions, StepsInSequence) {
  RunSeeds(GetParam(),
           Of(R"(
fn main() {
  s = 0
  for i in range(8) {
    s = add(s, double(i))
  }
  s
})",
              "56"),
           400);
}

TEST_P(Sessions, ChildrenWithSteps) {
  RunSeeds(GetParam(),
           Of(R"(
fn child(i) { add(double(i), 1) }
fn main() {
  fs = []
  for i in range(6) {
    fs = append(fs, async child(i))
  }
  s = 0
  for f in fs {
    s = s + await f
  }
  s
})",
              "36"),
           200);
}

TEST_P(Sessions, SleepsAndTimers) {
  RunSeeds(GetParam(),
           Of(R"(
fn main() {
  a = double(1)
  sleep(90)
  t = timer(3600)
  b = double(a)
  await t
  sleep(0.5)
  double(b)
})",
              "8"),
           40);
}

TEST_P(Sessions, LoopOfChildrenDoesNotGrow) {
  RunSeeds(GetParam(),
           Of(R"(
fn child(i) { i + 1 }
fn main() {
  s = 0
  for i in range(60) {
    s = await async child(s)
    if s % 10 == 0 {
      double(s)
    }
  }
  s
})",
              "60"),
           200);
}

TEST_P(Sessions, FailuresAndCleanUp) {
  RunSeeds(GetParam(),
           Of(R"(
fn bad(i) {
  try {
    fail(i)
  } finally {
    double(i)
  }
}
fn main() {
  got = []
  try {
    bad(1)
  } catch e {
    got = append(got, e.kind)
  }
  f = async bad(2)
  try {
    await f
  } catch e {
    got = append(got, e.message)
  }
  got
})",
              R"(["Broken","as asked"])"),
           200);
}

TEST_P(Sessions, JoinsAndPmap) {
  RunSeeds(GetParam(),
           Of(R"(
fn child(i) { slow(i) }
fn main() {
  a = all([async child(1), async child(2), async child(3)])
  b = pmap([4, 5, 6, 7], child, 2)
  [a, b]
})",
              "[[2,4,6],[8,10,12,14]]"),
           30);
}

TEST_P(Sessions, TimeoutsCancel) {
  RunSeeds(GetParam(),
           Of(R"(
fn waits() {
  try {
    await event("never")
  } finally {
    double(3)
  }
}
fn main() {
  f = async waits()
  kind = ""
  try {
    await timeout(f, 20)
  } catch e {
    kind = e.kind
  }
  [kind, double(5)]
})",
              R"(["timeout",10])"),
           200);
}

TEST_P(Sessions, EventsInOrderOnceEach) {
  Shape shape = Of(R"(
fn main() {
  got = []
  for i in range(4) {
    got = append(got, await event("go"))
    double(i)
  }
  got
})",
                   "[0,1,2,3]");
  shape.world = [](SessionsWorld& world, const std::string& sid) {
    for (int i = 0; i < 4; ++i) {
      // Each is there before the next is sent; a minute is time enough for all that repeats it.
      world.SendAt(world.loop().now() + 1'000'000'000 + i * 600'000'000'000, sid, "go", std::to_string(i),
                   "key" + std::to_string(i));
    }
  };
  RunSeeds(GetParam(), shape, 40);
}

TEST_P(Sessions, LargeStatesLieInSegments) {
  RunSeeds(GetParam(),
           Of(R"(
fn main() {
  xs = []
  for i in range(3000) {
    xs = append(xs, "a value of some bytes " + str(i))
  }
  for i in range(5) {
    xs = append(xs, str(double(i)))
  }
  length(xs)
})",
              "3005"),
           10);
}

// Sessions start and wake one another, each once however often the hosts die.
TEST_P(Sessions, SessionsAmongThemselves) {
  RunSeeds(GetParam(),
           Of(R"(
fn worker(boss, i) {
  send(boss, "done", add(i, double(i)))
}
fn main() {
  for i in range(4) {
    start(worker, sid(), i)
  }
  s = 0
  for i in range(4) {
    s = s + await event("done")
  }
  sleep(600)
  s
})",
              "18"),
           30);
}

// An at-most-once step that was interrupted says so, and is never repeated: the world looks.
TEST_P(Sessions, AtMostOnce) {
  RunSeeds(GetParam(),
           Of(R"(
fn main() {
  n = 0
  for i in range(6) {
    try {
      once(i)
    } catch e if e.kind == "interrupted" {
    }
    n = n + 1
  }
  n
})",
              "6"),
           200);
}

// Nor where other threads of its session commit between its own commit and its beginning, or before it says so.
TEST_P(Sessions, AtMostOnceBesideOthers) {
  RunSeeds(GetParam(),
           Of(R"(
fn child(i) {
  for j in range(8) {
    double(j)
  }
}
fn main() {
  f = async child(1)
  g = async child(2)
  for i in range(6) {
    try {
      once(i)
    } catch e if e.kind == "interrupted" {
    }
  }
  await f
  await g
  6
})",
              "6"),
           200);
}

// ---- Write counts ----

// What a session without faults writes. The program's record and its activation are not counted.
struct Writes {
  uint64_t commits = 0;  // of the store below
  uint64_t heads = 0;    // the floor's
  uint64_t parts = 0;
  uint64_t placeholders = 0;
  uint64_t replaced = 0;
  uint64_t elsewhere = 0;
  uint64_t gets = 0;
};

Writes WritesOf(bool floor, const std::string& text,
                const std::function<void(SessionsWorld&, const std::string& sid)>& also = {}) {
  SessionsOptions options;
  options.executable = Executable(std::string(kImports) + text);
  options.faults = Rough(0);
  options.floor = floor;
  if (floor) options.faults.commit_ops_max = 1;
  options.seed = 1;
  SessionsWorld world(options);
  runtime::StartRequest request;
  request.function = "main";
  request.id = "one";
  if (also) also(world, world.SidOf(request));
  runtime::SessionView view;
  EXPECT_TRUE(world.RunToEnd(request, kHourNs, &view));
  EXPECT_EQ(view.status, runtime::ViewStatus::kDone) << view.error_json;
  world.Pass(2'000'000'000);  // what is done off the path
  Writes writes;
  writes.commits = world.store_counters().commits - 2;
  writes.gets = world.store_counters().gets;
  if (const runtime::FloorCounters* counters = world.floor_counters()) {
    writes.heads = counters->heads;
    writes.parts = counters->parts;
    writes.placeholders = counters->placeholders;
    writes.replaced = counters->replaced;
    writes.elsewhere = counters->elsewhere;
  }
  return writes;
}

// Without faults, a step is one write, and nothing is written that nobody needs (section 9 of the protocol).
TEST(SessionWrites, WhereManyRecordsAreOneCommit) {
  const auto commits_of = [](const std::string& text) { return WritesOf(false, text).commits; };
  EXPECT_EQ(commits_of("fn main() {\n  1\n}"), 1u);
  EXPECT_EQ(commits_of("fn main() {\n  s = 0\n  for i in range(8) {\n    s = add(s, i)\n  }\n  s\n}"), 9u);
  EXPECT_EQ(commits_of("fn main() {\n  sleep(1)\n  2\n}"), 2u);
  // Eight calls at once are one commit, and so are the ends that come together with main's.
  EXPECT_LE(commits_of("fn child(i) {\n  double(i)\n}\nfn main() {\n  pmap(range(8), child)\n}"), 10u);
  // Children without effects never reach the store.
  EXPECT_EQ(commits_of("fn child(i) {\n  i\n}\nfn main() {\n  pmap(range(50), child)\n}"), 1u);
}

// On the floor: a head a commit, a part for each other record of it, and one entry of the list a session. What is
// replaced is deleted off the path.
TEST(SessionWrites, OnTheFloor) {
  const auto of = [](const std::string& text) {
    const Writes writes = WritesOf(true, text);
    EXPECT_EQ(writes.elsewhere, 1u) << "the list";
    EXPECT_EQ(writes.commits, writes.heads + writes.parts + writes.placeholders + writes.replaced + writes.elsewhere)
        << text;
    EXPECT_LE(writes.gets, 4u) << "only those who ask for the session read";
    return writes;
  };
  // A session that runs no effect: 1. A step: 1, so n of them n + 1. A sleep: 1.
  Writes writes = of("fn main() {\n  1\n}");
  EXPECT_EQ(writes.heads, 1u);
  EXPECT_EQ(writes.parts + writes.placeholders + writes.replaced, 0u);
  writes = of("fn main() {\n  s = 0\n  for i in range(8) {\n    s = add(s, i)\n  }\n  s\n}");
  EXPECT_EQ(writes.heads, 9u);
  EXPECT_LE(writes.parts, 1u) << "a piece of history about every seven steps";
  EXPECT_EQ(writes.placeholders + writes.replaced, 0u);
  writes = of("fn main() {\n  sleep(1)\n  2\n}");
  EXPECT_EQ(writes.heads, 2u);
  // Children without effects never reach the store.
  writes = of("fn child(i) {\n  i\n}\nfn main() {\n  pmap(range(50), child)\n}");
  EXPECT_EQ(writes.heads, 1u);
  EXPECT_LE(writes.parts, 1u) << "what is told of fifty in the history";
  // A child of one step, between two of main's: its begin and its end ride in main's commits; 2 parts, 1 head.
  writes =
      of("fn child(i) {\n  double(i)\n}\nfn main() {\n  a = double(1)\n  b = await async child(a)\n  double(b)\n}");
  EXPECT_EQ(writes.heads, 4u) << "three steps and the end";
  EXPECT_LE(writes.parts, 2u);
  EXPECT_EQ(writes.placeholders, 0u);
  // Each further step of the child is a part and a head.
  writes = of("fn child(i) {\n  double(double(double(i)))\n}\nfn main() {\n  a = double(1)\n  await async child(a)\n}");
  EXPECT_EQ(writes.heads, 5u);
  EXPECT_LE(writes.parts, 4u);
  // A fan-out of n with a step each: n parts and a head; their ends as they come, at most n parts and n heads.
  writes = of("fn child(i) {\n  double(i)\n}\nfn main() {\n  double(0)\n  pmap(range(20), child, 20)\n}");
  EXPECT_LE(writes.parts, 2u * 20);
  EXPECT_LE(writes.heads, 1u + 1 + 20 + 1);
  // A session that begins with children needs a place to be found at, should its host die meanwhile.
  writes = of("fn child(i) {\n  double(i)\n}\nfn main() {\n  await async child(1)\n}");
  EXPECT_EQ(writes.placeholders, 1u);
}

TEST(SessionWrites, ASignal) {
  for (const bool floor : {false, true}) {
    const Writes writes = WritesOf(floor, "fn main() {\n  a = await event(\"go\")\n  a\n}",
                                   [](SessionsWorld& world, const std::string& sid) {
                                     world.SendAt(world.loop().now() + 60'000'000'000, sid, "go", "1", "key");
                                   });
    // The park, and the value together with what main does with it.
    EXPECT_LE(writes.commits, floor ? 4u : 3u);
  }
}

// Of a session that has ended nothing is left but its tombstone, and in the end not even that.
TEST_P(Sessions, NothingIsLeft) {
  SessionsOptions options;
  options.executable = Executable(std::string(kImports) +
                                  "fn child(i) {\n  print(i)\n  double(i)\n}\nfn main() {\n  pmap(range(8), child)\n}");
  options.faults = Rough(0);
  options.floor = GetParam();
  if (options.floor) options.faults.commit_ops_max = 1;
  options.seed = 1;
  options.constants.retention_ns = kHourNs;
  options.constants.dedup_ns = 2 * kHourNs;
  SessionsWorld world(options);
  runtime::StartRequest request;
  request.function = "main";
  request.id = "one";
  runtime::SessionView view;
  ASSERT_TRUE(world.RunToEnd(request, kHourNs, &view));
  const size_t with_session = world.memory().All().size();
  EXPECT_GT(with_session, 3u);
  world.Pass(kHourNs + 600'000'000'000);
  EXPECT_EQ(world.memory().All().size(), 2u);                     // the program and the tombstone
  ASSERT_FALSE(world.RunToEnd(request, 600'000'000'000, &view));  // it does not run again
  world.Pass(3 * kHourNs);
  EXPECT_EQ(world.memory().All().size(), 1u);
}

// The same whatever happens on the way.
TEST_P(Sessions, NothingIsLeftAfterFaults) {
  const std::string executable = Executable(std::string(kImports) + R"(
fn child(i) {
  print("a line of the child " + str(i))
  double(double(i))
}
fn main() {
  xs = []
  for i in range(700) {
    xs = append(xs, "a value of some bytes " + str(i))
  }
  a = pmap(range(5), child)
  double(length(xs) + a[2])
})");
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SessionsOptions options;
    options.executable = executable;
    options.faults = Rough(0.5);
    options.faults.rates[static_cast<size_t>(Fault::kStaleScan)] = 0;
    options.floor = GetParam();
    if (options.floor) options.faults.commit_ops_max = seed % 4 == 0 ? 4 : 1;
    options.seed = seed;
    options.crash_rate = 0.02;
    options.constants.retention_ns = kHourNs / 2;
    options.constants.dedup_ns = kHourNs / 2;
    SessionsWorld world(options);
    runtime::StartRequest request;
    request.function = "main";
    request.id = "one";
    runtime::SessionView view;
    ASSERT_TRUE(world.RunToEnd(request, 24 * kHourNs, &view)) << "seed " << seed;
    ASSERT_EQ(view.result_json, "1416") << "seed " << seed << ": " << view.error_json;
    world.Calm();
    world.Pass(2 * kHourNs);
    std::string left;
    for (const auto& [key, record] : world.memory().All()) left += key.first + "/" + key.second + " ";
    ASSERT_EQ(world.memory().All().size(), 1u) << "seed " << seed << ": " << left;
  }
}

// Each sender gets the reply to its own request, however often it asks and whoever dies.
TEST_P(Sessions, RequestsHaveTheirReplies) {
  Shape shape = Of(R"(
fn main() {
  for i in range(4) {
    r = await request("ask")
    double(i)
    reply(r.reply, add(r.value, 1))
  }
  again = ""
  r = await request("twice")
  reply(r.reply, 1)
  try {
    reply(r.reply, 2)
  } catch e {
    again = e.kind
  }
  sleep(3600)
  again
})",
                   R"("conflict")");
  const auto replies = std::make_shared<std::map<std::string, std::vector<std::string>>>();
  shape.world = [replies](SessionsWorld& world, const std::string& sid) {
    replies->clear();
    for (int i = 0; i < 4; ++i) {
      world.AskAt(world.loop().now() + 1'000'000'000 + i * 100'000'000, sid, "ask", std::to_string(10 * i),
                  "key" + std::to_string(i), &(*replies)[std::to_string(10 * i + 1)]);
    }
    world.AskAt(world.loop().now() + 2'000'000'000, sid, "twice", "0", "one", &(*replies)["1"]);
  };
  shape.check = [replies](SessionsWorld& world, const std::string& sid) {
    for (const auto& [wanted, got] : *replies) {
      EXPECT_FALSE(got.empty()) << "nobody replied " << wanted;
      for (const std::string& one : got) EXPECT_EQ(one, wanted);
    }
    // After the end the reply is still there, and a new request is refused.
    using Reply = std::optional<std::string>;
    const auto ask = [&](const std::string& key) {
      return world.Ask<Reply>([&](runtime::DurableSessions& host, runtime::Done<Reply> done) {
        host.Send(sid, "ask", "20", key, 1'000'000'000, std::move(done));
      });
    };
    EXPECT_EQ(ask("key2").value, Reply("21"));
    const auto late = ask("another key");
    ASSERT_TRUE(late.error.has_value());
  };
  RunSeeds(GetParam(), shape, 40);
}

// What was printed is there once and in order, and so is what happened.
TEST_P(Sessions, LinesAndHistoryAreWhole) {
  Shape shape = Of(R"(
fn child(i) {
  print(f"child {i}")
  double(i)
}
fn main() {
  for i in range(60) {
    print(f"line {i} of some length, so that there are pieces of it as well as what stands in the record")
    double(i)
  }
  await async child(60)
  sleep(30)
  try {
    fail(1)
  } catch e {
  }
  "end"
})",
                   R"("end")");
  shape.check = [](SessionsWorld& world, const std::string& sid) {
    const auto output = world.ReadLines(sid, runtime::LineSort::kOutput, 7);
    ASSERT_EQ(output.size(), 61u);
    for (size_t i = 0; i < 60; ++i) EXPECT_TRUE(output[i].text.starts_with("line " + std::to_string(i) + " of"));
    EXPECT_EQ(output[60].text, "child 60\n");
    EXPECT_NE(output[60].tid, "0");
    const auto history = world.ReadLines(sid, runtime::LineSort::kHistory, 5);
    const auto at_once = world.ReadLines(sid, runtime::LineSort::kHistory, 10'000);
    ASSERT_EQ(history.size(), at_once.size());
    uint64_t last = 0;
    size_t done = 0;
    std::set<std::string> begun;
    for (size_t i = 0; i < history.size(); ++i) {
      const runtime::LineView& line = history[i];
      EXPECT_EQ(line.text, at_once[i].text);
      EXPECT_GE(line.unix_ns, last) << line.text;
      last = line.unix_ns;
      const auto has = [&line](const char* what) { return line.text.find(what) != std::string::npos; };
      const std::string step = line.tid + line.text.substr(std::min(line.text.size(), line.text.find("\"step\"")), 9);
      if (has("\"step begun\"")) begun.insert(step.substr(0, step.find_first_of(",}")));
      if (has("\"step done\"")) {
        ++done;
        EXPECT_EQ(begun.count(step.substr(0, step.find_first_of(",}"))), 1u) << line.tid << line.text;
      }
    }
    EXPECT_EQ(done, 61u);
    EXPECT_NE(history.front().text.find("\"started\",\"function\":\"main\""), std::string::npos)
        << history.front().text;
    EXPECT_NE(history.back().text.find("\"ended\",\"status\":\"done\""), std::string::npos) << history.back().text;
    std::string all;
    for (const runtime::LineView& line : history) all += line.text + "\n";
    EXPECT_NE(all.find("{\"event\":\"parked\",\"waits_for\":"), std::string::npos) << all;
    EXPECT_NE(all.find("{\"event\":\"woken\"}"), std::string::npos) << all;
    EXPECT_NE(all.find("\"step failed\""), std::string::npos) << all;
  };
  RunSeeds(GetParam(), shape, 30);
}

// Values, output and events that are larger than any record of the memory may be.
TEST_P(Sessions, LargeValuesLieInParts) {
  std::string text = "0123456789abcdef";
  for (int i = 0; i < 16; ++i) text += text;
  Shape shape = Of(R"(
fn main() {
  s = "0123456789abcdef"
  for i in range(16) {
    s = s + s
  }
  print(s)
  double(1)
  publish("big", s)
  got = await event("big")
  print(s + "end")
  double(2)
  [length(got), s]
})",
                   "[700000,\"" + text + "\"]");
  shape.world = [](SessionsWorld& world, const std::string& sid) {
    world.SendAt(world.loop().now() + 1'000'000'000, sid, "big", "\"" + std::string(700'000, 'e') + "\"", "key");
  };
  shape.check = [&text](SessionsWorld& world, const std::string& sid) {
    std::string all;
    for (const runtime::LineView& line : world.ReadLines(sid, runtime::LineSort::kOutput, 100)) all += line.text;
    EXPECT_TRUE(all == text + "\n" + text + "end\n") << all.size();
  };
  RunSeeds(GetParam(), shape, 9);
}

// Of a long life the newest history is kept, and a step costs what the first did.
TEST(SessionsTold, HistoryOfALongLifeIsBounded) {
  SessionsOptions options;
  options.executable = Executable(std::string(kImports) + R"(
fn bad() { raise("Broken", format("{}", range(60))) }
fn main() {
  for i in range(8400) {
    try {
      await async bad()
    } catch e {
    }
    double(i)
  }
})");
  options.faults = Rough(0);
  options.seed = 1;
  SessionsWorld world(options);
  runtime::StartRequest request;
  request.function = "main";
  request.id = "one";
  runtime::SessionView view;
  ASSERT_TRUE(world.RunToEnd(request, 24 * kHourNs, &view));
  ASSERT_EQ(view.status, runtime::ViewStatus::kDone) << view.error_json;
  size_t pieces = 0;
  for (const auto& [key, item] : world.memory().All()) {
    if (key.second.starts_with("h/")) ++pieces;
    if (key.second == "s") {
      EXPECT_LT(item.value.size(), 1'500u);
    }
  }
  EXPECT_EQ(pieces, runtime::record::kHistoryPiecesMax);
  const auto history = world.ReadLines(world.SidOf(request), runtime::LineSort::kHistory, 10'000);
  EXPECT_NE(history.back().text.find("\"ended\""), std::string::npos);
}

struct Poisoned {
  explicit Poisoned(const std::string& text) : world(Options(text)) {}
  static SessionsOptions Options(const std::string& text) {
    SessionsOptions options;
    options.executable = Executable(std::string(kImports) + text);
    options.faults = Rough(0);
    options.seed = 1;
    options.noted = true;
    return options;
  }
  runtime::SessionView Run(const std::string& function) {
    runtime::StartRequest request;
    request.function = function;
    request.id = function;
    runtime::SessionView view;
    EXPECT_TRUE(world.RunToEnd(request, kHourNs, &view)) << function;
    return view;
  }
  runtime::Served<runtime::SessionView> Do(void (runtime::DurableSessions::*what)(std::string,
                                                                                  runtime::Done<runtime::SessionView>),
                                           const std::string& sid) {
    return world.Ask<runtime::SessionView>(
        [&](runtime::DurableSessions& host, runtime::Done<runtime::SessionView> done) {
          (host.*what)(sid, std::move(done));
        });
  }
  SessionsWorld world;
};

constexpr const char* kPoison = R"(
fn main() {
  sleep(1)
  kill(1)
}
fn innocent() {
  double(1)
  sleep(600)
  double(2)
}
fn stumbles() {
  for i in range(6) {
    kill_once(i)
  }
  "there"
})";

// P-25: a session that ends its host three times without getting further is set aside; others are not.
TEST(SessionsTold, PoisonIsSetAside) {
  Poisoned poisoned(kPoison);
  runtime::StartRequest request;
  request.function = "innocent";
  request.id = "innocent";
  poisoned.world.At(0, [&](runtime::DurableSessions& host) { host.Start(request, [](const auto&) {}); });
  const runtime::SessionView dead = poisoned.Run("main");
  EXPECT_EQ(dead.status, runtime::ViewStatus::kDead) << dead.error_json;
  EXPECT_NE(dead.error_json.find("\"kind\":\"dead\""), std::string::npos) << dead.error_json;
  EXPECT_EQ(poisoned.world.crashes(), 3u);
  EXPECT_EQ(poisoned.Run("innocent").status, runtime::ViewStatus::kDone);
  EXPECT_EQ(poisoned.world.crashes(), 3u);
  using Hosted = runtime::DurableSessions;
  EXPECT_TRUE(poisoned.Do(&Hosted::Resume, dead.sid).error.has_value()) << "it is not paused";
  EXPECT_TRUE(poisoned.Do(&Hosted::Cancel, dead.sid).error.has_value());
  // Its answer may be lost with the host.
  poisoned.world.At(0, [&](runtime::DurableSessions& host) { host.RetryDead(dead.sid, [](const auto&) {}); });
  poisoned.world.Pass(600'000'000'000);
  EXPECT_EQ(poisoned.world.crashes(), 6u);
  EXPECT_EQ(poisoned.Do(&Hosted::Get, dead.sid).value.status, runtime::ViewStatus::kDead);
  EXPECT_FALSE(poisoned.Do(&Hosted::DropDead, dead.sid).error.has_value());
  EXPECT_EQ(poisoned.Do(&Hosted::Get, dead.sid).value.status, runtime::ViewStatus::kTerminated);
  EXPECT_TRUE(poisoned.Do(&Hosted::RetryDead, dead.sid).error.has_value());
}

// One that gets further each time is not.
TEST(SessionsTold, ProgressTakesTheBlameBack) {
  Poisoned poisoned(kPoison);
  const runtime::SessionView view = poisoned.Run("stumbles");
  EXPECT_EQ(view.result_json, R"("there")") << NameOf(view.status);
  EXPECT_EQ(poisoned.world.crashes(), 6u);
}

// A new session with the program, function and arguments of an old one.
TEST(SessionsTold, RunningAgain) {
  SessionsOptions options;
  options.executable = Executable(std::string(kImports) + "fn main(a, b) {\n  add(a, b)\n}");
  options.faults = Rough(0);
  options.seed = 1;
  SessionsWorld world(options);
  runtime::StartRequest request;
  request.function = "main";
  request.id = "one";
  request.arguments_json = "[3, 4]";
  request.labels.emplace_back("team", "blue");
  runtime::SessionView view;
  ASSERT_TRUE(world.RunToEnd(request, kHourNs, &view));
  const auto rerun = [&](const std::string& from) {
    return world.Ask<runtime::SessionView>(
        [&](runtime::DurableSessions& host, runtime::Done<runtime::SessionView> done) {
          host.Rerun(view.sid, from, std::move(done));
        });
  };
  const auto again = rerun("start");
  ASSERT_FALSE(again.error.has_value()) << again.error->message;
  EXPECT_NE(again.value.sid, view.sid);
  const auto ended =
      world.Ask<runtime::SessionView>([&](runtime::DurableSessions& host, runtime::Done<runtime::SessionView> done) {
        host.Wait(again.value.sid, 60'000'000'000, std::move(done));
      });
  EXPECT_EQ(ended.value.result_json, "7");
  EXPECT_EQ(ended.value.labels.size(), 2u);
  const auto refused = rerun("3");
  ASSERT_TRUE(refused.error.has_value());
  EXPECT_NE(refused.error->message.find("step 3"), std::string::npos);
}

// A start under an id that is taken begins before it knows; what is asked meanwhile is asked of whom the store has.
TEST(SessionsTold, WhatComesWithARepeatedStart) {
  SessionsOptions options;
  options.executable = Executable("fn main() { await event(\"go\") }");
  options.faults = Rough(0);
  options.seed = 1;
  SessionsWorld world(options);
  runtime::StartRequest request;
  request.function = "main";
  request.id = "one";
  const std::string sid = world.SidOf(request);
  const auto start = [&](bool sends, std::optional<runtime::Served<std::optional<std::string>>>* sent) {
    return world.Ask<runtime::StartAnswer>(
        [=](runtime::DurableSessions& host, runtime::Done<runtime::StartAnswer> done) {
          host.Start(request, std::move(done));
          if (!sends) return;
          host.Send(sid, "go", "5", "key", 0,
                    [sent](runtime::Served<std::optional<std::string>> served) { *sent = std::move(served); });
        });
  };
  std::optional<runtime::Served<std::optional<std::string>>> sent;
  world.Pass(1'000'000'000);  // the host has begun
  const auto first = start(false, nullptr);
  ASSERT_FALSE(first.error.has_value()) << first.error->message;
  ASSERT_TRUE(first.value.created);
  world.Pass(600'000'000'000);  // it waits in the store alone
  EXPECT_FALSE(start(true, &sent).value.created);
  world.Pass(60'000'000'000);
  ASSERT_TRUE(sent.has_value());
  EXPECT_FALSE(sent->error.has_value()) << sent->error->message;
  const auto ended =
      world.Ask<runtime::SessionView>([&](runtime::DurableSessions& host, runtime::Done<runtime::SessionView> done) {
        host.Wait(sid, 60'000'000'000, std::move(done));
      });
  EXPECT_EQ(ended.value.result_json, "5");
}

}  // namespace
}  // namespace teal::sim

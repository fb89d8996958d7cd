// Durable sessions under faults by seed: each ends as it does without faults, no recorded step runs again, and nothing
// is lost. A failing seed is repeated by TEAL_SIM_SEED=n with the test's name as filter; TEAL_SIM_SEEDS=n changes how
// many there are.
#include <gtest/gtest.h>

#include <cstdlib>

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
};

void RunSeeds(const Shape& shape, uint64_t seeds) {
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
    // A third of the seeds without faults of the store, and a third without crashes.
    options.faults = Rough(seed % 3 == 0 ? 0 : 0.5);
    options.faults.rates[static_cast<size_t>(Fault::kStaleScan)] = 0;  // no memory may give that (docs/abi.md)
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
    ASSERT_TRUE(world.world().wrongs.empty()) << "seed " << seed << ": " << world.world().wrongs.front();
    crashes += world.crashes();
    for (size_t i = 0; i < faults.size(); ++i) faults[i] += world.faults()[i];
  }
  if (seeds >= 20) {
    EXPECT_GT(crashes, 0u);
    EXPECT_GT(faults[static_cast<size_t>(Fault::kLostApplied)], 0u);
    EXPECT_GT(faults[static_cast<size_t>(Fault::kTouched)], 0u);
  }
}

constexpr const char* kImports = R"(
import(add, w, 2)
import(double, w, 1)
import(slow, w, 1)
import(fail, w, 1)
#[at_most_once]
import(once, w, 1)
)";

Shape Of(const char* text, std::string result) {
  return {std::string(kImports) + text, std::move(result), {}};
}

TEST(Sessions, StepsInSequence) {
  RunSeeds(Of(R"(
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

TEST(Sessions, ChildrenWithSteps) {
  RunSeeds(Of(R"(
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

TEST(Sessions, SleepsAndTimers) {
  RunSeeds(Of(R"(
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

TEST(Sessions, LoopOfChildrenDoesNotGrow) {
  RunSeeds(Of(R"(
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

TEST(Sessions, FailuresAndCleanUp) {
  RunSeeds(Of(R"(
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

TEST(Sessions, JoinsAndPmap) {
  RunSeeds(Of(R"(
fn child(i) { slow(i) }
fn main() {
  a = all([async child(1), async child(2), async child(3)])
  b = pmap([4, 5, 6, 7], child, 2)
  [a, b]
})",
              "[[2,4,6],[8,10,12,14]]"),
           30);
}

TEST(Sessions, TimeoutsCancel) {
  RunSeeds(Of(R"(
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

TEST(Sessions, EventsInOrderOnceEach) {
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
  RunSeeds(shape, 40);
}

TEST(Sessions, LargeStatesLieInSegments) {
  RunSeeds(Of(R"(
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
TEST(Sessions, SessionsAmongThemselves) {
  RunSeeds(Of(R"(
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
TEST(Sessions, AtMostOnce) {
  RunSeeds(Of(R"(
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

// Without faults, a step is one write, and nothing is written that nobody needs (section 9 of the protocol).
TEST(Sessions, WriteCounts) {
  const auto commits_of = [](const std::string& text) {
    SessionsOptions options;
    options.executable = Executable(std::string(kImports) + text);
    options.faults = Rough(0);
    options.seed = 1;
    SessionsWorld world(options);
    runtime::StartRequest request;
    request.function = "main";
    runtime::SessionView view;
    EXPECT_TRUE(world.RunToEnd(request, kHourNs, &view));
    return world.commits() - 1;  // the program's
  };
  EXPECT_EQ(commits_of("fn main() {\n  1\n}"), 1u);
  EXPECT_EQ(commits_of("fn main() {\n  s = 0\n  for i in range(8) {\n    s = add(s, i)\n  }\n  s\n}"), 9u);
  EXPECT_EQ(commits_of("fn main() {\n  sleep(1)\n  2\n}"), 2u);
  // Eight calls at once are one commit, and so are the ends that come together with main's.
  EXPECT_LE(commits_of("fn child(i) {\n  double(i)\n}\nfn main() {\n  pmap(range(8), child)\n}"), 10u);
  // Children without effects never reach the store.
  EXPECT_EQ(commits_of("fn child(i) {\n  i\n}\nfn main() {\n  pmap(range(50), child)\n}"), 1u);
}

// Of a session that has ended nothing is left but its tombstone, and in the end not even that.
TEST(Sessions, NothingIsLeft) {
  SessionsOptions options;
  options.executable = Executable(std::string(kImports) +
                                  "fn child(i) {\n  print(i)\n  double(i)\n}\nfn main() {\n  pmap(range(8), child)\n}");
  options.faults = Rough(0);
  options.seed = 1;
  SessionsWorld world(options);
  runtime::StartRequest request;
  request.function = "main";
  request.id = "one";
  runtime::SessionView view;
  ASSERT_TRUE(world.RunToEnd(request, kHourNs, &view));
  const size_t with_session = world.memory().All().size();
  EXPECT_GT(with_session, 3u);
  world.Pass(8 * 24 * kHourNs);
  EXPECT_EQ(world.memory().All().size(), 2u);                     // the program and the tombstone
  ASSERT_FALSE(world.RunToEnd(request, 600'000'000'000, &view));  // it does not run again
  world.Pass(15 * 24 * kHourNs);
  EXPECT_EQ(world.memory().All().size(), 1u);
}

}  // namespace
}  // namespace teal::sim

// A thread that waits for calls does the pool's work itself.
#include <atomic>
#include <thread>

#include "tests/unit/runtime/worker_testing.h"

namespace teal::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr char kPython[] = "import time\ndef same(x): return x\ndef slow(x):\n    time.sleep(0.1)\n    return x\n";

// Makes a call and drives the pool until it has ended. Gives the result, and where `done` was called.
int64_t CallAndDrive(TestPool& p, const char* function, int x, std::thread::id* where = nullptr) {
  std::atomic<bool> ended = false;
  int64_t value = -1;
  CallRequest request = p.Request(function, Args(x));
  request.done = [&](CallOutcome&& outcome) {
    if (where != nullptr) *where = std::this_thread::get_id();
    value = AsInt(outcome.payload);
    ended = true;
    p.pool->Interrupt();  // it may be another thread that runs this
  };
  p.pool->Call(std::move(request));
  const auto until = steady_clock::now() + seconds(20);
  while (!ended && steady_clock::now() < until) p.pool->Drive(seconds(20));
  EXPECT_TRUE(ended);
  return value;
}

TEST(WorkerDrive, RunsCallbacksInTheThreadThatWaits) {
  TestPool p(kPython, {"same", "slow"});
  p.Start();
  std::thread::id where;
  EXPECT_EQ(CallAndDrive(p, "slow", 1, &where), 1);
  EXPECT_EQ(where, std::this_thread::get_id());
  for (int i = 0; i < 2000; i++) ASSERT_EQ(CallAndDrive(p, "same", i), i);
}

TEST(WorkerDrive, LeavesWhatIsNotWaitedForToThePool) {
  TestPool p(kPython, {"same", "slow"});
  p.Start();
  for (int i = 0; i < 50; i++) {
    ASSERT_EQ(CallAndDrive(p, "same", i), i);
    ASSERT_EQ(AsInt(p.Do("same", Args(i)).payload), i);  // nobody drives
    if (i % 10 == 0) {
      ASSERT_EQ(CallAndDrive(p, "slow", i), i);
    }
  }
}

TEST(WorkerDrive, EndsWhenItsTimeIsOver) {
  TestPool p(kPython, {"same", "slow"});
  p.Start();
  const auto begun = steady_clock::now();
  p.pool->Drive(milliseconds(30));
  EXPECT_GE(steady_clock::now() - begun, milliseconds(30));
  EXPECT_LT(steady_clock::now() - begun, seconds(10));
}

TEST(WorkerDrive, IsInterruptedBeforeItBeginsAndMeanwhile) {
  TestPool p(kPython, {"same", "slow"});
  p.Start();
  const auto begun = steady_clock::now();
  p.pool->Interrupt();
  p.pool->Drive(seconds(60));
  std::thread other([&] {
    std::this_thread::sleep_for(milliseconds(20));
    p.pool->Interrupt();
  });
  p.pool->Drive(seconds(60));
  other.join();
  EXPECT_LT(steady_clock::now() - begun, seconds(30));
}

TEST(WorkerDrive, LosesNothingWhileManyCallAndAGuestComesAndGoes) {
  TestPool p(kPython, {"same", "slow"}, 2);
  p.Start();
  constexpr int kThreads = 4, kCalls = 500;
  std::atomic<int> callers = kThreads;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; t++) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kCalls; i++) {
        const int x = t * kCalls + i;
        EXPECT_EQ(AsInt(p.Do("same", Args(x)).payload), x);
        if (i % 50 == t) p.pool->Interrupt();
      }
      callers--;
    });
  }
  for (int turn = 0; callers > 0; turn++) {
    p.pool->Drive(milliseconds(turn % 4));
    if (turn % 64 == 0) std::this_thread::sleep_for(milliseconds(3));  // long enough for the pool to take over
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(WorkerDrive, EndsAtShutdown) {
  TestPool p(kPython, {"same", "slow"});
  p.Start();
  std::thread other([&] {
    std::this_thread::sleep_for(milliseconds(20));
    p.pool->Shutdown();
  });
  const auto begun = steady_clock::now();
  p.pool->Drive(seconds(60));
  other.join();
  EXPECT_LT(steady_clock::now() - begun, seconds(30));
}

}  // namespace
}  // namespace teal::runtime

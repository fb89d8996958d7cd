// Hosts of durable sessions in virtual time: the very objects that serve, over the simulated memory. Steps are those of
// a world that counts what is done to it. One thread; the same seed gives the same run.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/runtime/durable.h"
#include "core/runtime/floor_store.h"
#include "core/runtime/running_note.h"
#include "tests/sim/faulty_store.h"
#include "tests/sim/loop.h"
#include "tests/sim/protocol_watch.h"
#include "tests/sim/random.h"
#include "tests/sim/sim_memory.h"

namespace teal::sim {

class LoopClock : public runtime::Clock {
 public:
  explicit LoopClock(SimLoop& loop) : loop_(loop) {}
  int64_t NowUnixNs() const override { return loop_.now(); }
  bool IsVirtual() const override { return true; }
  void JumpTo(int64_t) override {}

 private:
  SimLoop& loop_;
};

// What steps do to the world, seen from outside.
struct World {
  // By sid/tid/step.
  struct Effect {
    uint64_t begun = 0;
    std::string arguments;  // source form
  };
  std::map<std::string, Effect> effects;
  std::map<std::string, uint64_t> last_step;     // by sid/tid: the newest step that has begun
  std::vector<std::string> wrongs;               // what broke a rule, in words
  std::function<void(const std::string&)> note;  // of each beginning; may be empty
  bool host_ends = false;                        // a step has ended its host
};

// The functions of the module `w`, with a random time each:
//   add(a, b)  double(x)  once(x): at most once   fail(x): the error `Broken`   slow(x): up to five seconds
//   kill(x): ends its host   kill_once(x): the first time that it runs
class WorldCalls : public runtime::ForeignCalls {
 public:
  WorldCalls(SimLoop& loop, World& world, std::shared_ptr<const vm::Program> program, uint64_t seed)
      : loop_(loop), world_(world), program_(std::move(program)), random_(seed) {}
  uint64_t Start(const runtime::ForeignCall& call, std::function<void(runtime::ForeignOutcome)> done) override;
  void Cancel(uint64_t, double) override {}
  void Shutdown() override {}
  // The host has died: nothing that runs ends for it.
  void Cut() { *alive_ = false; }

 private:
  SimLoop& loop_;
  World& world_;
  const std::shared_ptr<const vm::Program> program_;
  SimRandom random_;
  uint64_t numbers_ = 0;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

struct SessionsOptions {
  std::string executable;
  FaultyOptions faults;
  bool floor = false;  // the hosts have a store of single records below them
  runtime::record::Constants constants;
  double crash_rate = 0;  // of a host, at each thing that happens
  bool noted = false;     // what hosts do is noted for the life after
  uint64_t seed = 0;
};

class SessionsWorld {
 public:
  explicit SessionsWorld(SessionsOptions options);
  ~SessionsWorld();

  World& world() { return world_; }
  const ProtocolWatch& watch() const { return watch_; }
  // The first of what broke a rule, seen at the steps or in the memory; empty: nothing did.
  std::string Wrong() const;
  SimLoop& loop() { return loop_; }
  SimMemory& memory() { return memory_; }
  // Applied, by the host of the moment.
  uint64_t commits() const;
  // Of the host of the moment; null: its store needs no floor.
  const runtime::FloorCounters* floor_counters() const;
  const runtime::StoreCounters& store_counters() const;
  uint64_t crashes() const { return crashes_; }
  FaultCounts faults() const;

  // Starts a session under that id as often as it takes until it is acknowledged, and waits for its end; gives the
  // view. False: it did not end within `virtual_ns`.
  bool RunToEnd(const runtime::StartRequest& request, uint64_t virtual_ns, runtime::SessionView* view);
  // Sends as often as it takes, later.
  void SendAt(int64_t unix_ns, std::string sid, std::string event, std::string json, std::string key);
  // Does `call` with the host of the moment, whatever comes of it.
  void At(int64_t unix_ns, std::function<void(runtime::DurableSessions&)> call);
  std::string SidOf(const runtime::StartRequest& request);
  // No host dies any more.
  void Calm() { options_.crash_rate = 0; }
  // Sends as often as it takes to get the reply, later; what came is put into *replies.
  void AskAt(int64_t unix_ns, std::string sid, std::string event, std::string json, std::string key,
             std::vector<std::string>* replies);
  // All lines of a session, read in pages of so many.
  std::vector<runtime::LineView> ReadLines(const std::string& sid, runtime::LineSort sort, uint64_t page);
  // Asks one thing of the host of the moment, and again until it is answered.
  template <typename T>
  runtime::Served<T> Ask(const std::function<void(runtime::DurableSessions&, runtime::Done<T>)>& ask) {
    const auto served = std::make_shared<std::optional<runtime::Served<T>>>();
    while (!served->has_value()) {
      ask(*HostOfNow(), [served](runtime::Served<T> answer) { *served = std::move(answer); });
      const int64_t again = loop_.now() + 15'000'000'000;
      loop_.At(again, [] {});
      RunHost();
      while (!served->has_value() && loop_.now() < again) Step();
    }
    return std::move(**served);
  }
  // Lets time pass.
  void Pass(uint64_t virtual_ns);

 private:
  struct Host;
  runtime::DurableSessions* HostOfNow();
  void Boot();
  void Crash();
  void Step();  // one thing of the loop, and what it leads to
  void RunHost();

  SessionsOptions options_;
  SimLoop loop_;
  LoopClock clock_{loop_};
  SimMemory memory_;
  World world_;
  ProtocolWatch watch_;
  SimRandom random_;
  std::shared_ptr<const vm::Program> program_;
  std::vector<char> note_ = std::vector<char>(runtime::RunningNote::kBytes);
  std::unique_ptr<Host> host_;
  std::vector<std::unique_ptr<Host>> dead_;
  uint64_t boots_ = 0;
  uint64_t crashes_ = 0;
  FaultCounts faults_{};
  int64_t wake_at_ = INT64_MAX;
};

}  // namespace teal::sim

// Several hosts of durable sessions over one simulated memory, in virtual time: they die, stop as asked, sleep for
// longer than a lease and go on (zombies), and their clocks differ. What the world asks for is asked of any of them,
// and again of another until it is acknowledged. After each thing that happens the record of each session is held to
// the rules: which writes may follow one another, who may take over and when. One thread; the same seed gives the same
// run.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/runtime/durable.h"
#include "tests/sim/sessions_world.h"

namespace teal::sim {

struct SharedOptions {
  std::string executable;
  FaultyOptions faults;
  size_t hosts = 3;
  size_t without_code = SIZE_MAX;  // the host in this place has not the foreign code of programs
  // Of each thing that happens: a host dies, stops as by SIGTERM, or sleeps.
  double crash_rate = 0;
  double stop_rate = 0;
  double sleep_rate = 0;
  uint64_t sleep_ns_max = 100'000'000'000;
  int64_t skew_ns_max = 0;  // of a host's clock, either way
  uint64_t seed = 0;
};

struct SharedCounts {
  uint64_t crashes = 0, stops = 0, sleeps = 0;
  uint64_t take_overs = 0;   // of a session whose host had a lease
  uint64_t side_writes = 0;  // that changed something
};

class SharedWorld {
 public:
  explicit SharedWorld(SharedOptions options);
  ~SharedWorld();

  World& world() { return world_; }
  SimLoop& loop() { return loop_; }
  SimMemory& memory() { return memory_; }
  const SharedCounts& counts() const { return counts_; }

  // Asked of one host after the other until one says yes; `then` when it has. Gives the sid.
  std::string Start(const runtime::StartRequest& request);
  void Send(const std::string& sid, const std::string& event, const std::string& json, const std::string& key,
            std::function<void()> then = {});
  // The same, for a reply. What comes and is not `wanted` is among the world's wrongs.
  void Request(const std::string& sid, const std::string& event, const std::string& json, const std::string& key,
               const std::string& wanted, std::function<void()> then = {});
  // Does `ask` with some host; `ask` says by `done(true)` that it need not be asked again.
  using Ask = std::function<void(runtime::DurableSessions&, std::function<void(bool)> done)>;
  void Insist(Ask ask, std::function<void()> then = {});
  // Until each started session is known to have ended. False: some did not within that time.
  bool RunToEnd(uint64_t virtual_ns);
  const std::map<std::string, runtime::SessionView>& views() const { return views_; }
  void Pass(uint64_t virtual_ns);
  // One of them, to ask for something or to let it die; another comes in its place.
  runtime::DurableSessions& At(size_t host);
  void Kill(size_t host) { Bury(host, true); }
  // What the store has of those that have not ended, for messages.
  std::string Open() const;
  SimRandom& random() { return random_; }

 private:
  struct Host;
  std::unique_ptr<Host> Boot(size_t place);
  void Bury(size_t host, bool cut);
  void Step();
  void Run(Host& host);
  Host& Any();
  void Check(const char* after);
  void WaitFor(const std::string& sid);

  const SharedOptions options_;
  SimLoop loop_;
  SimMemory memory_;
  World world_;
  SimRandom random_;
  std::shared_ptr<const vm::Program> program_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<std::unique_ptr<Host>> dead_;
  uint64_t boots_ = 0;
  SharedCounts counts_;
  struct Seen {
    teal_version version{};
    std::optional<runtime::record::Session> session;
  };
  std::map<std::string, Seen> seen_;  // by sid: the sessions that were started
  std::map<std::string, runtime::SessionView> views_;
};

}  // namespace teal::sim

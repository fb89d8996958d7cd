// A small workload for stores: clients on several hosts that crash append ids to lists, each list one record, with a
// compare-and-swap on the version they know. An id is used once. So what is there at the end tells everything: an
// acknowledged id is there once, a refused one is not, and their order fits the times at which they were asked for and
// acknowledged.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/sim/faulty_store.h"

namespace teal::sim {

struct AppendOptions {
  FaultyOptions faults;
  int hosts = 3;
  int clients = 2;   // of a host
  int appends = 12;  // of a client
  int lists = 3;
  int crashes = 3;
  // Wrong clients, to know that the checks can fail.
  bool blind = false;           // writes without a condition
  bool assume_applied = false;  // takes an unknown outcome for success
  bool write_again = false;     // after an unknown outcome, appends the same id to what it finds
  bool trust_doubtful = false;  // takes a doubtful conflict for a certain one, without looking for its id
};

class AppendWorld {
 public:
  AppendWorld(AppendOptions options, uint64_t seed);
  ~AppendWorld();

  // Runs to the end. What was violated, in words; empty: nothing.
  std::string Run();

  const FaultCounts& faults() const { return faults_; }
  const std::string& trace() const { return trace_; }  // what came of each call, and when
  int acknowledged() const;

 private:
  struct Client;
  struct Append {
    std::string id;
    std::vector<int> lists;
    int64_t began = 0;
    int64_t ended = 0;
    enum class Fate { kOpen, kAcknowledged, kRefused } fate = Fate::kOpen;  // open: may be there or not
  };
  struct Read {
    int list = 0;
    std::string seen;
    int64_t began = 0;
    int64_t ended = 0;
  };

  void StartHost(size_t place);
  void Go(const std::shared_ptr<Client>& client);
  void ReadLists(const std::shared_ptr<Client>& client);
  void AppendOne(const std::shared_ptr<Client>& client);
  void Ended(const std::shared_ptr<Client>& client, size_t append, Result<runtime::StoreCommitted> result);
  void Note(const std::shared_ptr<Client>& client, const std::string& what);
  std::string Check() const;
  std::string CheckList(int list, const std::vector<std::string>& ids, const std::string& value) const;

  const AppendOptions options_;
  SimRandom random_;
  SimLoop loop_;
  SimMemory memory_;
  std::vector<std::unique_ptr<FaultyStore>> all_hosts_;  // those that crashed, too
  std::vector<FaultyStore*> hosts_;                      // the one that lives at each place
  std::vector<Append> appends_;
  std::vector<Read> reads_;
  FaultCounts faults_{};
  std::string trace_;
};

}  // namespace teal::sim

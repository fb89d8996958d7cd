// A workload for the floor store: hosts that crash carry one session and change several of its records at once. Each
// commit names the one that it goes out from. So from the head alone follows what every other record must be, and each
// reading is held against that.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/runtime/floor_store.h"
#include "tests/sim/faulty_store.h"

namespace teal::sim {

struct FloorWorldOptions {
  FaultyOptions faults;
  int hosts = 2;
  int commits = 30;          // that are to be acknowledged, before the end
  int threads = 8;           // records t/… that come and go
  double crash_rate = 0.01;  // of a host, at each thing that happens
};

class FloorWorld {
 public:
  FloorWorld(FloorWorldOptions options, uint64_t seed);
  ~FloorWorld();

  // What was violated, in words; empty: nothing. In the end the session is deleted, and nothing may be left.
  std::string Run();
  const FaultCounts& faults() const { return faults_; }
  uint64_t orphans() const { return orphans_; }
  uint64_t placeholders() const { return placeholders_; }

 private:
  struct Host;
  struct Commit {
    std::string from;                                           // the commit before; empty: none
    std::map<std::string, std::optional<std::string>> changes;  // sort keys: bytes, or deleted
  };
  using Records = std::map<std::string, std::string>;

  void Boot(size_t place);
  void Bury(size_t place);
  void Go(const std::shared_ptr<Host>& host);
  void Read(const std::shared_ptr<Host>& host, std::shared_ptr<std::vector<runtime::StoreItem>> items,
            std::string cursor);
  void Change(const std::shared_ptr<Host>& host);
  void Wrong(std::string what);
  Records RecordsOf(const std::string& commit) const;
  bool IsBefore(const std::string& commit, std::string later) const;
  void CheckRead(const std::shared_ptr<Host>& host, const std::vector<runtime::StoreItem>& items);

  FloorWorldOptions options_;
  SimRandom random_;
  SimLoop loop_;
  SimMemory memory_;
  std::vector<std::shared_ptr<Host>> hosts_;
  std::vector<std::shared_ptr<Host>> dead_;
  std::map<std::string, Commit> commits_;
  std::string newest_acknowledged_;
  int acknowledged_ = 0;
  uint64_t named_ = 0;
  std::string wrong_;
  FaultCounts faults_{};
  uint64_t orphans_ = 0;
  uint64_t placeholders_ = 0;
};

}  // namespace teal::sim

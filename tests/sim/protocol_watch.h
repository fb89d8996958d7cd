// Looks at every change of a session's record as it lands in the simulated memory, whoever sent it: holds it against
// the rules of the protocol that can be seen there, counts which changes and which due rows there were, and writes the
// trace. It reads records as they lie there with and without the floor store.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/runtime/record.h"
#include "tests/sim/sim_memory.h"

namespace teal::sim {

// How often the record of a session went from one status to another, by name ("running > waiting", "none > done"), and
// how often it was written in a status whose due time had come ("running, due").
using RowCounts = std::map<std::string, uint64_t>;

class ProtocolWatch {
 public:
  // Of all that lands; memory and watch have one life.
  void Changed(const SimMemory::Key& key, const SimMemory::Record* before, const SimMemory::Record* after,
               int64_t now_unix_ns);
  // Something else that happens, for the trace.
  void Note(int64_t now_unix_ns, const std::string& what);

  const RowCounts& rows() const { return rows_; }
  const std::vector<std::string>& wrongs() const { return wrongs_; }
  // One line for everything that happened; the same seed gives the same bytes.
  const std::string& trace() const { return trace_; }

 private:
  void Session(const std::string& sid, const SimMemory::Record* before, const SimMemory::Record* after,
               int64_t now_unix_ns);

  RowCounts rows_;
  std::vector<std::string> wrongs_;
  std::string trace_;
};

}  // namespace teal::sim

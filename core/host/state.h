// "teal.host.state/1": small durable state of plugins, with compare-and-put and due times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "teal/abi.h"

namespace teal::host {

inline constexpr size_t kStateValueBytesMax = 64 * 1024;
inline constexpr size_t kStateScopeBytesMax =
    256;  // scope, plugin's id and prefix fit the 512 bytes every memory takes
inline constexpr size_t kStateNameBytesMax = 512;
inline constexpr uint64_t kStateDueMax = 10'000;  // records one `due` gives at most

// The functions of teal_state, for the plugin named. Thread-safe; none blocks; the rules of teal_call hold.
class StateStore {
 public:
  virtual ~StateStore() = default;
  virtual teal_status Get(const std::string& plugin, const teal_call* call, teal_bytes scope, teal_bytes name) = 0;
  virtual teal_status Put(const std::string& plugin, const teal_call* call, teal_bytes scope, teal_bytes name,
                          teal_bytes value, const teal_version* expected, uint64_t due_unix_ns) = 0;
  virtual teal_status Remove(const std::string& plugin, const teal_call* call, teal_bytes scope, teal_bytes name,
                             const teal_version* expected) = 0;
  virtual teal_status Due(const std::string& plugin, const teal_call* call, teal_bytes scope, uint64_t until_unix_ns,
                          uint64_t limit) = 0;
};

// Kept while it lives, for tests and for sessions nothing is kept of. Every call is done before it returns.
std::shared_ptr<StateStore> MakeStateInMemory();

// Kept in a memory, one partition for each plugin and scope ("teal.state/" plugin "/" scope): as durable as that
// memory. Memory and instance outlive the store and every call; `next_op_id` gives ids of that instance. `due` reads
// the whole partition, since only a memory as a whole has an index of due times: a scope is meant to hold few records.
std::shared_ptr<StateStore> MakeStateOver(const teal_memory* memory, teal_instance* instance,
                                          std::function<uint64_t()> next_op_id);

// The table for Services.
const teal_state* StateTable();

}  // namespace teal::host

// Puts into the store what the commit log holds and RocksDB's files do not: at opening, and after RocksDB was opened
// again.
#pragma once

#include <optional>

#include "plugins/local/log.hpp"
#include "plugins/local/store.hpp"
#include "teal/plugin.hpp"

namespace teal::local {

// Opens the log and returns when all its entries are in the store, in order. `may_have_gaps` as for Log::Open. The
// thread of those who write; nobody else does meanwhile.
std::optional<plugin::Error> Replay(Log& log, Store& store, bool may_have_gaps);

}  // namespace teal::local

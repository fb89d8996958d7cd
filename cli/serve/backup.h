// Backups of a host: a folder with the memory's own backup (`store`), the named keys (keys.json) and, written last,
// backup.json, which says what made it and that it is whole.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "cli/globals.h"
#include "cli/host_flags.h"
#include "core/base/result.h"
#include "core/host/instance.h"

namespace teal::cli {

// data: the host's folder. folder: absolute; new or empty. Blocks; durable when it returns. kInvalid: it cannot be that
// folder, or the memory makes no backups.
Status WriteBackup(host::Instance& memory, const std::string& data, const std::string& folder);

// Makes backups for a host that serves, one at a time.
class Backups {
 public:
  // memory: outlives this.
  Backups(host::Instance* memory, std::string data) : memory_(*memory), data_(std::move(data)) {}
  ~Backups();  // waits for the one that is being made
  // done comes on a thread of its own; or at once, if one is being made.
  void Make(std::string folder, std::function<void(const Status&)> done);

 private:
  host::Instance& memory_;
  const std::string data_;
  std::mutex mutex_;
  bool busy_ = false;   // guarded by mutex_
  std::thread thread_;  // guarded by mutex_
};

// teal backup DIR: by the host that runs, else of the folder of its data.
int Backup(const Globals& globals, const HostFlags& flags);
// teal restore DIR: makes the folder of a host's data from a backup.
int Restore(const Globals& globals, const HostFlags& flags);

}  // namespace teal::cli

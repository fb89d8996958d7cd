// Copies of a memory's store: "teal.backup/1".
#pragma once

#include <string>

#include "core/base/result.h"
#include "core/host/instance.h"
#include "core/host/plugin.h"

namespace teal::host {

// Copies everything acknowledged before the call, as of one moment, into the folder `target`: absolute, new or empty.
// The memory goes on meanwhile. Durable when it returns; blocks as long as copying takes. kInvalid: this memory makes
// no backups, or its own reason, as for kUnavailable.
Status BackUpStore(Instance& instance, const std::string& target);

// Makes the store that config_json describes from a backup in the folder `source`. kInvalid: a store is there already,
// which stays as it is, or this memory makes no backups; kCorrupt: the backup is damaged.
Status RestoreStore(const Plugin& plugin, const std::string& config_json, const std::string& source);

}  // namespace teal::host

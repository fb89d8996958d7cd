// A backup: a copy of a moment of the store, with a list of its files and their checksums
// (docs/formats/local-store.md). Blocking; one at a time. Errors are in words.
#pragma once

#include <teal/abi.h>

#include <optional>
#include <string>

#include "plugins/local/config.hpp"
#include "teal/plugin.hpp"

namespace teal::local {

// Copies what was acknowledged before the call, records and blobs, to the folder `target`, which is made; it is a
// backup once its file BACKUP is there, which is last. The store goes on meanwhile.
std::optional<plugin::Error> MakeBackup(teal_instance* instance, std::string target);

// Makes the store that `config` describes, which must not be there yet, of a backup. Each file is checked as it is
// copied.
std::optional<plugin::Error> RestoreBackup(const Config& config, std::string source);

extern const teal_backup kBackupTable;

}  // namespace teal::local

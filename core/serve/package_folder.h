// Packages as worker processes see them: DATA/packages/<sha256>/, unpacked, its files read-only. What is there is only
// a copy of what the store has: it is compared with that before its first use in a process, and made anew where it
// differs.
#pragma once

#include <set>
#include <string>

#include "core/base/result.h"
#include "core/base/sha256.h"
#include "core/runtime/package.h"

namespace teal::serve {

// For one thread at a time.
class PackageFolder {
 public:
  // data: the host's folder. Removes what a life before left half unpacked.
  explicit PackageFolder(const std::string& data);

  // The folder of the package's files. package: what `hash` is the SHA-256 of. kUnavailable: it cannot be written.
  Result<std::string> Provide(const Sha256& hash, const runtime::Package& package);
  // Nothing uses it any more.
  void Forget(const Sha256& hash);

 private:
  const std::string folder_;
  std::set<Sha256> compared_;
};

// With all that is in it; links are not followed. Harmless if it is not there.
void RemoveTree(const std::string& path);

}  // namespace teal::serve

// Which libraries the user trusts: their SHA-256 in ~/.config/teal/trusted.json (or
// $XDG_CONFIG_HOME/teal/trusted.json). Plugins from a project, from TEAL_PLUGIN_PATH or from --plugin run only if they
// are in it; a manifest in a cloned repository comes from the same stranger as the library beside it, so the hash in it
// proves nothing.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace teal::host {

inline constexpr size_t kTrustBytesMax = 1024 * 1024;
inline constexpr size_t kTrustedMax = 1000;

struct Trusted {
  std::string sha256;
  std::string id;    // of the plugin, for people; only the hash counts
  std::string path;  // where it was when it was trusted, for people
};

// Owned by one thread at a time; Change excludes other processes.
class TrustStore {
 public:
  // The path of this user's store; kNotFound if there is no home folder.
  static Result<std::string> DefaultPath();
  // No file: nothing is trusted. A file that others can write, or that is damaged, is a Failure.
  static Result<TrustStore> Read(const std::string& path);

  // Reads the file again under a lock, adds or drops, and writes it. Gives what it holds then.
  static Result<TrustStore> Add(const std::string& path, const Trusted& trusted);
  // Drops every entry of this hash or id.
  static Result<TrustStore> Remove(const std::string& path, const std::string& sha256_or_id);

  bool Contains(const std::string& sha256) const;
  const std::vector<Trusted>& entries() const { return entries_; }
  const std::string& path() const { return path_; }

 private:
  template <typename Change>
  static Result<TrustStore> Update(const std::string& path, const Change& change);

  std::string path_;
  std::vector<Trusted> entries_;
};

}  // namespace teal::host

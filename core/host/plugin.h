// A plugin's library: found to be what its manifest says, trusted, and loaded. Loading is the first moment at which
// foreign code runs.
//
// The descriptor that was checked is the one that is loaded: the folder is opened, the library is opened in it, both
// are looked at through their descriptors (docs/plugins.md says what is refused), the SHA-256 is taken by reading the
// descriptor, and the loader gets the name /proc/<pid>/fd/<n> of that very descriptor. It stays open for ever, because
// the dynamic loader takes two libraries of one name for one, and a number given back would come again. A library is
// never unloaded. For the same reason $ORIGIN in a plugin's run path does not work: nobody would have hashed what lies
// there.
#pragma once

#include <string>

#include "core/base/result.h"
#include "core/host/manifest.h"
#include "teal/abi.h"

namespace teal::host {

class TrustStore;

inline constexpr uint64_t kLibraryBytesMax = uint64_t{1} << 30;

struct LoadOptions {
  // The library's hash must stand in this store; NULL: it comes from a place that needs no trust.
  const TrustStore* trust = nullptr;
  // How long the library's own initialisers and its entry function may take.
  uint64_t load_ns_max = 30'000'000'000;
};

// Lives as long as the process. Thread-safe.
class Plugin {
 public:
  const Manifest& manifest() const { return manifest_; }
  const std::string& id() const { return manifest_.id; }
  // What teal_plugin_v1 gave, as the plugin laid it out: of its own struct_size.
  const teal_plugin* raw() const { return raw_; }
  // A copy in this host's layout; what the plugin's struct_size does not cover is zero.
  const teal_plugin& table() const { return table_; }
  bool blocking() const { return (table_.flags & TEAL_PLUGIN_BLOCKING) != 0; }
  // As the plugin laid it out, or NULL; only ids of its manifest are asked for.
  const void* Interface(const std::string& id) const;
  bool Offers(const std::string& id) const;

 private:
  friend Result<const Plugin*> LoadPlugin(const Manifest& manifest, const LoadOptions& options);
  Plugin(Manifest manifest, const teal_plugin* raw);

  const Manifest manifest_;
  const teal_plugin* const raw_;
  teal_plugin table_{};
};

// A library that is loaded already is given again. Every Failure begins with `plugin "ID"` and says why it was refused:
//   kNotFound     there is no library
//   kInvalid      not trusted, another hash, open to others, no plugin, another architecture, an unresolved symbol, an
//   ABI
//                 that does not fit, a manifest that says something else than the library
//   kUnavailable  it did not come back from its initialisers in time
// A crash in them ends the process, after a line on standard error that names the plugin (core/host/crash_guard.h).
Result<const Plugin*> LoadPlugin(const Manifest& manifest, const LoadOptions& options);

}  // namespace teal::host

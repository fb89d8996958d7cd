// Where plugins are looked for: --plugin, TEAL_PLUGIN_PATH, the project's .teal/plugins, ~/.local/share/teal/plugins,
// the install directory. The first that has the id is the one. Only manifests are read; no foreign code runs.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/host/manifest.h"
#include "core/host/plugin.h"

namespace teal::host {

class TrustStore;

inline constexpr size_t kManifestsOfFolderMax = 256;

enum class Origin { kFlag, kEnvironment, kProject, kUser, kInstall };
// "--plugin", "TEAL_PLUGIN_PATH", "project", "user", "install".
const char* OriginName(Origin origin);
// Whether the library's hash must stand in the user's trust store.
inline bool NeedsTrust(Origin origin) {
  return origin == Origin::kFlag || origin == Origin::kEnvironment || origin == Origin::kProject;
}

struct SearchPlace {
  std::string path;  // absolute: a folder, or with kFlag a manifest or a library
  Origin origin = Origin::kInstall;
};

struct SearchOptions {
  std::vector<std::string> flags;  // of --plugin
  std::string project_folder;      // empty: no project
};

// Reads the environment. In the order of the search; places that do not exist are in it as well.
std::vector<SearchPlace> SearchPath(const SearchOptions& options);

struct FoundPlugin {
  std::string path;  // of the manifest
  Origin origin = Origin::kInstall;
  bool shadowed = false;  // an earlier one has its id
  Result<Manifest> manifest;
};

// Every manifest in the places, in their order and within a folder by name; broken ones with what is wrong.
std::vector<FoundPlugin> FindPlugins(const std::vector<SearchPlace>& places);
// The manifest of one path: of the manifest itself, of its library, or of a folder that has just one.
FoundPlugin FindAt(const std::string& path);
// The one that `id` means. kNotFound tells where was looked; of a broken manifest named `id` its own Failure.
Result<FoundPlugin> FindPlugin(const std::string& id, const std::vector<SearchPlace>& places);
// LoadPlugin, with trust as the origin demands.
Result<const Plugin*> LoadFound(const FoundPlugin& found, const TrustStore& trust);

}  // namespace teal::host

#include "cli/serve/plugin_of.h"

#include <utility>

#include "core/host/search.h"
#include "core/host/trust.h"

namespace teal::cli {

Result<const host::Plugin*> PluginOf(const Globals& globals, const std::string& project, const std::string& id) {
  host::SearchOptions search;
  search.flags = globals.plugins;
  search.project_folder = project;
  const Result<host::FoundPlugin> found = host::FindPlugin(id, host::SearchPath(search));
  if (!found) return found.failure();
  host::TrustStore trust;
  if (const Result<std::string> path = host::TrustStore::DefaultPath();
      path && host::NeedsTrust(found.value().origin)) {
    Result<host::TrustStore> read = host::TrustStore::Read(path.value());
    if (!read) return read.failure();
    trust = std::move(*read);
  }
  return host::LoadFound(found.value(), trust);
}

}  // namespace teal::cli

// The plugin of a name, found where plugins are looked for and trusted, loaded.
#pragma once

#include <string>

#include "cli/globals.h"
#include "core/base/result.h"
#include "core/host/plugin.h"

namespace teal::cli {

// project: the folder whose own plugins count. A Failure says where was looked, or why it was refused.
Result<const host::Plugin*> PluginOf(const Globals& globals, const std::string& project, const std::string& id);

}  // namespace teal::cli

// The text of the Python worker, joined from its parts in workers/python/teal_worker.parts, which the build makes part
// of the library (cmake/TealEmbed.cmake), so that an installed `teal` needs no file beside it.
#pragma once

#include <string_view>

namespace teal::runtime {

extern const std::string_view kWorkerScript;

}  // namespace teal::runtime

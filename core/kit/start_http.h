// The http service of the host, started before a test looks at what the process has.
#pragma once

namespace teal::kit {

// Makes the service start whatever it keeps for itself (its thread, libcurl's own sockets), so that none of it is taken
// for the plugin's. Nothing where there is no http service.
void StartHttp();

}  // namespace teal::kit

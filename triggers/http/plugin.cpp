// The plugin `http`: requests that come to the host's own listener start sessions. docs/triggers.md tells users.
#include "instance.hpp"

using HttpInstance = teal::http::Instance;
TEAL_TRIGGER_PLUGIN(HttpInstance, "http", TEAL_PLUGIN_VERSION);

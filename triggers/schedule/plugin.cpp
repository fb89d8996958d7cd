// The plugin `schedule`: sessions at the times a schedule says.
#include "triggers/schedule/instance.h"

TEAL_TRIGGER_PLUGIN(teal::schedule::Instance, "schedule", TEAL_PLUGIN_VERSION);

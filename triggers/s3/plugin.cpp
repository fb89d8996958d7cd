#include "triggers/s3/instance.hpp"

TEAL_TRIGGER_PLUGIN(teal::s3::Instance, "s3", TEAL_PLUGIN_VERSION);

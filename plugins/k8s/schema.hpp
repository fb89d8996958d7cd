// Makes the schema or brings it up to date, under a lock that instances opened at the same time wait for.
#pragma once

#include "plugins/k8s/session.hpp"

namespace teal::k8s {

// Blocking. Does nothing where the schema is as this plugin needs it, so then it needs no right to create. Refuses a
// newer one by its number. False = `error` says why.
bool BringUpToDate(Session& session, const Config& config, const Stop& stop, plugin::Error& error);

}  // namespace teal::k8s

// What PostgreSQL says, as errors of the border: which code, and in words what the user can change.
#pragma once

#include <libpq-fe.h>
#include <teal/plugin.hpp>

#include <string>

#include "plugins/k8s/config.hpp"

namespace teal::k8s {

// Why a statement failed, and what follows from it.
struct Failure {
  enum class Kind {
    kAgain,       // rolled back for the sake of another transaction: the same statement may be sent again
    kFinal,       // rolled back
    kConnection,  // the connection is of no more use; whether the statement was applied is not known
  };
  Kind kind = Kind::kFinal;
  plugin::Error error;
};

// Of a result whose status is PGRES_FATAL_ERROR. The texts of the server name no values.
Failure FailureOf(const PGresult* result, const Config& config);

// Of a connection that could not be made, or was lost.
plugin::Error ConnectError(PGconn* connection, const Config& config, const std::string& url);

}  // namespace teal::k8s

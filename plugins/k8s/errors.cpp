#include "plugins/k8s/errors.hpp"

#include <algorithm>
#include <cstdlib>

namespace teal::k8s {
namespace {

constexpr uint64_t kRetryAfterNs = 200'000'000;

std::string Field(const PGresult* result, int field) {
  const char* text = PQresultErrorField(result, field);
  return text == nullptr ? "" : text;
}

// The five characters as a number in base 36, so that a vendor code tells which it was.
int64_t Number(const std::string& state) {
  return state.empty() ? 0 : static_cast<int64_t>(std::strtoll(state.c_str(), nullptr, 36));
}

// The last line that says what happened: with several addresses libpq gives one for each, and hints on lines that begin
// with a tab.
std::string LastLine(std::string_view text) {
  std::string last;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (!line.empty() && line[0] != '\t') last = line;
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return last;
}

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

Failure FailureOf(const PGresult* result, const Config& config) {
  const std::string state = Field(result, PG_DIAG_SQLSTATE);
  const std::string severity = Field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  const std::string said = WithoutPassword(Field(result, PG_DIAG_MESSAGE_PRIMARY), config, config.url);
  const std::string kind = state.substr(0, 2);
  Failure failure;
  failure.error = {TEAL_INTERNAL, "PostgreSQL said " + state + ": " + said, TEAL_NOT_APPLIED, 0, Number(state)};
  plugin::Error& error = failure.error;
  // 25006: a server that became a replica. The next connection finds the one that writes, or says that there is none.
  if (state.empty() || severity == "FATAL" || severity == "PANIC" || kind == "08" || state == "25006" ||
      state.starts_with("57P")) {
    failure.kind = Failure::Kind::kConnection;
    error.code = TEAL_UNAVAILABLE;
    error.retry_after_ns = kRetryAfterNs;
    error.message = "the connection to PostgreSQL was lost: " + (said.empty() ? "no reason given" : said);
  } else if (state == "40001" || state == "40P01") {
    failure.kind = Failure::Kind::kAgain;
    error.code = TEAL_UNAVAILABLE;
    error.retry_after_ns = kRetryAfterNs;
  } else if (state == "57014" || state == "55P03") {
    error.code = TEAL_TIMEOUT;
    error.message = "PostgreSQL took longer than statement_timeout_ms (" + std::to_string(config.statement_timeout_ms) +
                    "): another session may hold a lock on a record, or the disk is slow";
  } else if (state == "42501") {
    error.code = TEAL_DENIED;
    error.message =
        "PostgreSQL refused: " + said + "; grant the user of url what it needs in the schema " + config.schema;
  } else if (state == "3F000" || state == "42P01" || state == "42883") {
    error.code = TEAL_UNAVAILABLE;
    error.message = "the schema " + config.schema + " was dropped or changed while in use (" + said +
                    "); restore it, or open the memory anew";
  } else if (kind == "53") {
    error.code = TEAL_UNAVAILABLE;
    error.retry_after_ns = 1'000'000'000;
    error.message = "PostgreSQL is out of room: " + said + "; give it disk, memory or connections";
  } else if (kind == "XX" && state != "XX000") {
    error.code = TEAL_CORRUPT;
    error.message = "PostgreSQL found damaged data: " + said;
  }
  return failure;
}

plugin::Error ConnectError(PGconn* connection, const Config& config, const std::string& url) {
  const std::string said = WithoutPassword(LastLine(PQerrorMessage(connection)), config, url);
  const char* raw_user = PQuser(connection);
  const char* raw_database = PQdb(connection);
  const std::string user = raw_user == nullptr ? "" : raw_user;
  const std::string database = raw_database == nullptr ? "" : raw_database;
  plugin::Error error{TEAL_UNAVAILABLE, "", TEAL_NOT_APPLIED, kRetryAfterNs, 0};
  if (PQconnectionNeedsPassword(connection) != 0 || Has(said, "no password supplied")) {
    error.code = TEAL_DENIED;
    error.message = "PostgreSQL asks for a password of user " + user + ": set password_secret, PGPASSWORD or ~/.pgpass";
  } else if (Has(said, "authentication failed") || Has(said, "SASL")) {
    error.code = TEAL_DENIED;
    error.message =
        "PostgreSQL refused user " + user + " or its password; check url and password_secret (" + said + ")";
  } else if (Has(said, "role \"") && Has(said, "does not exist")) {
    error.code = TEAL_DENIED;
    error.message = "PostgreSQL has no user " + user + "; create it or change url";
  } else if ((Has(said, "database \"") && Has(said, "does not exist")) || Has(said, "no such database")) {
    error.code = TEAL_NOT_FOUND;
    error.message =
        "the server has no database " + database + "; create it (CREATE DATABASE " + database + ") or change url";
  } else if (Has(said, "pg_hba.conf") || Has(said, "permission denied for database")) {
    error.code = TEAL_DENIED;
    error.message = "PostgreSQL does not let user " + user + " into database " + database + " from here: " + said;
  } else if (Has(said, "too many") || Has(said, "remaining connection slots") || Has(said, "no more connections")) {
    error.message =
        "PostgreSQL has no connection left: raise max_connections, lower pool_size or use a pooler (" + said + ")";
    error.retry_after_ns = 1'000'000'000;
  } else {
    error.message = "no connection to PostgreSQL: " + (said.empty() ? "the server closed it" : said);
  }
  return error;
}

}  // namespace teal::k8s

#include "plugins/k8s/schema.hpp"

#include "plugins/k8s/migrations.hpp"

namespace teal::k8s {
namespace {

std::string InSchema(std::string_view sql, const std::string& schema) {
  std::string out;
  out.reserve(sql.size() + 1024);
  for (std::size_t at = 0;;) {
    const std::size_t next = sql.find("{S}", at);
    out.append(sql.substr(at, next - at));
    if (next == std::string_view::npos) return out;
    out.append("\"").append(schema).append("\"");
    at = next + 3;
  }
}

bool Newer(const Session& session, const Config& config, plugin::Error& error) {
  const int version = session.facts().schema_version;
  if (version <= kSchemaVersion) return false;
  error = {TEAL_UNSUPPORTED,
           "the schema " + config.schema + " has version " + std::to_string(version) + ", this plugin knows up to " +
               std::to_string(kSchemaVersion) + ": use a newer plugin, or another schema",
           TEAL_NOT_APPLIED, 0, 0};
  return true;
}

// Within the transaction that holds the lock.
bool Migrate(Session& session, const Config& config, const Stop& stop, plugin::Error& error) {
  if (!session.ReadFacts(stop, error)) return false;
  if (Newer(session, config, error)) return false;
  if (session.facts().schema_version == 0) {
    const std::string make = "DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = '" + config.schema +
                             "') THEN CREATE SCHEMA \"" + config.schema + "\"; END IF; END $do$";
    if (!session.Run(make.c_str(), stop, error)) return false;
  }
  for (int version = session.facts().schema_version; version < kSchemaVersion; ++version) {
    if (!session.Run(InSchema(kMigrations[version], config.schema).c_str(), stop, error)) return false;
  }
  return true;
}

}  // namespace

bool BringUpToDate(Session& session, const Config& config, const Stop& stop, plugin::Error& error) {
  if (Newer(session, config, error)) return false;
  if (session.facts().schema_version == kSchemaVersion) return true;
  const int before = session.facts().schema_version;
  const std::string lock =
      "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(hashtext('teal schema'), hashtext('" +
      config.schema + "'))";
  plugin::Error ignored;
  if (!session.Run(lock.c_str(), stop, error)) return false;
  if (Migrate(session, config, stop, error) && session.Run("COMMIT", stop, error))
    return session.ReadFacts(stop, error);
  session.Run("ROLLBACK", stop, ignored);
  if (error.code == TEAL_DENIED) {
    const char* raw = PQuser(session.connection());
    const std::string user = raw == nullptr ? "" : raw;
    error.message = before == 0 ? "user " + user + " may not make the schema " + config.schema +
                                      "; as an administrator: CREATE SCHEMA " + config.schema + " AUTHORIZATION " + user
                                : "user " + user + " may not bring the schema " + config.schema + " from version " +
                                      std::to_string(before) + " to " + std::to_string(kSchemaVersion) +
                                      "; open it once as its owner";
  }
  return false;
}

}  // namespace teal::k8s

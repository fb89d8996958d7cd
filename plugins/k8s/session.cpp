#include "plugins/k8s/session.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "plugins/k8s/errors.hpp"
#include "plugins/k8s/migrations.hpp"

namespace teal::k8s {
namespace {

constexpr int kServerOldest = 130000;  // 13: the oldest with a maintained release when this was written

struct Text {
  const char* name;
  const char* sql;  // after the schema and its dot
};
constexpr std::array<Text, kStatementCount> kStatements = {{
    {"teal_commit", "commit($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)"},
    {"teal_get", "get($1,$2)"},
    {"teal_scan", "scan($1,$2,$3,$4,$5)"},
    {"teal_scan_due", "scan_due($1,$2,$3,$4,$5,$6)"},
    {"teal_tell", "tell($1,$2)"},
    {"teal_drop_expired", "drop_expired($1,$2)"},
    {"teal_blob_begin", "blob_begin($1)"},
    {"teal_blob_write", "blob_write($1,$2,$3,$4)"},
    {"teal_blob_finish", "blob_finish($1,$2,$3,$4,$5,$6)"},
    {"teal_blob_drop_upload", "blob_drop_upload($1)"},
    {"teal_blob_read", "blob_read($1,$2,$3)"},
    {"teal_blob_delete", "blob_delete($1)"},
    {"teal_drop_uploads", "drop_uploads($1)"},
}};
static_assert(static_cast<int>(Statement::kDropUploads) + 1 == kStatementCount);

std::string Sql(const Config& config, Statement statement) {
  return "SELECT * FROM \"" + config.schema + "\"." + kStatements[static_cast<std::size_t>(statement)].sql;
}

plugin::Error Late(const Config& config, const char* doing) {
  return {TEAL_UNAVAILABLE,
          "PostgreSQL did not answer within connect_timeout_ms (" + std::to_string(config.connect_timeout_ms) +
              ") while " + doing + "; check host and port of url, and the network between",
          TEAL_NOT_APPLIED, 200'000'000, 0};
}

plugin::Error Stopped() {
  return {TEAL_CLOSED, "the memory was closed", TEAL_NOT_APPLIED, 0, 0};
}

void QuietNotices(void*, const PGresult*) {}

}  // namespace

Stop::Stop() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}
Stop::~Stop() {
  ::close(fd_);
}
void Stop::Set() {
  ::eventfd_write(fd_, 1);
}

void Stop::Clear() {
  eventfd_t value = 0;
  ::eventfd_read(fd_, &value);
}

Waited WaitFor(int fd, short events, const Stop& stop, Clock::time_point until) {
  for (;;) {
    pollfd fds[2] = {{stop.fd(), POLLIN, 0}, {fd, events, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    const int ready = ::poll(fds, 2, left < 0 ? 0 : static_cast<int>(left));
    if (ready < 0 && errno != EINTR) return Waited::kTimeout;
    if (fds[0].revents != 0) return Waited::kStopped;
    if (ready > 0 && fds[1].revents != 0) return Waited::kReady;
    if (left <= 0) return Waited::kTimeout;
  }
}

std::optional<Session> Session::Connect(const Config& config, const std::string& url, const Stop& stop,
                                        plugin::Error& error) {
  // dbname, expanded, is the url; what stands after it wins over the url, what stands before is the default.
  std::array<const char*, 7> names = {"fallback_application_name",
                                      "tcp_user_timeout",
                                      "keepalives_idle",
                                      "dbname",
                                      config.password.empty() ? nullptr : "password",
                                      nullptr,
                                      nullptr};
  const std::string patience = std::to_string(config.statement_timeout_ms + 5000);
  std::array<const char*, 7> values = {"teal",  patience.c_str(), "30", url.c_str(), config.password.c_str(),
                                       nullptr, nullptr};
  const auto until = Clock::now() + std::chrono::milliseconds(config.connect_timeout_ms);
  Connection made(PQconnectStartParams(names.data(), values.data(), 1));
  if (!made) {
    error = {TEAL_NO_MEMORY, "out of memory while connecting to PostgreSQL", TEAL_NOT_APPLIED, 0, 0};
    return std::nullopt;
  }
  PQsetNoticeReceiver(made.get(), QuietNotices, nullptr);
  for (PostgresPollingStatusType state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK;
       state = PQconnectPoll(made.get())) {
    if (PQstatus(made.get()) == CONNECTION_BAD || state == PGRES_POLLING_FAILED) {
      error = ConnectError(made.get(), config, url);
      return std::nullopt;
    }
    const short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    const Waited waited = WaitFor(PQsocket(made.get()), events, stop, until);
    if (waited == Waited::kReady) continue;
    error = waited == Waited::kStopped ? Stopped() : Late(config, "connecting");
    return std::nullopt;
  }
  Session session(config, url, std::move(made));
  const int server = PQserverVersion(session.connection());
  if (server < kServerOldest) {
    error = {TEAL_UNSUPPORTED,
             "the server is PostgreSQL " + std::to_string(server / 10000) +
                 "; this plugin needs 13 or newer: upgrade the server or change url",
             TEAL_NOT_APPLIED, 0, 0};
    return std::nullopt;
  }
  if (!session.ReadFacts(stop, error)) return std::nullopt;
  return session;
}

Result Session::Run(const char* sql, const Stop& stop, plugin::Error& error, const Params* params) {
  PGconn* const connection = connection_.get();
  const auto until =
      Clock::now() + std::chrono::milliseconds(config_->connect_timeout_ms + config_->statement_timeout_ms);
  const int sent = params == nullptr ? PQsendQuery(connection, sql)
                                     : PQsendQueryParams(connection, sql, params->count(), nullptr, params->values(),
                                                         params->lengths(), params->formats(), 1);
  if (sent == 0) {
    error = ConnectError(connection, *config_, *url_);
    return nullptr;
  }
  Result last;
  for (;;) {
    while (PQisBusy(connection) != 0) {
      const Waited waited = WaitFor(PQsocket(connection), POLLIN, stop, until);
      if (waited != Waited::kReady) {
        error = waited == Waited::kStopped ? Stopped() : Late(*config_, "looking at the server");
        return nullptr;
      }
      if (PQconsumeInput(connection) == 0) {
        error = ConnectError(connection, *config_, *url_);
        return nullptr;
      }
    }
    Result next(PQgetResult(connection));
    if (!next) break;
    const bool failed_before = last && PQresultStatus(last.get()) == PGRES_FATAL_ERROR;
    if (!failed_before) last = std::move(next);
  }
  if (!last || PQresultStatus(last.get()) == PGRES_FATAL_ERROR) {
    error = last ? FailureOf(last.get(), *config_).error : ConnectError(connection, *config_, *url_);
    return nullptr;
  }
  return last;
}

bool Session::ReadFacts(const Stop& stop, plugin::Error& error) {
  const std::string schema = "\"" + config_->schema + "\"";
  const std::string sql =
      "SELECT pg_backend_pid()::text, pg_is_in_recovery()::text, current_setting('transaction_read_only'), "
      "current_setting('synchronous_commit'), current_setting('fsync'), "
      // The tables themselves: names looked up by functions may come from a cache that is behind.
      "EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '" +
      config_->schema + "' AND c.relname = 'meta')::text";
  const Result row = Run(sql.c_str(), stop, error);
  if (!row) return false;
  const auto text = [&](int column) { return std::string(DataAt(row.get(), 0, column)); };
  if (text(1) == "true" || text(2) == "on") {
    error = {TEAL_UNAVAILABLE,
             text(1) == "true"
                 ? "the server is a read-only replica: let url lead to the primary, or name all servers in it "
                   "and add target_session_attrs=read-write"
                 : "transactions are read-only here: unset default_transaction_read_only of the user or "
                   "database that url names",
             TEAL_NOT_APPLIED, 500'000'000, 0};
    return false;
  }
  facts_.pooled = text(0) != std::to_string(PQbackendPID(connection_.get()));
  facts_.synchronous = text(3) != "off" && text(4) == "on";
  facts_.schema_version = 0;
  facts_.store.clear();
  if (text(5) != "true") return true;
  const Result meta = Run(("SELECT name, value FROM " + schema + ".meta").c_str(), stop, error);
  if (!meta) return false;
  for (int i = 0; i < PQntuples(meta.get()); ++i) {
    const std::string_view name = DataAt(meta.get(), i, 0);
    const std::string value(DataAt(meta.get(), i, 1));
    if (name == "schema_version") facts_.schema_version = std::atoi(value.c_str());
    if (name == "store") facts_.store = value;
  }
  return true;
}

bool Session::EnterPipeline(const Stop& stop, plugin::Error& error) {
  if (!facts_.pooled) {
    // Session state is ours to set here. The server ends a statement before we would give its connection up.
    const std::string limit = "SET statement_timeout = " + std::to_string(config_->statement_timeout_ms);
    if (!Run(limit.c_str(), stop, error)) return false;
    for (int i = 0; i < kStatementCount; ++i) {
      const std::string sql = "PREPARE " + std::string(kStatements[static_cast<std::size_t>(i)].name) + " AS " +
                              Sql(*config_, Statement{i});
      if (!Run(sql.c_str(), stop, error)) return false;
    }
  }
  if (PQsetnonblocking(connection_.get(), 1) != 0 || PQenterPipelineMode(connection_.get()) != 1) {
    error = ConnectError(connection_.get(), *config_, *url_);
    return false;
  }
  return true;
}

bool Session::Send(Statement statement, const Params& params) {
  PGconn* const connection = connection_.get();
  int sent = 0;
  if (facts_.pooled) {
    sent = PQsendQueryParams(connection, Sql(*config_, statement).c_str(), params.count(), nullptr, params.values(),
                             params.lengths(), params.formats(), 1);
  } else {
    sent = PQsendQueryPrepared(connection, kStatements[static_cast<std::size_t>(statement)].name, params.count(),
                               params.values(), params.lengths(), params.formats(), 1);
  }
  return sent == 1 && PQpipelineSync(connection) == 1;
}

}  // namespace teal::k8s

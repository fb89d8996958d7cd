// A connection ready for use: made within the timeout, looked at, its statements known. Used by one thread at a time.
#pragma once

#include <libpq-fe.h>
#include <teal/plugin.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "plugins/k8s/config.hpp"
#include "plugins/k8s/wire.hpp"

namespace teal::k8s {

enum class Statement : int {
  kCommit,
  kGet,
  kScan,
  kScanDue,
  kTell,
  kDropExpired,
  kBlobBegin,
  kBlobWrite,
  kBlobFinish,
  kBlobDropUpload,
  kBlobRead,
  kBlobDelete,
  kDropUploads,
};
inline constexpr int kStatementCount = 13;

// Ends waits from another thread. Thread-safe.
class Stop {
 public:
  Stop();
  ~Stop();
  Stop(const Stop&) = delete;
  Stop& operator=(const Stop&) = delete;
  void Set();
  void Clear();
  int fd() const { return fd_; }  // readable once set

 private:
  int fd_;
};

using Clock = std::chrono::steady_clock;

enum class Waited { kReady, kTimeout, kStopped };
// Waits until `fd` has one of `events` (of poll). A negative fd is waited for in vain.
Waited WaitFor(int fd, short events, const Stop& stop, Clock::time_point until);

struct ConnectionDeleter {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
using Connection = std::unique_ptr<PGconn, ConnectionDeleter>;

class Session {
 public:
  // What the server says of itself.
  struct Facts {
    bool pooled = false;       // something between gives each transaction another server connection
    bool synchronous = false;  // what is acknowledged is on the server's disk
    int schema_version = 0;    // 0 = none
    std::string store;         // its random name; empty = none
  };

  // Makes a connection, refusing a server that is too old or does not write. Blocks at most connect_timeout_ms, name
  // resolution apart. Empty = `error` says why.
  static std::optional<Session> Connect(const Config& config, const std::string& url, const Stop& stop,
                                        plugin::Error& error);

  PGconn* connection() const { return connection_.get(); }
  const Facts& facts() const { return facts_; }

  // One statement or several, and the last result; blocking. NULL = `error` says why.
  Result Run(const char* sql, const Stop& stop, plugin::Error& error, const Params* params = nullptr);

  // Looks at the schema again, after it was made.
  bool ReadFacts(const Stop& stop, plugin::Error& error);
  // Names the statements (not behind a pooler, which would forget them), and enters libpq's pipeline mode.
  bool EnterPipeline(const Stop& stop, plugin::Error& error);
  // In pipeline mode: puts one statement, a transaction of its own, into the pipeline. False = the connection is lost.
  bool Send(Statement statement, const Params& params);

 private:
  Session(const Config& config, const std::string& url, Connection connection)
      : config_(&config), url_(&url), connection_(std::move(connection)) {}

  const Config* config_;  // outlives the session, as the url does
  const std::string* url_;
  Connection connection_;
  Facts facts_;
};

}  // namespace teal::k8s

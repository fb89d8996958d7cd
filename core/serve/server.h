// The control API's server: HTTP/1.1 over TCP, with TLS or without.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/host/http_server.h"
#include "core/runtime/service.h"
#include "core/serve/api.h"
#include "core/serve/keys.h"
#include "core/serve/limits.h"
#include "core/trigger/service.h"

namespace teal::serve {

struct ServerOptions {
  std::string address = "127.0.0.1";  // an IP address, or localhost
  uint16_t port = 8787;               // 0: the system picks one
  std::string tls_certificate_file;   // PEM, with what leads up to the root; empty: no TLS
  std::string tls_key_file;           // PEM
  std::vector<std::string> allowed_hosts;
  unsigned threads = 2;
  ServeLimits limits;
  Api::BackUp back_up;                          // empty: this host makes no backups
  std::shared_ptr<host::HttpServer> requests;   // where what is not under /teal/ goes; null: there is nothing there
  trigger::TriggerService* triggers = nullptr;  // outlives the server; null: the host has none
};

class Server {
 public:
  // Listens and answers from now on. service, keys: outlive the server, and the service ends every call it was given
  // before it is destroyed. Failures: kInvalid for the address or the TLS files, kUnavailable when it cannot listen
  // there.
  static Result<std::unique_ptr<Server>> Start(ServerOptions options, runtime::SessionService* service, KeyRing* keys);
  // Ends every connection at once. Nothing calls the service after it.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const;
  std::string Url() const;  // http://127.0.0.1:8787

  // Takes no new connections and requests; those that wait are answered with what there is. Returns when all have
  // ended, or after limits.drain_ns_max. For one thread.
  void Drain();

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace teal::serve

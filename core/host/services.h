// What a host serves to its plugins: teal_host.log, .now_unix_ns and the tables of teal_host.service. One Services for
// all instances of a process; each instance has a HostContext of its own, which says who is asking.
//
// Whoever makes a teal_host by hand (a conformance kit) puts a HostContext into its `ctx`, and then the tables of Find
// work with it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/host/http_library.h"
#include "core/host/http_server.h"
#include "core/host/log.h"
#include "core/host/metrics.h"
#include "core/host/secrets.h"
#include "core/host/state.h"
#include "teal/abi.h"

namespace teal::host {

class Services;

// Who asks. Lives as long as the teal_host that has it.
struct HostContext {
  std::string plugin_id;
  std::set<std::string> secrets;          // the names its section may ask for
  std::function<uint64_t()> now_unix_ns;  // of the host's clock
  Services* services = nullptr;           // NULL: nothing but the log
  Log* log = nullptr;                     // never NULL
};

// A teal_host in this host's layout around `context`, which outlives it. `service`, `log` and `now_unix_ns` are those
// below.
teal_host MakeHost(HostContext* context);
// The context of a teal_host made by MakeHost, or by hand.
HostContext& ContextOf(const teal_host* host);
uint64_t SystemNowUnixNs();

struct ServicesOptions {
  std::shared_ptr<StateStore> state;        // "teal.host.state/1"; NULL: not served
  std::shared_ptr<SecretSource> secrets;    // "teal.host.secrets/1"; NULL: not served
  std::shared_ptr<Metrics> metrics;         // "teal.host.metrics/1"; NULL: one is made
  std::shared_ptr<Log> log;                 // NULL: standard error
  std::shared_ptr<HttpServer> http_server;  // "teal.host.http_server/1"; NULL: not served
  std::string http_library;                 // of "teal.host.http/1"; empty: found beside the executable
};

// Thread-safe. Outlives every instance it serves.
class Services {
 public:
  explicit Services(ServicesOptions options);
  ~Services();
  Services(const Services&) = delete;
  Services& operator=(const Services&) = delete;

  // The table of a service by its id, or NULL. The first request for http/1 loads its library; may block for that.
  const void* Find(std::string_view id);
  // The same, with the reason if it cannot be had; its faults are set through it.
  Result<HttpLibrary*> Http();
  Metrics& metrics() { return *options_.metrics; }
  Log& log() { return *options_.log; }
  StateStore* state() { return options_.state.get(); }
  SecretSource* secrets() { return options_.secrets.get(); }
  HttpServer* http_server() { return options_.http_server.get(); }

 private:
  ServicesOptions options_;
  std::mutex mutex_;
  HttpLibrary* http_ = nullptr;  // guarded by mutex_
};

}  // namespace teal::host

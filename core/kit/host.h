// The host a plugin is opened with by the tests: the real services of core/host, and shapes of table that an older, a
// newer or a bare host would have.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "abi/include/teal/abi.h"
#include "core/host/services.h"

namespace teal::kit {

enum class HostShape {
  kPlain,
  kBare,   // serves nothing but the log: host->service gives NULL
  kOlder,  // tables of services end after their first function; what would come next may not be touched
  kNewer,  // host and services are longer, and hold behind their end what the plugin cannot know
};

struct HostSpec {
  HostShape shape = HostShape::kPlain;
  int64_t clock_offset_ns = 0;  // of the host's clock, against the system's
};

// Outlives the instances opened with it; these see one teal_host. Thread-safe.
class Host {
 public:
  explicit Host(HostSpec spec = {});
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const teal_host* table() const { return table_; }
  uint64_t Now() const;
  // Whether anything asked for teal.host.http/1.
  bool HttpUsed() const { return http_used_; }

 private:
  struct Context;
  static const void* TEAL_CALL Service(const teal_host* host, const char* id);
  const void* Shape(const std::string& id, const void* table);
  void* Block(const void* data, std::size_t size, std::size_t struct_size);

  const HostSpec spec_;
  std::unique_ptr<Context> context_;
  const teal_host* table_ = nullptr;
  std::mutex mutex_;
  std::map<std::string, const void*> tables_;          // guarded by mutex_: those given, so that one id gives one table
  std::vector<std::pair<void*, std::size_t>> blocks_;  // mappings
  bool http_used_ = false;
};

// Faults under teal.host.http/1 of this process (core/host/http/faults.h); "" for none. NotOffered if there is no http
// service to put them under.
void SetHttpFaults(const std::string& json);
// Where a trigger listens that takes requests: one for the process.
host::HttpServer& Requests();
// Attempts of requests begun in this process; 0 where no plugin asked for the service.
uint64_t HttpAttempts();

}  // namespace teal::kit

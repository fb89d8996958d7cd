// The one thread that all HTTP calls of a process run on: a libcurl multi handle, the calls that wait for their next
// attempt, and what comes in from other threads. Connections are kept and shared by all callers.
#pragma once

#include <curl/curl.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/host/http/exchange.h"
#include "core/host/http/faults.h"
#include "core/host/http/library.h"
#include "core/host/http/retry.h"

namespace teal::host::http {

inline constexpr uint64_t kCallsMax = 4096;    // open at a time; more end with TEAL_THROTTLED
inline constexpr long kConnectionsMax = 1024;  // open at a time, used and kept
inline constexpr long kConnectionsOfHostMax = 256;
inline constexpr long kConnectionAgeMaxS = 30;  // idle; a server that closes sooner is noticed before it is used

// Thread-safe. Never destroyed; Stop ends its thread when the process ends.
class Loop {
 public:
  // The process's. NULL: libcurl cannot be used here.
  static Loop* Get();

  teal_status Send(const teal_host* host, const teal_call* call, const teal_http_request* request);
  teal_status Cancel(const teal_host* host, uint64_t op_id);
  void SetFaults(Faults faults);
  teal_http_stats Stats() const;

 private:
  using Clock = std::chrono::steady_clock;
  // A call whose attempt begins, or whose attempt's end is told, at a later time.
  struct Later {
    std::unique_ptr<Exchange> exchange;
    bool ends = false;
    Outcome outcome;  // with `ends`
  };
  using Name = std::pair<const teal_host*, uint64_t>;

  Loop();
  bool Start();
  void Stop();
  void Run();
  void TakeIn();
  void Begin(std::unique_ptr<Exchange> exchange);
  void TakeFinished();
  void Fall(std::unique_ptr<Exchange> exchange, Outcome outcome);
  void Settle(std::unique_ptr<Exchange> exchange, Outcome outcome);
  void Drop(const Name& name);
  void Release(Exchange& exchange);
  CURL* Handle();
  int WaitMs() const;

  CURLM* const multi_;
  std::thread thread_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<std::unique_ptr<Exchange>> inbox_;
  std::vector<Name> cancels_;
  std::unique_ptr<Faults> new_faults_;
  bool stopping_ = false;

  // Of the thread.
  std::unordered_map<CURL*, std::unique_ptr<Exchange>> running_;
  std::multimap<Clock::time_point, Later> later_;
  std::vector<CURL*> handles_;  // for use again
  Faults faults_;
  Retry retry_;

  std::atomic<uint64_t> calls_{0}, attempts_{0}, retries_{0}, connections_{0}, faults_put_in_{0}, open_{0};
};

}  // namespace teal::host::http

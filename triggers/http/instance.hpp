// The plugin's instance: all routes of a host, the requests on their way, and what the host says of their events.
//
// A request goes: head (route, method, proof, length) -> body (signature, type, JSON) -> one event, or several of a
// batch -> waits for credit -> emitted -> accepted -> replied, which is its answer. What is refused before it is
// emitted starts nothing. A client that goes does not end its session.
#ifndef TEAL_HTTP_INSTANCE_HPP
#define TEAL_HTTP_INSTANCE_HPP

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <teal/trigger.hpp>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "auth.hpp"
#include "exchange.hpp"
#include "issuers.hpp"
#include "message.hpp"
#include "routes.hpp"
#include "settings.hpp"

namespace teal::http {

inline constexpr size_t kWaitingMax = 1000;  // requests of a trigger that wait for credit
inline constexpr uint64_t kHeldNsMax =
    10'000'000'000;  // how long a request waits for credit, or is held that was rejected

// Thread-safe, as the tables of abi.h demand.
class Instance {
 public:
  static std::unique_ptr<Instance> Open(const teal_host* host, std::string_view config, plugin::Error* error);
  Instance(const teal_host* host, InstanceSettings settings);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  void Close();

  static std::optional<plugin::Error> Validate(Instance* instance, std::string_view config);
  plugin::OpenCalls& calls() { return calls_; }
  void Start(plugin::Done done, std::string id, std::string config, teal_emit_fn emit, void* ctx);
  void Credit(std::string_view id, uint64_t count);
  void Accept(plugin::Done done, uint64_t token, std::string_view sid);
  void Reply(plugin::Done done, uint64_t token, uint32_t status, std::string_view headers, std::string_view body,
             bool more);
  void Reject(plugin::Done done, uint64_t token, uint64_t delay_ns);
  void Stop(plugin::Done done, std::string id);

 private:
  // Of the handler that the host calls.
  void OnHead(const teal_arrival& arrival, uint64_t* body_bytes_max);
  void OnRequest(const teal_arrival& arrival);
  void OnGone(uint64_t token);
  std::optional<Answer> Refusal(Exchange& exchange, uint64_t* body_bytes_max);

  Verdict CheckBearer(Exchange& exchange);
  // Who sent it is known, or no proof was asked for.
  void Proved(const ExchangePtr& exchange);
  void Refuse(Exchange& exchange, Answer answer);

  bool Listen();
  // The request is whole and its sender proved: it becomes its events.
  void Take(const ExchangePtr& exchange);
  // With mutex_ held.
  void Pump(Trigger& trigger);
  void Expire();  // what has waited for credit too long
  void Conclude(const Emission& emission, Answer answer);
  void Send(Exchange& exchange, Answer answer);
  // The thread that emits again what was rejected, ends what waits too long, and does what was posted.
  void Run();
  void Post(std::function<void()> task);

  uint64_t Now() const { return host_->now_unix_ns(host_); }

  // Constant after construction.
  const teal_host* const host_;
  const InstanceSettings settings_;
  const teal_http_server* const server_;  // null: the host has no listener
  plugin::OpenCalls calls_;
  Routes routes_;
  trigger::Desk<Emission> desk_;

  std::mutex mutex_;
  // Guarded by mutex_.
  std::condition_variable wake_;
  bool listens_ = false;
  bool closing_ = false;
  bool waits_ = false;  // a request may wait for credit
  std::map<std::string, TriggerPtr, std::less<>> triggers_;
  std::unordered_map<uint64_t, ExchangePtr> requests_;  // by the host's token: without an answer
  std::unordered_map<uint64_t, Emission> accepted_;     // by the desk's token: a reply is to come
  std::multimap<uint64_t, Emission> delayed_;           // by when they are to be emitted again
  std::deque<std::function<void()>> tasks_;
  std::thread timer_;

  Issuers issuers_;  // posts to this
};

}  // namespace teal::http

#endif

// An instance of the plugin: the triggers that run, the buckets they look at, one thread for all of it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <teal/trigger.hpp>

#include "triggers/s3/loop.hpp"
#include "triggers/s3/source.hpp"
#include "triggers/s3/state.hpp"
#include "triggers/s3/tree.hpp"

namespace teal::s3 {

// As teal/trigger.hpp wants it. Thread-safe: calls are put into the loop.
class Instance {
 public:
  static std::unique_ptr<Instance> Open(const teal_host* host, std::string_view config, plugin::Error* error);
  void Close();

  static std::optional<plugin::Error> Validate(Instance*, std::string_view config);
  static std::optional<plugin::Error> Decode(Instance*, std::string_view body, teal_emit_fn emit, void* ctx);

  plugin::OpenCalls& calls() { return calls_; }
  void Start(plugin::Done done, std::string id, std::string config, teal_emit_fn emit, void* ctx);
  void Credit(std::string_view id, uint64_t count);
  void Accept(plugin::Done done, uint64_t token, std::string_view sid);
  void Reject(plugin::Done done, uint64_t token, uint64_t delay_ns);
  void Stop(plugin::Done done, std::string id);

 private:
  using SharedDone = std::shared_ptr<plugin::Done>;

  Instance(const teal_host* host, const teal_state* state, std::string buckets);
  void Post(plugin::Done done, std::function<void(const SharedDone&)> work);
  void Log(uint32_t level, const std::string& message) const;

  // On the loop.
  Loop::Turn OnTurn();
  void OnLoaded(const std::shared_ptr<Source>& source, const SharedDone& done, std::optional<plugin::Error> failed);
  void OnStop(const SharedDone& done, const std::string& id);
  void LeaveTree(const std::shared_ptr<Source>& source);
  void Abandon();

  const teal_host* const host_;
  const std::string buckets_;
  plugin::OpenCalls calls_;
  Loop loop_;
  State state_;

  // The loop's.
  std::map<std::string, std::shared_ptr<Source>, std::less<>> sources_;  // that run, load or stop
  std::map<std::string, std::unique_ptr<Tree>> trees_;                   // by bucket
  uint64_t last_token_ = 0;
  bool closing_ = false;
};

}  // namespace teal::s3

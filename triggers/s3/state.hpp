// Calls to "teal.host.state/1" whose answers come on the loop. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <teal/plugin.hpp>

#include "triggers/s3/loop.hpp"

namespace teal::s3 {

class State {
 public:
  using Read = std::function<void(const std::optional<plugin::Error>&, const std::optional<std::string>& value)>;
  using Written = std::function<void(const std::optional<plugin::Error>&)>;

  // The service of `host`, or null where it has none, or an older one. All outlive this.
  static const teal_state* Of(const teal_host* host);
  State(const teal_host* host, const teal_state* table, Loop* loop) : host_(host), table_(table), loop_(loop) {}

  // A record that is not there has no value and no error.
  void Get(const std::string& scope, const std::string& name, Read read);
  void Put(const std::string& scope, const std::string& name, std::string value, Written written);
  // Until no call of ours is open; none may come meanwhile. Answers that came after the loop ended are dropped.
  void Wait() { calls_.Wait(); }

 private:
  struct Call;
  static void TEAL_CALL End(void* ctx, const teal_error* error, const void* result);
  template <typename Begin>
  void Make(std::unique_ptr<Call> call, Begin&& begin);

  const teal_host* const host_;
  const teal_state* const table_;
  Loop* const loop_;
  plugin::OpenCalls calls_;
};

}  // namespace teal::s3

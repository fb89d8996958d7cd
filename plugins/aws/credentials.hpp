// The credentials of an instance: fetched when first needed, fetched again before they expire, by one errand however
// many calls wait for them. Never logged. Loop thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "plugins/aws/config.hpp"
#include "plugins/aws/credential_source.hpp"
#include "plugins/aws/http.hpp"
#include "plugins/aws/operation.hpp"

namespace teal::aws {

class CredentialCache {
 public:
  CredentialCache(Context& context, const Config& config, Environment environment);

  Task<Result<std::shared_ptr<const Credentials>>> Get(Operation& operation);
  // AWS said these have expired or are unknown: the next Get fetches anew, files and all.
  void Refused(const std::shared_ptr<const Credentials>& credentials);

 private:
  Detached Refresh();
  uint64_t NowS() const { return context_.Now() / 1'000'000'000; }

  Context& context_;
  const Config& config_;
  const Environment environment_;
  const std::string sts_endpoint_;
  std::shared_ptr<const Credentials> current_;
  bool refreshing_ = false;
  uint64_t failed_at_s_ = 0;
  std::optional<Error> failure_;  // of the last errand
  Signal refreshed_;
};

}  // namespace teal::aws

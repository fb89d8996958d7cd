#include "plugins/aws/credentials.hpp"

#include "plugins/aws/endpoints.hpp"

namespace teal::aws {
namespace {

constexpr uint64_t kRenewBeforeS = 300;  // AWS gives new ones at least this long before the old expire
constexpr uint64_t kUnusableBeforeS = 15;
constexpr uint64_t kTryAgainAfterS = 10;  // while the old are still good
constexpr uint64_t kErrandNs = 15'000'000'000;
constexpr uint64_t kNoLimitNs = UINT64_MAX;

}  // namespace

CredentialCache::CredentialCache(Context& context, const Config& config, Environment environment)
    : context_(context), config_(config), environment_(std::move(environment)), sts_endpoint_(StsEndpoint(config)) {}

Task<Result<std::shared_ptr<const Credentials>>> CredentialCache::Get(Operation& operation) {
  using Given = std::shared_ptr<const Credentials>;
  for (;;) {
    const uint64_t now = NowS();
    const uint64_t expires = current_ == nullptr ? 0 : current_->expires_unix_s;
    if (current_ != nullptr && (expires == 0 || now + kUnusableBeforeS < expires)) {
      const Given given = current_;
      const bool renew = expires != 0 && now + kRenewBeforeS >= expires;
      if (renew && !refreshing_ && now >= failed_at_s_ + kTryAgainAfterS) Refresh();
      co_return given;
    }
    if (!refreshing_) {
      failure_.reset();
      Refresh();
    }
    if (refreshing_) co_await Sleep(operation, kNoLimitNs, &refreshed_);
    if (operation.Stopped()) co_return operation.WhyStopped();
    if (failure_) co_return *failure_;
    // Fetched; or another call began a further errand before this one was resumed.
  }
}

void CredentialCache::Refused(const std::shared_ptr<const Credentials>& credentials) {
  if (current_ == credentials) current_ = nullptr;
}

Detached CredentialCache::Refresh() {
  refreshing_ = true;
  try {
    Operation errand(context_, 0, context_.Now() + kErrandNs);
    auto source = ChooseSource(config_, environment_);
    Result<Credentials> fetched = source ? Result<Credentials>(Credentials{}) : Result<Credentials>(source.error());
    if (source) fetched = co_await Fetch(errand, *source, sts_endpoint_, config_.region);
    if (fetched) {
      current_ = std::make_shared<const Credentials>(std::move(*fetched));
      failure_.reset();
    } else {
      failure_ = std::move(fetched.error());
      failed_at_s_ = NowS();
      if (current_ != nullptr)
        context_.Log(TEAL_LOG_WARNING, "credentials could not be renewed yet: " + failure_->message);
    }
  } catch (...) {
    failure_ = Error{TEAL_NO_MEMORY, "out of memory"};
  }
  refreshing_ = false;
  refreshed_.Notify();
}

}  // namespace teal::aws

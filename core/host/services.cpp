#include "core/host/services.h"

#include <ctime>

#include "core/host/call.h"

namespace teal::host {
namespace {

const void* TEAL_CALL Service(const teal_host* host, const char* id) {
  const HostContext& context = ContextOf(host);
  return context.services == nullptr || id == nullptr ? nullptr : context.services->Find(id);
}

void TEAL_CALL WriteLog(const teal_host* host, uint32_t level, teal_bytes message, teal_bytes fields_json) {
  const HostContext& context = ContextOf(host);
  context.log->Write(level, context.plugin_id, ViewOf(message), ViewOf(fields_json));
}

uint64_t TEAL_CALL NowUnixNs(const teal_host* host) {
  const HostContext& context = ContextOf(host);
  return context.now_unix_ns ? context.now_unix_ns() : SystemNowUnixNs();
}

}  // namespace

teal_host MakeHost(HostContext* context) {
  teal_host host{};
  host.struct_size = sizeof host;
  host.abi_minor = TEAL_ABI_MINOR;
  host.ctx = context;
  host.service = Service;
  host.log = WriteLog;
  host.now_unix_ns = NowUnixNs;
  return host;
}

HostContext& ContextOf(const teal_host* host) {
  return *static_cast<HostContext*>(host->ctx);
}

uint64_t SystemNowUnixNs() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

Services::Services(ServicesOptions options) : options_(std::move(options)) {
  if (!options_.metrics) options_.metrics = std::make_shared<Metrics>();
  if (!options_.log) options_.log = Log::ToStderr();
}

Services::~Services() = default;

const void* Services::Find(std::string_view id) {
  if (id == TEAL_HTTP_ID) {
    const Result<HttpLibrary*> http = Http();
    if (http) return http.value()->table();
    log().Write(TEAL_LOG_ERROR, "", http.failure().message);
    return nullptr;
  }
  if (id == TEAL_STATE_ID) return options_.state ? StateTable() : nullptr;
  if (id == TEAL_METRICS_ID) return MetricsTable();
  if (id == TEAL_SECRETS_ID) return options_.secrets ? SecretsTable() : nullptr;
  if (id == TEAL_HTTP_SERVER_ID) return options_.http_server ? HttpServerTable() : nullptr;
  return nullptr;
}

Result<HttpLibrary*> Services::Http() {
  const std::lock_guard lock(mutex_);
  if (http_ == nullptr) {
    Result<HttpLibrary*> loaded = HttpLibrary::Load(options_.http_library);
    if (!loaded) return loaded;
    http_ = loaded.value();
  }
  return http_;
}

}  // namespace teal::host

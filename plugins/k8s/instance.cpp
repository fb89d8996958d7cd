#include "plugins/k8s/instance.hpp"

#include <condition_variable>

#include "plugins/k8s/schema.hpp"

namespace teal::k8s {
namespace {

// What `teal.host.secrets/1` gives for `name`. Blocks. False = `error` says why.
bool ReadSecret(const teal_host* host, const std::string& name, std::string& out, plugin::Error& error) {
  const auto* secrets = Has(*host, host->service)
                            ? static_cast<const teal_secrets*>(host->service(host, "teal.host.secrets/1"))
                            : nullptr;
  if (secrets == nullptr || !Has(*secrets, secrets->get)) {
    error = {TEAL_UNSUPPORTED, "password_secret: this host gives no secrets; use PGPASSWORD or ~/.pgpass",
             TEAL_NOT_APPLIED, 0, 0};
    return false;
  }
  struct Waiting {
    std::mutex mutex;
    std::condition_variable ready;
    bool over = false;
    teal_status status = TEAL_OK;
    std::string secret;
  } waiting;
  teal_call call{};
  call.struct_size = sizeof call;
  call.done_ctx = &waiting;
  call.done = [](void* ctx, const teal_error* failed, const void* result) {
    auto& told = *static_cast<Waiting*>(ctx);
    const std::lock_guard lock(told.mutex);
    told.over = true;
    told.status = failed == nullptr ? TEAL_OK : failed->code;
    if (failed == nullptr && result != nullptr) told.secret = Copy(*static_cast<const teal_bytes*>(result));
    told.ready.notify_all();
  };
  const teal_status taken = secrets->get(host, &call, Bytes(name));
  {
    std::unique_lock lock(waiting.mutex);
    if (taken == TEAL_OK) waiting.ready.wait(lock, [&] { return waiting.over; });
  }
  const teal_status status = taken == TEAL_OK ? waiting.status : taken;
  if (status != TEAL_OK) {
    error = {status,
             "password_secret: the host does not give the secret " + name.substr(0, 60) +
                 "; check its name, and that the plugin's section names it",
             TEAL_NOT_APPLIED, 0, 0};
    return false;
  }
  out = std::move(waiting.secret);
  return true;
}

// That direct_url leads, without a pooler, to the store that url leads to.
bool CheckDirect(const Config& config, const std::string& store, const Stop& stop, plugin::Error& error) {
  const std::optional<Session> direct = Session::Connect(config, config.direct_url, stop, error);
  if (!direct) {
    error.message = "direct_url: " + error.message;
    return false;
  }
  if (!direct->facts().pooled && direct->facts().store == store) return true;
  error = {TEAL_INVALID,
           direct->facts().pooled
               ? "direct_url leads to a pooler, behind which LISTEN does not work: give the server's own "
                 "address, or leave it out and do without watch"
               : "direct_url leads to another store than url: both must name the same database and schema",
           TEAL_NOT_APPLIED, 0, 0};
  return false;
}

void Warn(const teal_host* host, const std::string& text) {
  if (Has(*host, host->log)) host->log(host, TEAL_LOG_WARNING, Bytes(text), teal_bytes{nullptr, 0});
}

}  // namespace

std::unique_ptr<teal_instance> OpenInstance(const teal_host* host, std::string_view config_json, plugin::Error& error) {
  auto instance = std::make_unique<teal_instance>(host);
  Config& config = instance->config;
  if (!ReadConfig(config_json, config, error)) return nullptr;
  if (!config.password_secret.empty() && !ReadSecret(host, config.password_secret, config.password, error))
    return nullptr;

  const Stop never;
  std::optional<Session> session = Session::Connect(config, config.url, never, error);
  if (!session || !BringUpToDate(*session, config, never, error)) return nullptr;
  const Session::Facts facts = session->facts();
  if (!config.direct_url.empty() && !CheckDirect(config, facts.store, never, error)) return nullptr;
  if (!session->EnterPipeline(never, error)) return nullptr;

  instance->features = TEAL_MEMORY_BLOBS | TEAL_MEMORY_EXPIRY | TEAL_MEMORY_SHARED;
  if (facts.synchronous) {
    instance->features |= TEAL_MEMORY_DURABLE;
  } else {
    Warn(host, "synchronous_commit or fsync is off on this PostgreSQL: the memory is not durable");
  }
  const std::string& listen_url = config.direct_url.empty() ? config.url : config.direct_url;
  if (!config.direct_url.empty() || !facts.pooled) {
    instance->features |= TEAL_MEMORY_WATCH;
    instance->listener = std::make_unique<Listener>(config, host, listen_url, facts.store);
  }
  instance->engine = std::make_unique<Engine>(config, host, std::move(*session));
  return instance;
}

}  // namespace teal::k8s

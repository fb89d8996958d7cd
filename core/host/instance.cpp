#include "core/host/instance.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <optional>

#include "core/host/call.h"
#include "core/host/crash_guard.h"
#include "core/host/keep.h"
#include "core/host/pooled_tables.h"

namespace teal::host {
namespace {

// The limits every memory gives at least (teal/abi.h).
constexpr uint64_t kKeyBytesMin = 512;
constexpr uint64_t kValueBytesMin = 64 * 1024;

std::string Whose(const Plugin& plugin) {
  return "plugin \"" + plugin.id() + "\"";
}

std::string Milliseconds(uint64_t ns) {
  return std::to_string(ns / 1'000'000) + " ms";
}

// A plugin's table in this host's layout; false if it is not offered or has no room for its own size.
template <typename Table>
bool Take(const Plugin& plugin, const char* id, Table* out) {
  const auto* const raw = static_cast<const Table*>(plugin.Interface(id));
  if (raw == nullptr || raw->struct_size < 2 * sizeof(uint32_t)) return false;
  std::memcpy(out, raw, std::min<size_t>(raw->struct_size, sizeof *out));
  out->struct_size = sizeof *out;
  return true;
}

struct Slot {
  const char* name;
  bool there;
};

// The first that is missing, or NULL.
const char* Missing(std::initializer_list<Slot> slots) {
  for (const Slot& slot : slots) {
    if (!slot.there) return slot.name;
  }
  return nullptr;
}

// What a memory with these capabilities still lacks; empty: nothing.
std::string WhyNoMemory(const teal_memory& table, const teal_memory_caps& caps) {
  if ((caps.features & TEAL_MEMORY_WATCH) != 0) {
    const char* const missing = Missing({{"watch", table.watch != nullptr}, {"unwatch", table.unwatch != nullptr}});
    if (missing != nullptr) return std::string("it offers watching, and its table lacks ") + missing;
  }
  if ((caps.features & TEAL_MEMORY_BLOBS) != 0) {
    const char* const missing = Missing({{"blob_open", table.blob_open != nullptr},
                                         {"blob_write", table.blob_write != nullptr},
                                         {"blob_commit", table.blob_commit != nullptr},
                                         {"blob_abort", table.blob_abort != nullptr},
                                         {"blob_get", table.blob_get != nullptr},
                                         {"blob_delete", table.blob_delete != nullptr}});
    if (missing != nullptr) return std::string("it offers blobs, and its table lacks ") + missing;
  }
  if (caps.key_bytes_max < kKeyBytesMin) return "its key_bytes_max is under 512";
  if (caps.value_bytes_max < kValueBytesMin) return "its value_bytes_max is under 65536";
  if (caps.commit_ops_max < 1 || caps.get_keys_max < 1 || caps.scan_records_max < 1) {
    return "one of its commit_ops_max, get_keys_max and scan_records_max is 0";
  }
  return {};
}

}  // namespace

struct Instance::Impl {
  Impl(const Plugin& its_plugin, InstanceOptions its_options)
      : plugin(its_plugin), options(std::move(its_options)), own(options.pool_threads, options.pool_calls_max) {
    context.plugin_id = plugin.id();
    context.secrets = SecretsNamedIn(options.config_json);
    context.now_unix_ns = options.now_unix_ns ? options.now_unix_ns : SystemNowUnixNs;
    context.services = options.services;
    if (options.services == nullptr) log = Log::ToStderr();
    context.log = options.services == nullptr ? log.get() : &options.services->log();
    host = MakeHost(&context);
  }

  const Plugin& plugin;
  const InstanceOptions options;
  std::shared_ptr<Log> log;
  HostContext context;
  teal_host host{};

  Pooled own;  // its tables, and the pool where it blocks
  teal_memory pooled_memory{};
  teal_threads pooled_threads{};
  teal_trigger pooled_trigger{};
  teal_deploy pooled_deploy{};

  // Of `open`, which may come back when nobody waits any more.
  teal_status open_status = TEAL_INTERNAL;
  teal_error open_error{};

  std::mutex close_mutex;
  std::optional<Status> closed;  // guarded by close_mutex
};

Instance::Instance(const Plugin& plugin, std::shared_ptr<Impl> impl) : plugin_(plugin), impl_(std::move(impl)) {}

Instance::~Instance() {
  (void)Close();
}

Result<std::unique_ptr<Instance>> Instance::Open(const Plugin& plugin, InstanceOptions options) {
  auto impl = std::make_shared<Impl>(plugin, std::move(options));
  const auto refuse = [&](const std::string& why, FailureCode code = FailureCode::kInvalid) {
    return Fail(code, Whose(plugin) + ": " + why);
  };
  const bool came_back = RunWithin(
      impl->options.open_ns_max, Whose(plugin), "open",
      [impl] {
        impl->open_error.struct_size = sizeof impl->open_error;
        impl->open_status = impl->plugin.table().open(&impl->host, BytesOf(impl->options.config_json),
                                                      &impl->own.instance, &impl->open_error);
      },
      [impl] {
        if (impl->open_status == TEAL_OK && impl->own.instance != nullptr)
          impl->plugin.table().close(impl->own.instance);
      });
  if (!came_back) {
    return refuse("its open did not come back within " + Milliseconds(impl->options.open_ns_max) +
                      "; see that what it connects to can be reached, or report it to the plugin's author",
                  FailureCode::kUnavailable);
  }
  if (impl->open_status != TEAL_OK) {
    const std::string words = MessageOf(impl->open_error);
    return refuse("its open failed: " + (words.empty() ? "it says nothing but " : words + " (") +
                  StatusName(impl->open_status) + (words.empty() ? "" : ")"));
  }
  if (impl->own.instance == nullptr) return refuse("its open said TEAL_OK and gave no instance");

  std::unique_ptr<Instance> instance(new Instance(plugin, impl));
  Pooled& own = impl->own;
  const bool memory = Take(plugin, TEAL_MEMORY_ID, &own.memory);
  const bool threads = Take(plugin, TEAL_THREADS_ID, &own.threads);
  const bool trigger = Take(plugin, TEAL_TRIGGER_ID, &own.trigger);
  const bool deploy = Take(plugin, TEAL_DEPLOY_ID, &own.deploy);
  const auto lacks = [&](bool offered, const char* id, std::initializer_list<Slot> slots) -> std::string {
    const char* const missing = offered ? Missing(slots) : nullptr;
    return missing == nullptr ? "" : std::string("its table of ") + id + " lacks " + missing;
  };
  std::string why = lacks(memory, TEAL_MEMORY_ID,
                          {{"caps", own.memory.caps != nullptr},
                           {"commit", own.memory.commit != nullptr},
                           {"get", own.memory.get != nullptr},
                           {"scan", own.memory.scan != nullptr},
                           {"scan_due", own.memory.scan_due != nullptr}});
  why += lacks(threads, TEAL_THREADS_ID,
               {{"caps", own.threads.caps != nullptr},
                {"dispatch", own.threads.dispatch != nullptr},
                {"consume", own.threads.consume != nullptr},
                {"stop_consuming", own.threads.stop_consuming != nullptr},
                {"credit", own.threads.credit != nullptr},
                {"settle", own.threads.settle != nullptr},
                {"drain", own.threads.drain != nullptr}});
  why += lacks(trigger, TEAL_TRIGGER_ID,
               {{"validate", own.trigger.validate != nullptr},
                {"start", own.trigger.start != nullptr},
                {"credit", own.trigger.credit != nullptr},
                {"accept", own.trigger.accept != nullptr},
                {"reject", own.trigger.reject != nullptr},
                {"stop", own.trigger.stop != nullptr}});
  why += lacks(deploy, TEAL_DEPLOY_ID,
               {{"plan", own.deploy.plan != nullptr},
                {"apply", own.deploy.apply != nullptr},
                {"destroy", own.deploy.destroy != nullptr}});
  if (why.empty() && memory) {
    teal_memory_caps caps{};
    caps.struct_size = sizeof caps;
    if (own.memory.caps(own.instance, &caps) != TEAL_OK)
      why = "its capabilities cannot be had";
    else
      why = WhyNoMemory(own.memory, caps);
  }
  if (!why.empty()) return refuse(why);  // the destructor closes

  const bool blocking = plugin.blocking();
  if (blocking) {
    impl->pooled_memory = PooledMemory(own);
    impl->pooled_threads = PooledThreads(own);
    impl->pooled_trigger = PooledTrigger(own);
    impl->pooled_deploy = PooledDeploy(own);
  }
  instance->handle_ = blocking ? own.handle() : own.instance;
  if (memory) instance->memory_ = blocking ? &impl->pooled_memory : &own.memory;
  if (threads) instance->threads_ = blocking ? &impl->pooled_threads : &own.threads;
  if (trigger) instance->trigger_ = blocking ? &impl->pooled_trigger : &own.trigger;
  if (deploy) instance->deploy_ = blocking ? &impl->pooled_deploy : &own.deploy;
  return instance;
}

teal_status Instance::Cancel(uint64_t op_id) {
  Pooled& own = impl_->own;
  if (!plugin_.blocking()) return plugin_.table().cancel(own.instance, op_id);
  if (!own.pool.CancelWaiting(op_id)) {
    own.pool.PostUrgent([impl = impl_.get(), op_id] { impl->plugin.table().cancel(impl->own.instance, op_id); });
  }
  return TEAL_OK;
}

Status Instance::Close() {
  const std::lock_guard lock(impl_->close_mutex);
  if (impl_->closed) return *impl_->closed;
  const uint64_t ns_max = impl_->options.close_ns_max;
  Pool& pool = impl_->own.pool;
  pool.Close();
  // A thread of the pool may be about to enter the plugin: `close` is called when all have come back, not beside them.
  for (const uint64_t op_id : pool.Running()) {
    if (op_id != 0) plugin_.table().cancel(impl_->own.instance, op_id);
  }
  const bool returned = pool.Join(ns_max);
  const bool quiet = returned && RunWithin(ns_max, Whose(plugin_), "close",
                                           [impl = impl_] { impl->plugin.table().close(impl->own.instance); }, {});
  if (quiet) {
    impl_->closed.emplace(Unit{});
  } else {
    // A thread inside the plugin may use all of it at any time.
    KeepForEver(impl_);
    impl_->closed.emplace(Fail(FailureCode::kUnavailable, Whose(plugin_) + ": " + (returned ? "its close" : "a call") +
                                                              " did not come back within " + Milliseconds(ns_max) +
                                                              "; report it to the plugin's author"));
  }
  return *impl_->closed;
}

}  // namespace teal::host

#include "core/kit/host.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <utility>

#include "core/kit/call.h"
#include "core/kit/options.h"
#include "core/kit/start_http.h"
#include "core/kit/subject.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

constexpr std::size_t kTail = 256;  // what a newer host's tables have more
constexpr int kUnknowable = 0xA5;

// One for all hosts of the process: the services, with state that outlives an instance.
host::Services& Services() {
  static host::Services* const services = [] {
    host::LogOptions log;
    log.level_min = TEAL_LOG_WARNING;
    log.sink = [](std::string_view line) { Note("log: ", line); };
    auto made = host::Log::Make(log);
    host::ServicesOptions options;
    options.state = host::MakeStateInMemory();
    options.secrets = host::DefaultSecrets();
    options.http_server = std::make_shared<host::HttpServer>();
    options.log = made.ok() ? made.value() : host::Log::ToStderr();
    return new host::Services(std::move(options));  // outlives every thread of the plugin
  }();
  return *services;
}

// Where the first function of a service's table ends.
uint32_t FirstSlotOnly() {
  return static_cast<uint32_t>(offsetof(teal_http, send) + sizeof(teal_http::send));
}

std::size_t SizeOf(const void* table) {
  uint32_t size = 0;
  std::memcpy(&size, table, sizeof size);
  return size;
}

}  // namespace

struct Host::Context : host::HostContext {
  Host* host = nullptr;
};

Host::Host(HostSpec spec) : spec_(spec), context_(std::make_unique<Context>()) {
  context_->plugin_id = Tested().plugin->id;
  context_->secrets = host::SecretsNamedIn(Given().config);
  context_->now_unix_ns = [this] { return Now(); };
  context_->services = &Services();
  context_->log = &Services().log();
  context_->host = this;
  teal_host table = host::MakeHost(context_.get());
  table.service = &Host::Service;
  if (spec_.shape == HostShape::kNewer) {
    table.abi_minor = TEAL_ABI_MINOR + 7;
    table_ = static_cast<const teal_host*>(Block(&table, sizeof table, sizeof table + kTail));
  } else {
    table_ = static_cast<const teal_host*>(Block(&table, sizeof table, sizeof table));
  }
}

Host::~Host() {
  for (const auto& [memory, size] : blocks_) ::munmap(memory, size);
}

uint64_t Host::Now() const {
  return host::SystemNowUnixNs() + static_cast<uint64_t>(spec_.clock_offset_ns);
}

// A copy of the first `size` bytes that ends, as a struct of `struct_size` bytes, at the end of a page; the page behind
// it is nobody's. What lies between size and struct_size is unknowable.
void* Host::Block(const void* data, std::size_t size, std::size_t struct_size) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* memory = ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || struct_size > page) Fail("the kit is out of memory");
  char* const start = static_cast<char*>(memory) + (page - struct_size);
  std::memset(start, kUnknowable, struct_size);
  std::memcpy(start, data, std::min(size, struct_size));
  const auto said = static_cast<uint32_t>(struct_size);
  std::memcpy(start, &said, sizeof said);
  ::mprotect(static_cast<char*>(memory) + page, page, PROT_NONE);
  blocks_.emplace_back(memory, 2 * page);
  return start;
}

const void* Host::Shape(const std::string& id, const void* table) {
  switch (spec_.shape) {
    case HostShape::kBare:
      return nullptr;
    case HostShape::kOlder:
      // Metrics without `record` would be of no use to anybody: an older host has none.
      if (id == TEAL_METRICS_ID) return nullptr;
      // Nor one that listens and cannot be answered.
      if (id == TEAL_HTTP_SERVER_ID) return nullptr;
      return Block(table, SizeOf(table), FirstSlotOnly());
    case HostShape::kNewer:
      return Block(table, SizeOf(table), SizeOf(table) + kTail);
    case HostShape::kPlain:
      break;
  }
  return table;
}

const void* TEAL_CALL Host::Service(const teal_host* host, const char* id) {
  Host& self = *static_cast<Context*>(&host::ContextOf(host))->host;
  const std::lock_guard lock(self.mutex_);
  const auto known = self.tables_.find(id);
  if (known != self.tables_.end()) return known->second;
  const void* table = Services().Find(id);
  if (table != nullptr && std::string_view(id) == TEAL_HTTP_ID) self.http_used_ = true;
  if (table != nullptr) table = self.Shape(id, table);
  self.tables_.emplace(id, table);
  return table;
}

host::HttpServer& Requests() {
  return *Services().http_server();
}

void SetHttpFaults(const std::string& json) {
  const auto http = Services().Http();
  if (!http.ok()) NotOffered("there is no " TEAL_HTTP_ID " to put faults under: ", http.failure().message);
  const Status set = http.value()->SetFaults(json);
  if (!set.ok()) Fail("the kit's own faults are wrong: ", set.failure().message);
}

void StartHttp() {
  const auto http = Services().Http();
  if (!http.ok()) return;
  host::HostContext context;
  context.plugin_id = "kit";
  context.now_unix_ns = host::SystemNowUnixNs;
  context.services = &Services();
  context.log = &Services().log();
  const teal_host table = host::MakeHost(&context);
  Call& call = NewCall("a request to a port where nobody listens", Gives::kNothing);
  teal_http_request request{};
  request.struct_size = sizeof request;
  request.method = call.inputs().Bytes("GET");
  request.url = call.inputs().Bytes("http://127.0.0.1:1/");
  call.Begin([&](const teal_call* c) { return http.value()->table()->send(&table, c, &request); });
  call.Wait();
}

uint64_t HttpAttempts() {
  const auto http = Services().Http();
  return http.ok() ? http.value()->Stats().attempts : 0;
}

}  // namespace teal::kit

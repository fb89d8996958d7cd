// Drives a memory plugin from a script: commands as JSON lines on standard input, answers with the same `id` on
// standard output, in whatever order they come. Bytes are base64. `aws_driver PLUGIN.so LIBTEAL_HTTP.so`
//
//   {"id":1,"do":"open","as":"a","config":{…}}      {"id":2,"do":"commit","on":"a","ops":[{"do":"put","if":"any",…}]}
//
// A host of its own, with the service teal.host.http/1 and nothing else, so that what is tested is the plugin alone.
#include <dlfcn.h>
#include <teal/abi.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <teal/host.hpp>
#include <thread>

#include "core/host/http/library.h"
#include "plugins/aws/encoding.hpp"

namespace {

using Json = nlohmann::json;
using teal::host::CallOptions;
using teal::host::Memory;

const teal_http_library* http_library = nullptr;
std::mutex output;

std::string Encode(std::string_view bytes) {
  std::string out;
  teal::aws::AppendBase64(out, bytes);
  return out;
}

std::string Encode(const teal_version& version) {
  return Encode({reinterpret_cast<const char*>(version.opaque), sizeof version.opaque});
}

std::string Bytes(const Json& command, const char* name) {
  return teal::aws::FromBase64(command.value(name, "")).value();
}

uint64_t Now() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
}

// ---- The host ----

const void* TEAL_CALL Service(const teal_host*, const char* id) {
  return std::string_view(id) == "teal.host.http/1" ? http_library->http : nullptr;
}

void TEAL_CALL Log(const teal_host*, uint32_t level, teal_bytes message, teal_bytes) {
  const std::lock_guard lock(output);
  std::cout << Json{{"log", teal::View(message)}, {"level", level}}.dump() << std::endl;
}

uint64_t TEAL_CALL HostNow(const teal_host*) {
  return Now();
}

struct Opened {
  teal_host host{sizeof(teal_host), TEAL_ABI_MINOR, nullptr, &Service, &Log, &HostNow};
  teal_instance* instance = nullptr;
  std::unique_ptr<Memory> memory;
};

// ---- Answers ----

Json FromError(const teal::host::Error& error) {
  if (error.Ok()) return {{"code", 0}};
  return {{"code", error.code},
          {"unknown", error.outcome == TEAL_OUTCOME_UNKNOWN},
          {"retry_after_ns", error.retry_after_ns},
          {"vendor", error.vendor_code},
          {"message", error.message}};
}

Json FromRecord(const teal::host::Record& record) {
  return {{"p", Encode(record.partition)}, {"s", Encode(record.sort)},  {"v", Encode(record.value)},
          {"ver", Encode(record.version)}, {"due", record.due_unix_ns}, {"exp", record.expires_unix_ns}};
}

Json FromPage(const teal::host::PageResult& page) {
  Json out = FromError(page.error);
  out["records"] = Json::array();
  for (const auto& record : page.records) out["records"].push_back(FromRecord(record));
  out["more"] = page.more;
  out["next"] = Encode(page.next);
  return out;
}

// ---- Commands ----

CallOptions OptionsOf(const Json& command, std::string& key) {
  CallOptions options;
  key = Bytes(command, "key");
  options.idempotency_key = key;
  options.op_id = command.value("op_id", uint64_t{0});
  if (const uint64_t ms = command.value("deadline_ms", uint64_t{0})) options.deadline_unix_ns = Now() + ms * 1'000'000;
  return options;
}

Json Commit(const Memory& memory, const Json& command, const CallOptions& options) {
  struct Parts {
    std::string partition, sort, value;
  };
  const Json& list = command["ops"];
  std::vector<Parts> parts;
  for (const Json& op : list) parts.push_back({Bytes(op, "p"), Bytes(op, "s"), Bytes(op, "v")});
  std::vector<teal::host::Op> ops(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string kind = list[i]["do"];
    const std::string condition = list[i]["if"];
    ops[i].kind = kind == "put" ? TEAL_PUT : kind == "delete" ? TEAL_DELETE : TEAL_CHECK;
    ops[i].condition = condition == "any" ? TEAL_IF_ANY : condition == "absent" ? TEAL_IF_ABSENT : TEAL_IF_VERSION;
    if (ops[i].condition == TEAL_IF_VERSION) {
      const std::string version = teal::aws::FromBase64(condition).value();
      std::copy_n(version.data(), sizeof ops[i].expected.opaque, reinterpret_cast<char*>(ops[i].expected.opaque));
    }
    ops[i].partition = parts[i].partition;
    ops[i].sort = parts[i].sort;
    ops[i].value = parts[i].value;
    ops[i].due_unix_ns = list[i].value("due", uint64_t{0});
    ops[i].expires_unix_ns = list[i].value("exp", uint64_t{0});
  }
  const auto result = memory.CommitNow(ops, options);
  Json out = FromError(result.error);
  out["failed_op"] = result.failed_op;
  out["versions"] = Json::array();
  for (const teal_version& version : result.versions) out["versions"].push_back(Encode(version));
  if (result.found) out["found"] = FromRecord(*result.found);
  return out;
}

Json Get(const Memory& memory, const Json& command, const CallOptions& options) {
  std::vector<std::pair<std::string, std::string>> parts;
  for (const Json& key : command["keys"]) {
    parts.emplace_back(teal::aws::FromBase64(key[0].get<std::string>()).value(),
                       teal::aws::FromBase64(key[1].get<std::string>()).value());
  }
  std::vector<teal_key> keys;
  for (const auto& [partition, sort] : parts) keys.push_back({teal::Bytes(partition), teal::Bytes(sort)});
  return FromPage(memory.GetNow(keys, options));
}

// `callers` threads commit or get as fast as they can: {"calls", "seconds"}.
Json Bench(const Memory& memory, const Json& command) {
  const int callers = command["callers"];
  const int calls = command["calls"];
  const bool put = command["what"] == "put";
  const std::string value(command.value("bytes", 300), 'x');
  std::atomic<int> next{0};
  std::atomic<int> wrong{0};
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int t = 0; t < callers; ++t) {
    threads.emplace_back([&, t] {
      const std::string partition = "bench" + std::to_string(t);
      for (int i = 0; next.fetch_add(1) < calls; ++i) {
        const std::string sort = put ? std::to_string(i) : "0";
        if (put) {
          const teal::host::Op op{TEAL_PUT, TEAL_IF_ABSENT, partition, sort, value, {}, 0, 0};
          wrong += memory.CommitNow({&op, 1}).error.Ok() ? 0 : 1;
        } else {
          wrong += memory.GetNow(partition, sort).records.size() == 1 ? 0 : 1;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return {{"code", 0}, {"calls", calls}, {"seconds", seconds}, {"wrong", wrong.load()}};
}

Json Run(const Memory& memory, const Json& command) {
  const std::string what = command["do"];
  std::string key;
  const CallOptions options = OptionsOf(command, key);
  const uint64_t handle = command.value("handle", uint64_t{0});
  if (what == "commit") return Commit(memory, command, options);
  if (what == "get") return Get(memory, command, options);
  if (what == "scan") {
    return FromPage(memory.ScanNow(Bytes(command, "p"), Bytes(command, "prefix"), command["limit"],
                                   Bytes(command, "cursor"), options));
  }
  if (what == "due") {
    return FromPage(memory.ScanDueNow(command["shard"], command["shards"], command["until"], command["limit"],
                                      Bytes(command, "cursor"), options));
  }
  if (what == "blob_open") {
    const auto result = memory.BlobOpenNow(Bytes(command, "name"), options);
    Json out = FromError(result.error);
    out["handle"] = result.handle;
    return out;
  }
  if (what == "blob_write") return FromError(memory.BlobWriteNow(handle, Bytes(command, "data"), options));
  if (what == "blob_commit") return FromError(memory.BlobCommitNow(handle, options));
  if (what == "blob_delete") return FromError(memory.BlobDeleteNow(Bytes(command, "name"), options));
  if (what == "blob_abort") {
    memory.table()->blob_abort(memory.instance(), handle);
    return {{"code", 0}};
  }
  if (what == "blob_get") {
    const auto result = memory.BlobGetNow(Bytes(command, "name"), command["offset"], command["size"], options);
    Json out = FromError(result.error);
    out["data"] = Encode(result.bytes);
    return out;
  }
  if (what == "bench") return Bench(memory, command);
  if (what == "caps") {
    const teal_memory_caps caps = memory.Caps();
    return {{"code", 0},
            {"features", caps.features},
            {"value_bytes_max", caps.value_bytes_max},
            {"commit_ops_max", caps.commit_ops_max},
            {"commit_bytes_max", caps.commit_bytes_max},
            {"blob_bytes_max", caps.blob_bytes_max},
            {"due_staleness_ns", caps.due_staleness_ns}};
  }
  return {{"code", -1}, {"message", "unknown command " + what}};
}

void* Library(const char* path) {
  void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::cerr << dlerror() << "\n";
    std::exit(2);
  }
  return library;
}

Json OpenInstance(const teal_plugin& plugin, const Json& command, Opened& opened) {
  const std::string config =
      command["config"].is_string() ? command["config"].get<std::string>() : command["config"].dump();
  teal_error error{};
  error.struct_size = sizeof error;
  if (plugin.open(&opened.host, teal::Bytes(config), &opened.instance, &error) != TEAL_OK) {
    return FromError(teal::host::FromAbi(&error));
  }
  const auto* const table = static_cast<const teal_memory*>(plugin.get_interface("teal.memory/1"));
  opened.memory = std::make_unique<Memory>(table, opened.instance);
  return {{"code", 0}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto entry = reinterpret_cast<teal_plugin_entry>(dlsym(Library(argv[1]), "teal_plugin_v1"));
  const auto http = reinterpret_cast<teal_http_library_entry>(dlsym(Library(argv[2]), TEAL_HTTP_LIBRARY_ENTRY));
  if (entry == nullptr || http == nullptr || (http_library = http()) == nullptr) return 2;
  const teal_plugin& plugin = *entry();
  std::map<std::string, Opened> instances;
  std::vector<std::thread> threads;
  std::string line;
  const auto answer = [](const Json& command, Json out) {
    out["id"] = command["id"];
    const std::lock_guard lock(output);
    std::cout << out.dump() << std::endl;
  };
  while (std::getline(std::cin, line)) {
    const Json command = Json::parse(line);
    const std::string what = command["do"];
    if (what == "open") {
      Opened& opened = instances[command["as"]];
      answer(command, OpenInstance(plugin, command, opened));
      continue;
    }
    if (what == "faults") {
      char error[256] = "";
      const int status = http_library->set_faults(command["rules"].dump().c_str(), error, sizeof error);
      answer(command, {{"code", status}, {"message", error}});
      continue;
    }
    Opened& opened = instances.at(command["on"]);
    if (what == "cancel") {
      answer(command, {{"code", plugin.cancel(opened.instance, command["op_id"])}});
    } else if (what == "close") {
      // On a thread, so that calls may still come and find it closing.
      threads.emplace_back([&plugin, &opened, command, answer] {
        plugin.close(opened.instance);
        answer(command, {{"code", 0}});
      });
    } else {
      threads.emplace_back([&opened, command, answer] { answer(command, Run(*opened.memory, command)); });
    }
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

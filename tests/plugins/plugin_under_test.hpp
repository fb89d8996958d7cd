// Loads a plugin by its path and opens one instance, as a host would, for the tests and benchmarks of the plugins.
// Aborts with words where that fails: a test cannot go on. Header only.
#pragma once

#include <dlfcn.h>
#include <teal/abi.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <teal/host.hpp>

namespace teal::tests {

[[noreturn]] inline void Die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

// A host with nothing but a log, on standard error, and the clock of the machine.
struct TestHost {
  static const void* TEAL_CALL Service(const teal_host*, const char*) { return nullptr; }
  static void TEAL_CALL Log(const teal_host*, uint32_t level, teal_bytes message, teal_bytes fields) {
    if (level == TEAL_LOG_DEBUG || std::getenv("TEAL_TEST_LOG") == nullptr) return;
    std::fprintf(stderr, "log %u: %s %s\n", level, Copy(message).c_str(), Copy(fields).c_str());
  }
  static uint64_t TEAL_CALL Now(const teal_host*) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  }
  teal_host host{sizeof(teal_host), TEAL_ABI_MINOR, nullptr, Service, Log, Now};
};

class Plugin {
 public:
  explicit Plugin(const std::string& path) {
    void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) Die(std::string("cannot load the plugin: ") + dlerror());
    const auto entry = reinterpret_cast<teal_plugin_entry>(dlsym(library, "teal_plugin_v1"));
    if (entry == nullptr) Die("the library has no teal_plugin_v1");
    table_ = entry();
  }
  const teal_plugin* table() const { return table_; }
  template <typename Table>
  const Table* Interface(const char* id) const {
    return static_cast<const Table*>(table_->get_interface(id));
  }

 private:
  const teal_plugin* table_ = nullptr;
};

// An open instance. Close is the destructor's.
class Instance {
 public:
  // `error` NULL: failing to open ends the test. Else what it says is put there, and the instance is not open.
  Instance(const Plugin& plugin, const std::string& config, std::string* error = nullptr) : plugin_(plugin) {
    teal_error failed{};
    failed.struct_size = sizeof failed;
    const teal_status status = plugin.table()->open(&host_.host, Bytes(config), &instance_, &failed);
    if (status == TEAL_OK) return;
    instance_ = nullptr;
    if (error == nullptr) Die(std::string("cannot open: ") + failed.message);
    *error = std::to_string(status) + " " + failed.message;
  }
  ~Instance() {
    if (instance_ != nullptr) plugin_.table()->close(instance_);
  }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  bool IsOpen() const { return instance_ != nullptr; }
  teal_instance* get() const { return instance_; }
  const teal_host* host() const { return &host_.host; }
  host::Memory Memory() const { return {plugin_.Interface<teal_memory>("teal.memory/1"), instance_}; }

 private:
  const Plugin& plugin_;
  TestHost host_;
  teal_instance* instance_ = nullptr;
};

}  // namespace teal::tests

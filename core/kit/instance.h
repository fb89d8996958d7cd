// An open instance of the plugin.
#pragma once

#include <string>
#include <string_view>

#include "abi/include/teal/abi.h"
#include "core/kit/host.h"

namespace teal::kit {

// What `open` gave.
struct Opened {
  teal_status status = TEAL_OK;
  teal_instance* instance = nullptr;
  teal_error error{};
  std::string Says() const;
};
Opened Open(Host& host, std::string_view config_json);

// Closed by its end if it was not before. Close is the test's to call at the right time; the rest is thread-safe.
class Instance {
 public:
  // Fails the test if the plugin does not open with the configuration given to the kit.
  explicit Instance(Host& host);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  teal_instance* handle() const { return handle_; }
  Host& host() const { return host_; }
  void Close();

 private:
  Host& host_;
  teal_instance* handle_ = nullptr;
};

// `name` in this test's own space of the store.
std::string Space(std::string_view name);
bool InSpace(std::string_view name);

}  // namespace teal::kit

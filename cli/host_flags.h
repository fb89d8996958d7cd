// The commands that start a host or ask one, as they stand on the command line. `teal` knows them for its help and
// completion and leaves them to teal-serve, an executable beside it, which reads the same words again: so `teal` itself
// needs no TLS.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace teal::cli {

// Of whichever command was chosen.
struct HostFlags {
  // serve
  std::string listen = "127.0.0.1:8787";
  int port = -1;  // -1: not given
  std::string data;
  std::string memory = "local";
  std::string memory_config;
  uint32_t lease_seconds = 30;
  std::string tls_certificate;
  std::string tls_key;
  std::vector<std::string> allowed_hosts;
  std::string file;
  bool empty = false;
  // dev
  bool debug = false;
  bool time_skip = false;
  // versions
  std::string hash;
  bool activate = false;
  // start, invoke
  std::string function;
  std::vector<std::string> arguments;
  std::string id;
  std::string on_conflict;
  // of several
  std::string sid;
  std::vector<std::string> labels;
  std::string timeout;
  bool follow = false;
  // sessions
  std::string status;
  std::string since;
  uint32_t limit = 100;
  // send
  std::string event;
  std::string value;
  std::string wait;
  // rerun
  std::string from;
  // dead: list, show, retry or drop
  std::string action;
  // fire
  std::string at;
  // backup, restore
  std::string folder;
  // keys; fire: of the trigger
  std::string name;
  std::string role = "operate";
};

// flags: outlives `app`.
void AddHostCommands(CLI::App& app, HostFlags* flags);
bool IsHostCommand(const std::string& name);

}  // namespace teal::cli

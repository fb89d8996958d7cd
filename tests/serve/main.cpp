// serve_scripted: the control API's server over ScriptedSessions, for tests/serve/run.
//   serve_scripted FOLDER [--tls CERT KEY] [--allow-host H]… [--limit NAME=NUMBER]…
// Prints "ready URL". Its key is in FOLDER/key, the others in FOLDER/keys.json. SIGTERM drains.
#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <unordered_map>

#include "core/serve/server.h"
#include "tests/serve/scripted.h"

namespace {

using teal::serve::ServeLimits;

bool SetLimit(const std::string& word, ServeLimits* limits) {
  const size_t equals = word.find('=');
  const std::string name = word.substr(0, equals);
  const uint64_t number = std::strtoull(word.c_str() + equals + 1, nullptr, 10);
  const std::unordered_map<std::string, uint32_t*> small = {{"header_bytes_max", &limits->header_bytes_max},
                                                            {"pipelined_bytes_max", &limits->pipelined_bytes_max},
                                                            {"connections_max", &limits->connections_max},
                                                            {"calls_max", &limits->calls_max},
                                                            {"waits_max", &limits->waits_max}};
  const std::unordered_map<std::string, uint64_t*> large = {
      {"body_bytes_max", &limits->body_bytes_max}, {"bodies_bytes_max", &limits->bodies_bytes_max},
      {"header_ns_max", &limits->header_ns_max},   {"request_ns_max", &limits->request_ns_max},
      {"idle_ns_max", &limits->idle_ns_max},       {"stall_ns_max", &limits->stall_ns_max},
      {"keep_alive_ns", &limits->keep_alive_ns},   {"look_ns", &limits->look_ns},
      {"wait_ns_max", &limits->wait_ns_max}};
  if (const auto found = small.find(name); found != small.end()) *found->second = static_cast<uint32_t>(number);
  if (const auto found = large.find(name); found != large.end()) *found->second = number;
  return small.contains(name) || large.contains(name);
}

int Main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string folder = argv[1];
  teal::serve::ServerOptions options;
  options.port = 0;
  for (int i = 2; i + 1 < argc; ++i) {
    const std::string flag = argv[i];
    const std::string value = argv[++i];
    if (flag == "--tls" && i + 1 < argc) {
      options.tls_certificate_file = value;
      options.tls_key_file = argv[++i];
    } else if (flag == "--allow-host") {
      options.allowed_hosts.push_back(value);
    } else if (flag != "--limit" || !SetLimit(value, &options.limits)) {
      std::fprintf(stderr, "unknown: %s %s\n", flag.c_str(), value.c_str());
      return 2;
    }
  }
  // Before any other thread is there.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const auto key = teal::serve::ReadOrMakeKey(folder + "/key");
  if (!key) {
    std::fprintf(stderr, "%s\n", key.failure().message.c_str());
    return 2;
  }
  const auto keys = teal::serve::KeyRing::Open(key.value(), folder + "/keys.json");
  if (!keys) {
    std::fprintf(stderr, "%s\n", keys.failure().message.c_str());
    return 2;
  }
  teal::serve_test::ScriptedSessions sessions;
  const auto server = teal::serve::Server::Start(options, &sessions, keys.value().get());
  if (!server) {
    std::fprintf(stderr, "%s\n", server.failure().message.c_str());
    return 3;
  }
  std::printf("ready %s\n", server.value()->Url().c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  server.value()->Drain();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return Main(argc, argv);
}

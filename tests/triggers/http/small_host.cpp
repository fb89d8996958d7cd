// http_small_host FOLDER SETTINGS.json [--limit NAME=NUMBER]…: the host's server and the trigger plugin `http` behind
// it, without sessions: what a function would give, the trigger's name says. For tests/triggers/http/run.
//
// SETTINGS: {"plugin": manifest, "instance": {…}, "triggers": {ID: section}}. ID begins with:
//   echo   the value is the first argument       all      the list of all arguments
//   body   the value is the JSON of the body     fail     the session failed
//   slow   it has not ended when the reply is due          busy  not taken at first, then as echo
//   none   the host never has room for it
//   dead   no session can be started              mute    accepted, and never replied to
// One (source, id) is one session: a repeat has the first one's value, with another fingerprint it is refused with 422.
// GET /teal/v1/health is the control API's. Prints "ready URL"; a line "started N" for each session. SIGTERM ends it.
#include <pthread.h>
#include <signal.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <teal/host.hpp>
#include <thread>

#include "core/host/instance.h"
#include "core/serve/server.h"
#include "tests/serve/scripted.h"

namespace {

using Json = nlohmann::json;
using teal::Bytes;
using teal::Copy;

struct Emitted {
  std::string trigger;
  uint64_t token = 0;
  std::string source, id, data;
  Json attributes;
};

struct Session {
  std::string sid, fingerprint, value;
};

class SmallHost {
 public:
  SmallHost(const teal_trigger* table, teal_instance* instance) : table_(table), instance_(instance) {
    thread_ = std::thread([this] { Run(); });
  }
  ~SmallHost() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
      wake_.notify_all();
    }
    thread_.join();
  }

  // Empty, or why it was refused.
  std::string Start(const std::string& id, const std::string& section) {
    Context* const context = new Context{this, id};  // for ever: the plugin holds it
    const auto error = teal::host::Wait<teal::host::Error>({}, [&](const teal_call* call) {
      return table_->start(instance_, call, Bytes(id), Bytes(section), Emit, context);
    });
    if (!error.Ok()) return error.message;
    if (!id.starts_with("none")) table_->credit(instance_, Bytes(id), kCredit);
    return "";
  }

 private:
  static constexpr uint64_t kCredit = 64;
  struct Context {
    SmallHost* host;
    std::string trigger;
  };

  static void TEAL_CALL Emit(void* ctx, const teal_event* event) {
    const auto* const context = static_cast<Context*>(ctx);
    SmallHost& self = *context->host;
    const std::lock_guard lock(self.mutex_);
    self.queue_.push_back({context->trigger, event->token, Copy(event->source), Copy(event->id), Copy(event->data),
                           Json::parse(teal::View(event->attributes_json))});
    self.wake_.notify_all();
  }

  void Run() {
    std::unique_lock lock(mutex_);
    while (!closing_) {
      if (queue_.empty()) {
        wake_.wait(lock);
        continue;
      }
      const Emitted event = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      Serve(event);
      table_->credit(instance_, Bytes(event.trigger), 1);
      lock.lock();
    }
  }

  void Serve(const Emitted& event) {
    const auto is = [&](const char* name) { return event.trigger.starts_with(name); };
    if (is("dead")) return Reply(event, 409, R"({"error":{"kind":"conflict","message":"no"}})");
    if (is("busy") && refused_.insert(event.id).second) {
      teal::host::Wait<teal::host::Error>(
          {}, [&](const teal_call* call) { return table_->reject(instance_, call, event.token, 100'000'000); });
      return;
    }
    const auto [at, is_new] = sessions_.try_emplace(event.source + "\n" + event.id);
    Session& session = at->second;
    const std::string fingerprint = event.attributes.value("fingerprint", "");
    if (is_new) {
      session.sid = "sid" + std::to_string(sessions_.size());
      session.fingerprint = fingerprint;
      const Json arguments = Json::parse(event.data);
      session.value = is("all") ? arguments.dump() : is("body") ? arguments[0]["json"].dump() : arguments[0].dump();
      std::printf("started %zu\n", sessions_.size());
      std::fflush(stdout);
    }
    if (session.fingerprint != fingerprint) {
      return Reply(event, 422, R"({"error":{"kind":"unfit","message":"another body came with this key"}})");
    }
    teal::host::Wait<teal::host::Error>(
        {}, [&](const teal_call* call) { return table_->accept(instance_, call, event.token, Bytes(session.sid)); });
    if (is("mute")) return;
    const bool at_once = event.attributes["reply"]["timeout_ms"] == 0;
    if (at_once || is("slow")) return Reply(event, 202, "{\"sid\":\"" + session.sid + "\"}");
    if (is("fail")) {
      return Reply(event, 500,
                   R"({"error":{"kind":"failed","message":"the session failed"},"sid":")" + session.sid + "\"}");
    }
    Reply(event, 200, session.value);
  }

  void Reply(const Emitted& event, uint32_t status, const std::string& body) {
    const std::string headers = R"({"location":"/teal/v1/sessions/x?t=y","retry-after":"1"})";
    teal::host::Wait<teal::host::Error>({}, [&](const teal_call* call) {
      return table_->reply(instance_, call, event.token, status, Bytes(headers), Bytes(body), 0);
    });
  }

  const teal_trigger* const table_;
  teal_instance* const instance_;
  std::map<std::string, Session> sessions_;  // of the thread alone
  std::set<std::string> refused_;            // of the thread alone
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Emitted> queue_;
  bool closing_ = false;
  std::thread thread_;
};

int Fail(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return 2;
}

int Main(int argc, char** argv) {
  if (argc < 3) return 2;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const std::string folder = argv[1];
  std::ifstream file(argv[2]);
  const Json settings = Json::parse(file);
  const auto manifest = teal::host::ReadManifest(settings["plugin"]);
  if (!manifest) return Fail(manifest.failure().message);
  const auto plugin = teal::host::LoadPlugin(manifest.value(), {});
  if (!plugin) return Fail(plugin.failure().message);

  teal::host::ServicesOptions service_options;
  service_options.http_server = std::make_shared<teal::host::HttpServer>();
  teal::serve::ServerOptions options;
  options.port = 0;
  options.requests = service_options.http_server;
  for (int i = 3; i + 1 < argc; i += 2) {
    const std::string limit = argv[i + 1];
    const uint64_t number = std::strtoull(limit.c_str() + limit.find('=') + 1, nullptr, 10);
    if (limit.starts_with("request_ns_max=")) options.limits.request_ns_max = number;
    if (limit.starts_with("header_ns_max=")) options.limits.header_ns_max = number;
  }
  teal::host::Services services(std::move(service_options));
  teal::host::InstanceOptions instance_options;
  instance_options.services = &services;
  instance_options.config_json = settings["instance"].dump();
  const auto instance = teal::host::Instance::Open(*plugin.value(), instance_options);
  if (!instance) return Fail(instance.failure().message);

  const auto key = teal::serve::ReadOrMakeKey(folder + "/key");
  if (!key) return Fail(key.failure().message);
  const auto keys = teal::serve::KeyRing::Open(key.value(), folder + "/keys.json");
  if (!keys) return Fail(keys.failure().message);
  teal::serve_test::ScriptedSessions sessions;
  std::optional<SmallHost> host(std::in_place, instance.value()->trigger(), instance.value()->handle());
  for (const auto& [id, section] : settings["triggers"].items()) {
    const std::string refused = host->Start(id, section.dump());
    if (!refused.empty()) return Fail(id + ": " + refused);
  }
  const auto server = teal::serve::Server::Start(options, &sessions, keys.value().get());
  if (!server) return Fail(server.failure().message);
  std::printf("ready %s\n", server.value()->Url().c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  host.reset();
  const bool closed = instance.value()->Close().ok();
  server.value()->Drain();
  return closed ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return Main(argc, argv);
}

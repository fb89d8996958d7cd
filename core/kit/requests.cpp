#include "core/kit/requests.h"

#include <array>
#include <chrono>
#include <csignal>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/kit/host.h"

namespace teal::kit {
namespace {

// As many as a test has events open at once: so all that were not accepted are among the next.
constexpr std::size_t kClients = 6;
constexpr auto kLookEvery = std::chrono::milliseconds(5);

struct Client {
  std::mutex mutex;
  bool waits = false;         // for an answer
  std::optional<int> status;  // that came
  uint64_t number = 0;        // of the request; 0: none yet
};

void Step(Client& client, uint64_t* last_number) {
  bool is_new = false;
  uint64_t number = 0;
  {
    const std::lock_guard lock(client.mutex);
    if (client.waits) return;
    is_new = client.number == 0 || (client.status && *client.status / 100 == 2);
    if (is_new) client.number = ++*last_number;
    number = client.number;
    client.status.reset();
    client.waits = true;
  }
  host::ArrivedRequest request;
  request.method = "POST";
  request.target = "/kit";
  request.source_address = "127.0.0.1";
  request.headers = {
      {"host", "kit"}, {"content-type", "application/json"}, {"idempotency-key", "kit-" + std::to_string(number)}};
  constexpr uint64_t kBodyBytesMax = 1u << 20;
  const auto answered = [&client](int status) {
    const std::lock_guard lock(client.mutex);
    client.status = status;
    client.waits = false;
  };
  host::HttpServer& server = Requests();
  const auto verdict =
      server.Arrive(request, kBodyBytesMax, [answered](const host::ServerAnswer& answer) { answered(answer.status); });
  if (verdict.answer) return answered(verdict.answer->status);
  server.Deliver(verdict.token, request, std::to_string(number), false);
}

void Run() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  static std::array<Client, kClients> clients;
  uint64_t last_number = 0;
  for (;;) {
    for (Client& client : clients) Step(client, &last_number);
    std::this_thread::sleep_for(kLookEvery);
  }
}

}  // namespace

void StartRequests() {
  static std::once_flag once;
  std::call_once(once, [] { std::thread(Run).detach(); });
}

}  // namespace teal::kit

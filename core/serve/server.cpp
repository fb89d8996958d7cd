#include "core/serve/server.h"

#include <sys/socket.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <future>
#include <utility>

#include "core/serve/connection.h"
#include "core/serve/tls.h"

namespace teal::serve {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr char kFull[] =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 108\r\n"
    "Retry-After: 1\r\nConnection: close\r\n\r\n"
    "{\"error\":{\"kind\":\"unavailable\",\"message\":\"too many connections are open\",\"hint\":\"try again after a "
    "moment\"}}";

Result<tcp::endpoint> EndpointOf(const std::string& address, uint16_t port) {
  ErrorCode error;
  const std::string written = address == "localhost" ? "127.0.0.1" : address;
  const auto ip = asio::ip::make_address(written, error);
  if (error) {
    return Fail(
        FailureCode::kInvalid,
        "\"" + address + "\" is no IP address: listen on 127.0.0.1, on 0.0.0.0 or on an address of this machine");
  }
  return tcp::endpoint(ip, port);
}

}  // namespace

struct Server::Impl {
  explicit Impl(ServerOptions chosen) : options(std::move(chosen)), shared(std::make_shared<Shared>()) {}

  Status Listen() {
    const Result<tcp::endpoint> endpoint = EndpointOf(options.address, options.port);
    if (!endpoint) return endpoint.failure();
    ErrorCode error;
    acceptor->open(endpoint.value().protocol(), error);
    if (!error) acceptor->set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor->bind(endpoint.value(), error);
    if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
    if (!error) local = acceptor->local_endpoint(error);
    if (!error) return Unit{};
    const std::string where = options.address + ":" + std::to_string(options.port);
    const char* const hint = error == asio::error::address_in_use
                                 ? ": stop who listens there, or choose another with --port"
                                 : ": choose another address with --listen";
    return Fail(FailureCode::kUnavailable, "cannot listen on " + where + ": " + error.message() + hint);
  }

  // On the first loop's thread.
  void Accept() {
    if (draining) return;
    Loop& loop = shared->loops->at(turn++ % shared->loops->size());
    acceptor->async_accept(loop.io, [this, &loop](ErrorCode error, tcp::socket socket) {
      if (draining) return;
      if (!error) {
        Take(loop, std::move(socket));
        return Accept();
      }
      // Out of descriptors: those that are open will close some time.
      pause->expires_after(kAcceptPause);
      pause->async_wait([this](ErrorCode) { Accept(); });
    });
  }

  void Take(Loop& loop, tcp::socket socket) {
    ErrorCode error;
    const tcp::endpoint near = socket.local_endpoint(error);
    if (error) return;
    const tcp::endpoint far = socket.remote_endpoint(error);
    if (error) return;
    ServeCounters& counters = *shared->counters;
    if (counters.connections.load(std::memory_order_relaxed) >= options.limits.connections_max) {
      counters.refused_connections.fetch_add(1, std::memory_order_relaxed);
      if (tls == nullptr) ::send(socket.native_handle(), kFull, sizeof kFull - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
      return;
    }
    counters.connections.fetch_add(1, std::memory_order_relaxed);
    socket.set_option(tcp::no_delay(true), error);
    socket.set_option(asio::socket_base::keep_alive(true), error);
    asio::post(loop.io, [this, &loop, near, far, socket = std::move(socket)]() mutable {
      const std::shared_ptr<Stream> stream =
          tls == nullptr ? PlainStream(std::move(socket)) : TlsStream(std::move(socket), *tls);
      Ends ends;
      ends.local_address = near.address().to_string();
      ends.peer_address = far.address().to_string();
      ends.peer_is_loopback = far.address().is_loopback();
      ends.tls = tls != nullptr;
      std::make_shared<Connection>(shared, &loop, stream, std::move(ends))->Start();
    });
  }

  // Runs `function` on each loop's thread and waits until all have.
  template <typename Function>
  void OnEach(const Function& function) {
    for (size_t i = 0; i < shared->loops->size(); ++i) {
      std::promise<void> done;
      Loop& loop = shared->loops->at(i);
      asio::post(loop.io, [&] {
        function(loop);
        done.set_value();
      });
      done.get_future().wait();
    }
  }

  void StopAccepting() {
    if (draining.exchange(true)) return;
    OnEach([this](const Loop& loop) {
      if (&loop != &shared->loops->at(0)) return;
      ErrorCode ignored;
      acceptor->close(ignored);
      pause->cancel();
    });
  }

  bool WaitUntilEmpty(uint64_t ns) const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::nanoseconds(ns);
    while (shared->counters->connections > 0) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }

  // Closing may destroy a connection, and so change the set.
  template <typename Function>
  static void OnConnections(Loop& loop, const Function& function) {
    std::vector<std::shared_ptr<Connection>> connections;
    for (Connection* connection : loop.connections) {
      if (auto alive = connection->weak_from_this().lock()) connections.push_back(std::move(alive));
    }
    for (const auto& connection : connections) function(*connection);
  }

  const ServerOptions options;
  const std::shared_ptr<Shared> shared;
  std::shared_ptr<asio::ssl::context> tls;  // null: none
  std::unique_ptr<tcp::acceptor> acceptor;
  std::unique_ptr<asio::steady_timer> pause;
  tcp::endpoint local;
  std::atomic<bool> draining{false};
  size_t turn = 0;
};

Result<std::unique_ptr<Server>> Server::Start(ServerOptions options, runtime::SessionService* service, KeyRing* keys) {
  auto impl = std::make_unique<Impl>(std::move(options));
  const ServerOptions& chosen = impl->options;
  if (!chosen.tls_certificate_file.empty()) {
    Result<std::shared_ptr<asio::ssl::context>> tls = TlsContext(chosen.tls_certificate_file, chosen.tls_key_file);
    if (!tls) return tls.failure();
    impl->tls = std::move(*tls);
  }
  Shared& shared = *impl->shared;
  shared.limits = chosen.limits;
  shared.requests = chosen.requests;
  shared.loops = std::make_shared<Loops>(std::max(chosen.threads, 1u));
  shared.counters = std::make_shared<ServeCounters>();
  std::vector<std::string> hosts = chosen.allowed_hosts;
  hosts.push_back(chosen.address);
  shared.gate = std::make_unique<Gate>(keys, HostCheck(hosts));
  const std::weak_ptr<Loops> loops = shared.loops;
  shared.api = std::make_shared<Api>(
      service, chosen.limits, shared.counters,
      [loops](uint64_t ns, std::function<void()> function) {
        if (const auto alive = loops.lock()) alive->After(ns, std::move(function));
      },
      chosen.triggers, chosen.back_up);
  impl->acceptor = std::make_unique<tcp::acceptor>(shared.loops->at(0).io);
  impl->pause = std::make_unique<asio::steady_timer>(shared.loops->at(0).io);
  if (const Status listening = impl->Listen(); !listening) return listening.failure();
  Impl& running = *impl;
  std::unique_ptr<Server> server(new Server(std::move(impl)));
  shared.loops->Start();
  asio::post(shared.loops->at(0).io, [&running] { running.Accept(); });
  return server;
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  impl_->StopAccepting();
  impl_->OnEach([](Loop& loop) { Impl::OnConnections(loop, [](Connection& connection) { connection.Close(); }); });
  impl_->WaitUntilEmpty(kSecondNs);
  impl_->shared->loops->Stop();
}

uint16_t Server::port() const {
  return impl_->local.port();
}

std::string Server::Url() const {
  const auto address = impl_->local.address();
  std::string host = address.to_string();
  if (address.is_unspecified()) host = address.is_v6() ? "::1" : "127.0.0.1";
  if (address.is_v6()) host = "[" + host + "]";
  return std::string(impl_->tls == nullptr ? "http" : "https") + "://" + host + ":" + std::to_string(port());
}

void Server::Drain() {
  impl_->shared->api->Stop();
  impl_->StopAccepting();
  impl_->OnEach([](Loop& loop) { Impl::OnConnections(loop, [](Connection& connection) { connection.Drain(); }); });
  impl_->WaitUntilEmpty(impl_->options.limits.drain_ns_max);
}

}  // namespace teal::serve

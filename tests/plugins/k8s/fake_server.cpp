#include "tests/plugins/k8s/fake_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

namespace teal::k8s_test {
namespace {

std::string Message(char kind, const std::string& body) {
  const uint32_t size = htonl(static_cast<uint32_t>(body.size() + 4));
  return kind + std::string(reinterpret_cast<const char*>(&size), 4) + body;
}

}  // namespace

FakeServer::FakeServer(std::string version) : version_(std::move(version)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
  ::listen(listener_, 8);
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

FakeServer::~FakeServer() {
  ended_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
}

void FakeServer::Serve() {
  std::vector<int> clients;
  while (!ended_) {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) break;
    clients.push_back(client);
    if (version_.empty()) continue;
    char startup[4096];
    if (::recv(client, startup, sizeof startup, 0) <= 0) continue;
    const std::string answer = Message('R', std::string(4, '\0')) +
                               Message('S', std::string("server_version\0", 15) + version_ + '\0') +
                               Message('K', std::string(8, '\1')) + Message('Z', "I");
    ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
  }
  for (const int client : clients) ::close(client);
}

}  // namespace teal::k8s_test

#include "tests/plugins/k8s/proxy.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <utility>

namespace teal::k8s_test {

namespace {

int Connect(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

bool SendAll(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    data.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// What is there within the time; empty = the end, or nothing.
std::string Receive(int fd, int milliseconds) {
  pollfd waiting{fd, POLLIN, 0};
  if (::poll(&waiting, 1, milliseconds) <= 0) return {};
  char buffer[65536];
  const ssize_t size = ::recv(fd, buffer, sizeof buffer, 0);
  return size <= 0 ? std::string() : std::string(buffer, static_cast<std::size_t>(size));
}

// Whether a message Bind of the statement is there. What prepares it on a new connection has no zero after its name.
bool IsCommit(std::string_view data) {
  using namespace std::string_view_literals;
  return data.find("\0teal_commit\0"sv) != std::string_view::npos;
}

constexpr int kPatienceMs = static_cast<int>(std::chrono::milliseconds(kPatience).count());

bool AwaitAnswers(int server, Traffic& traffic) {
  while (traffic.awaited() > 0) {
    const std::string part = Receive(server, kPatienceMs);
    if (part.empty()) return false;
    traffic.Answered(part);
  }
  return true;
}

uint32_t Number(std::string_view bytes) {
  uint32_t number = 0;
  std::memcpy(&number, bytes.data(), sizeof number);
  return ntohl(number);
}

}  // namespace

void Traffic::Sent(std::string_view data) {
  sent_.append(data);
  for (;;) {
    const std::size_t type = started_ ? 1 : 0;  // the first messages of a connection have none
    if (sent_.size() < type + 4) return;
    const std::size_t size = type + Number(std::string_view(sent_).substr(type));
    if (sent_.size() < size) return;
    synced_ = !started_ || sent_[0] == 'S' || sent_[0] == 'Q';
    constexpr uint32_t kTls = 80877103;
    constexpr uint32_t kGss = 80877104;
    const uint32_t asked = started_ ? 0 : Number(std::string_view(sent_).substr(4));
    if (asked == kTls || asked == kGss) {
      ++bare_;
    } else {
      awaited_ += synced_ ? 1 : 0;
      started_ = true;
    }
    sent_.erase(0, size);
  }
}

void Traffic::Answered(std::string_view data) {
  for (; bare_ > 0 && !data.empty(); --bare_) data.remove_prefix(1);
  answered_.append(data);
  while (answered_.size() >= 5) {
    const std::size_t size = 1 + Number(std::string_view(answered_).substr(1));
    if (answered_.size() < size) return;
    if (answered_[0] == 'Z') --awaited_;
    answered_.erase(0, size);
  }
}

Proxy::Proxy(int server_port) : server_port_(server_port) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no port for the proxy");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

Proxy::~Proxy() {
  ended_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  for (std::thread& thread : threads_) thread.join();
  if (held_server_ >= 0) ::close(held_server_);
}

std::string Proxy::Through(const std::string& url) const {
  const std::size_t slash = url.rfind('/');
  const std::size_t colon = url.rfind(':', slash);
  return url.substr(0, colon + 1) + std::to_string(port_) + url.substr(slash);
}

void Proxy::Catch(Mode mode, std::function<void()> then) {
  {
    const std::lock_guard lock(mutex_);
    then_ = std::move(then);
  }
  caught_ = false;
  mode_ = mode;
}

void Proxy::Accept() {
  for (int number = 1; !ended_;) {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    const std::lock_guard lock(mutex_);
    threads_.emplace_back([this, client, number] { Carry(client, number); });
    ++number;
  }
}

void Proxy::Carry(int client, int number) {
  int server = Connect(server_port_);
  Traffic traffic;
  while (!ended_ && server >= 0) {
    pollfd ends[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    if (::poll(ends, 2, 50) <= 0) continue;
    if (mode_ == Mode::kSilent) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      continue;
    }
    if (ends[0].revents != 0) {
      std::string data = Receive(client, 0);
      if (data.empty()) break;
      traffic.Sent(data);
      const Mode mode = mode_;
      const bool commits = IsCommit(data);
      if (commits) committer_ = number;
      if (commits && (mode == Mode::kDropAnswer || mode == Mode::kHoldCommit) && !caught_.exchange(true)) {
        mode_ = Mode::kPass;
        while (!traffic.Whole()) {
          const std::string rest = Receive(client, kPatienceMs);
          if (rest.empty()) break;
          traffic.Sent(rest);
          data += rest;
        }
        if (mode == Mode::kDropAnswer) {
          SendAll(server, data);
          EXPECT_TRUE(AwaitAnswers(server, traffic)) << "the server gave no answer to what was caught";
          std::function<void()> then;
          {
            const std::lock_guard lock(mutex_);
            then = std::exchange(then_, nullptr);
          }
          if (then) then();
        } else {
          const std::lock_guard lock(mutex_);
          held_ = data;
          held_traffic_ = traffic;
          held_server_ = std::exchange(server, -1);
        }
        break;
      }
      if (!SendAll(server, data)) break;
    }
    if (ends[1].revents != 0) {
      const std::string data = Receive(server, 0);
      traffic.Answered(data);
      if (data.empty() || !SendAll(client, data)) break;
    }
  }
  ::close(client);
  if (server >= 0) ::close(server);
}

void Proxy::Release() {
  const std::lock_guard lock(mutex_);
  ASSERT_GE(held_server_, 0);
  SendAll(held_server_, held_);
  EXPECT_TRUE(AwaitAnswers(held_server_, held_traffic_)) << "the server gave no answer to what was held";
  ::close(std::exchange(held_server_, -1));
}

}  // namespace teal::k8s_test

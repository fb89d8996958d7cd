// A load on a host's control API: load PORT KEY_FILE CLIENTS REQUESTS PATH BODY EXPECTED.
//
// CLIENTS connections that stay open, each with one request on its way at a time, REQUESTS in all: POST PATH with BODY.
// Every answer must have status 200 and hold the text EXPECTED. One OS thread, so that the load leaves the processors
// to what it measures. Prints a JSON object: seconds in all, and of one request, in microseconds, p50_us p90_us p99_us
// max_us.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "load: %s\n", why.c_str());
  std::exit(1);
}

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

uint64_t Number(const char* text) {
  uint64_t value = 0;
  const char* const end = text + std::strlen(text);
  if (std::from_chars(text, end, value).ptr != end || value == 0) Die(std::string("no number above 0: ") + text);
  return value;
}

struct Client {
  int socket = -1;
  double sent = 0;
  std::string received;
};

int Connect(uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) Die(std::strerror(errno));
  const int yes = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return socket;
}

// The length of the answer that `received` begins with; 0: it is not all there yet.
size_t AnswerLength(const std::string& received) {
  const size_t head = received.find("\r\n\r\n");
  if (head == std::string::npos) return 0;
  std::string lower = received.substr(0, head);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  const size_t at = lower.find("content-length:");
  if (at == std::string::npos) Die("an answer without a length: " + received.substr(0, head));
  const size_t length = std::strtoull(lower.c_str() + at + 15, nullptr, 10);
  return received.size() >= head + 4 + length ? head + 4 + length : 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) Die("usage: load PORT KEY_FILE CLIENTS REQUESTS PATH BODY EXPECTED");
  const auto port = static_cast<uint16_t>(Number(argv[1]));
  std::ifstream file(argv[2]);
  std::string key;
  if (!(file >> key)) Die(std::string("no key in ") + argv[2]);
  const uint64_t requests = Number(argv[4]);
  const uint64_t clients = std::min(Number(argv[3]), requests);
  const std::string body = argv[6];
  const std::string expected = argv[7];
  const std::string request =
      std::string("POST ") + argv[5] + " HTTP/1.1\r\nhost: 127.0.0.1:" + argv[1] + "\r\nx-teal-key: " + key +
      "\r\ncontent-type: application/json\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;

  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<Client> all(clients);
  std::vector<double> taken;
  taken.reserve(requests);
  uint64_t begun = 0;
  const auto send = [&](Client& client) {
    ++begun;
    client.sent = Now();
    if (::send(client.socket, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
      Die("a request could not be sent whole");
    }
  };
  for (uint64_t i = 0; i < clients; ++i) {
    all[i].socket = Connect(port);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    if (::epoll_ctl(poll, EPOLL_CTL_ADD, all[i].socket, &event) != 0) Die(std::strerror(errno));
  }
  const double start = Now();
  for (Client& client : all) send(client);
  std::array<epoll_event, 256> events{};
  std::array<char, 65536> buffer{};
  while (taken.size() < requests) {
    const int count = ::epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      Client& client = all[events[static_cast<size_t>(i)].data.u64];
      const ssize_t got = ::recv(client.socket, buffer.data(), buffer.size(), 0);
      if (got <= 0) Die("the host has closed the connection");
      client.received.append(buffer.data(), static_cast<size_t>(got));
      const size_t length = AnswerLength(client.received);
      if (length == 0) continue;
      taken.push_back(Now() - client.sent);
      const std::string_view answer(client.received.data(), length);
      if (!answer.starts_with("HTTP/1.1 200") || answer.find(expected) == std::string_view::npos) {
        Die("not the answer that was expected: " + std::string(answer));
      }
      client.received.erase(0, length);
      if (begun < requests) send(client);
    }
  }
  const double seconds = Now() - start;
  std::sort(taken.begin(), taken.end());
  const auto at = [&](double part) {
    return taken[static_cast<size_t>(static_cast<double>(taken.size() - 1) * part)] * 1e6;
  };
  std::printf("{\"seconds\": %.6f, \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n", seconds,
              at(0.5), at(0.9), at(0.99), taken.back() * 1e6);
  return 0;
}

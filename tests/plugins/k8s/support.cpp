#include "tests/plugins/k8s/support.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <barrier>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

namespace teal::k8s_test {

const teal_plugin* Plugin() {
  static const teal_plugin* const plugin = [] {
    void* const library = ::dlopen(Env("TEAL_K8S_PLUGIN").c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error(::dlerror());
    return reinterpret_cast<teal_plugin_entry>(::dlsym(library, "teal_plugin_v1"))();
  }();
  return plugin;
}

std::string Env(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr)
    throw std::runtime_error(std::string(name) + " is not set: start this by tests/plugins/k8s/run");
  return value;
}

Host::Host() {
  abi_.struct_size = sizeof abi_;
  abi_.ctx = this;
  abi_.service = [](const teal_host*, const char*) -> const void* { return nullptr; };
  abi_.log = [](const teal_host* host, uint32_t, teal_bytes message, teal_bytes) {
    auto& self = *static_cast<Host*>(host->ctx);
    const std::lock_guard lock(self.mutex_);
    self.log_.append(View(message)).append("\n");
  };
  abi_.now_unix_ns = [](const teal_host* host) { return static_cast<Host*>(host->ctx)->Now(); };
}

uint64_t Host::Now() const {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count() + offset_);
}

std::string Host::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

Store::Store(const std::string& config) {
  teal_error error{};
  error.struct_size = sizeof error;
  const teal_status status = Plugin()->open(host_.abi(), Bytes(config), &instance_, &error);
  if (status != TEAL_OK) throw std::runtime_error(std::string("open: ") + error.message);
  table_ = static_cast<const teal_memory*>(Plugin()->get_interface("teal.memory/1"));
}

void Store::Close() {
  if (instance_ != nullptr) Plugin()->close(std::exchange(instance_, nullptr));
}

host::CommitResult Store::Put(std::string_view partition, std::string_view sort, std::string_view value,
                              uint64_t due) const {
  const host::Op op{.partition = partition, .sort = sort, .value = value, .due_unix_ns = due};
  return memory().CommitNow({&op, 1});
}

host::CommitResult Store::Create(std::string_view partition, std::string_view sort, std::string_view value) const {
  const host::Op op{.condition = TEAL_IF_ABSENT, .partition = partition, .sort = sort, .value = value};
  return memory().CommitNow({&op, 1});
}

host::CommitResult Store::Replace(std::string_view partition, std::string_view sort, std::string_view value,
                                  const teal_version& expected, host::CallOptions options) const {
  const host::Op op{
      .condition = TEAL_IF_VERSION, .partition = partition, .sort = sort, .value = value, .expected = expected};
  return memory().CommitNow({&op, 1}, options);
}

host::CommitResult Store::Delete(std::string_view partition, std::string_view sort) const {
  const host::Op op{.kind = TEAL_DELETE, .partition = partition, .sort = sort};
  return memory().CommitNow({&op, 1});
}

std::optional<host::Record> Store::Get(std::string_view partition, std::string_view sort) const {
  host::PageResult page = memory().GetNow(partition, sort);
  EXPECT_OK(page);
  if (page.records.empty()) return std::nullopt;
  return page.records[0];
}

host::Error OpenError(const std::string& config) {
  Host host;
  teal_instance* instance = nullptr;
  teal_error error{};
  error.struct_size = sizeof error;
  const teal_status status = Plugin()->open(host.abi(), Bytes(config), &instance, &error);
  EXPECT_NE(status, TEAL_OK) << "open succeeded";
  if (status == TEAL_OK) Plugin()->close(instance);
  EXPECT_EQ(status, error.code);
  return host::FromAbi(&error);
}

std::string FreshSchema() {
  static std::atomic<int> count{0};
  return "t" + std::to_string(::getpid()) + "_" + std::to_string(++count);
}

std::string Section(const std::string& url, const std::string& schema, const std::string& more) {
  return R"({"url":")" + url + R"(","schema":")" + schema + "\"" + more + "}";
}

std::string Sql(const std::string& sql, const std::string& url) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(url.c_str()), &PQfinish);
  if (PQstatus(connection.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection.get()));
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()), &PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
    throw std::runtime_error(PQerrorMessage(connection.get()));
  return PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
}

std::string Peer(const std::string& words) {
  const std::string command = Env("TEAL_PEERS_FOLDER") + "/" + words;
  FILE* const pipe = ::popen(command.c_str(), "r");
  std::string out;
  char buffer[4096];
  for (std::size_t size = 0; (size = ::fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.append(buffer, size);
  if (::pclose(pipe) != 0) throw std::runtime_error(command + " failed");
  return out;
}

void KillServer() {
  const std::string folder = Env("TEAL_K8S_SERVER");
  std::ifstream file(folder + "/server.json");
  const auto facts = nlohmann::json::parse(file);
  const auto pid = facts["pid"].get<pid_t>();
  // The backends notice by themselves that the postmaster has gone, but not at once: all at one moment, as in a power
  // cut.
  const std::string children = "ps -o pid= --ppid " + std::to_string(pid);
  FILE* const pipe = ::popen(children.c_str(), "r");
  std::vector<pid_t> all{pid};
  for (int child = 0; ::fscanf(pipe, "%d", &child) == 1;) all.push_back(child);
  ::pclose(pipe);
  for (const pid_t one : all) ::kill(one, SIGKILL);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

void RestartServer() {
  Peer("postgres start " + Env("TEAL_K8S_SERVER") + " --port " + Env("TEAL_K8S_PORT") + " > /dev/null");
}

void Together(int count, const std::function<void(int)>& body) {
  std::barrier start(count);
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      body(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// ---- The proxy ----

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

bool IsCommit(std::string_view data) {
  return data.find("teal_commit") != std::string_view::npos || data.find(".commit(") != std::string_view::npos;
}

}  // namespace

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

void Proxy::Accept() {
  while (!ended_) {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    const std::lock_guard lock(mutex_);
    threads_.emplace_back([this, client] { Carry(client); });
  }
}

void Proxy::Carry(int client) {
  int server = Connect(server_port_);
  while (!ended_ && server >= 0) {
    pollfd ends[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    if (::poll(ends, 2, 50) <= 0) continue;
    if (mode_ == Mode::kSilent) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      continue;
    }
    if (ends[0].revents != 0) {
      const std::string data = Receive(client, 0);
      if (data.empty()) break;
      const Mode mode = mode_;
      if (IsCommit(data) && (mode == Mode::kDropAnswer || mode == Mode::kHoldCommit) && !caught_.exchange(true)) {
        mode_ = Mode::kPass;
        if (mode == Mode::kDropAnswer) {
          SendAll(server, data);
          // All of the answer: it ends with ReadyForQuery. The connection to the server stays until then.
          for (std::string answer; answer.find("Z\0\0\0\5I", 0, 6) == std::string::npos;) {
            const std::string part = Receive(server, 5000);
            if (part.empty()) break;
            answer += part;
          }
        } else {
          const std::lock_guard lock(mutex_);
          held_ = data;
          held_server_ = std::exchange(server, -1);
        }
        break;
      }
      if (!SendAll(server, data)) break;
    }
    if (ends[1].revents != 0) {
      const std::string data = Receive(server, 0);
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
  for (std::string answer; answer.find("Z\0\0\0\5I", 0, 6) == std::string::npos;) {
    const std::string part = Receive(held_server_, 5000);
    ASSERT_FALSE(part.empty()) << "the server gave no answer to what was held";
    answer += part;
  }
  ::close(std::exchange(held_server_, -1));
}

}  // namespace teal::k8s_test

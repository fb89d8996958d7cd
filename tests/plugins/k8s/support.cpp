#include "tests/plugins/k8s/support.h"

#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include <barrier>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

namespace teal::k8s_test {

using std::chrono::milliseconds;

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
  // cut. It is stopped first, or it might start another between the count and the end.
  ::kill(pid, SIGSTOP);
  const std::string children = "ps -o pid= --ppid " + std::to_string(pid);
  FILE* const pipe = ::popen(children.c_str(), "r");
  std::vector<pid_t> all{pid};
  for (int child = 0; ::fscanf(pipe, "%d", &child) == 1;) all.push_back(child);
  ::pclose(pipe);
  for (const pid_t one : all) ::kill(one, SIGKILL);
  std::this_thread::sleep_for(milliseconds(100));
}

void RestartServer() {
  Peer("postgres start " + Env("TEAL_K8S_SERVER") + " --port " + Env("TEAL_K8S_PORT") + " > /dev/null");
}

testing::AssertionResult Becomes(const std::function<bool()>& true_now) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!true_now()) {
    if (std::chrono::steady_clock::now() > until) return testing::AssertionFailure() << "did not come about";
    std::this_thread::sleep_for(milliseconds(5));
  }
  return testing::AssertionSuccess();
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

}  // namespace teal::k8s_test

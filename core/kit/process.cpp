// The plugin as a guest in the process: what it must leave alone.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <clocale>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/kit/instance.h"
#include "core/kit/memory.h"
#include "core/kit/options.h"
#include "core/kit/proc.h"
#include "core/kit/start_http.h"
#include "core/kit/subject.h"
#include "core/kit/test.h"
#include "core/kit/tour.h"
#include "core/kit/verdict.h"

extern char** environ;

namespace teal::kit {
namespace {

std::atomic<int> g_forks{0};

std::vector<std::string> Environment() {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
  return all;
}

// What each signal does, as text.
std::vector<std::string> Handlers() {
  std::vector<std::string> all;
  for (int n = 1; n < NSIG; ++n) {
    struct sigaction action = {};
    if (::sigaction(n, nullptr, &action) != 0) {
      all.emplace_back();
      continue;
    }
    void* handler = nullptr;
    std::memcpy(&handler, &action.sa_handler, sizeof handler);
    all.push_back(Text(handler, ' ', action.sa_flags));
  }
  return all;
}

std::string Folder() {
  std::array<char, 4096> path{};
  return ::getcwd(path.data(), path.size()) != nullptr ? path.data() : "";
}

mode_t Umask() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return mask;
}

void LeavesTheProcess() {
  const int output = ::memfd_create("standard output", MFD_CLOEXEC);
  if (output < 0 || ::dup2(output, 1) < 0) Fail("the kit cannot take standard output aside");
  ::pthread_atfork([] { g_forks.fetch_add(1); }, nullptr, nullptr);
  const auto environment = Environment();
  const auto handlers = Handlers();
  const std::string locale = std::setlocale(LC_ALL, nullptr);
  const std::string folder = Folder();
  const mode_t mask = Umask();
  Host host;
  {
    Instance instance(host);
    Tour(instance);
    const Opened refused = Open(host, "nonsense");
    if (refused.status == TEAL_OK) Tested().plugin->close(refused.instance);
  }
  std::fflush(stdout);
  struct stat written = {};
  ::fstat(output, &written);
  Expect(written.st_size == 0, "the plugin wrote ", written.st_size, " bytes to standard output");
  Expect(g_forks.load() == 0, "the plugin forked ", g_forks.load(), " times");
  Expect(Environment() == environment, "the plugin changed the environment");
  Expect(locale == std::setlocale(LC_ALL, nullptr), "the plugin changed the locale from ", locale, " to ",
         std::setlocale(LC_ALL, nullptr));
  const auto now = Handlers();
  for (std::size_t n = 0; n < now.size(); ++n) {
    Expect(now[n] == handlers[n], "the plugin changed what signal ", n + 1, " (", ::strsignal(static_cast<int>(n + 1)),
           ") does");
  }
  Expect(Folder() == folder, "the plugin changed the working directory to ", Folder());
  Expect(Umask() == mask, "the plugin changed the umask");
}

// Those that can be blocked with effect and do not come from what the thread itself does.
uint64_t MustBeBlocked() {
  uint64_t mask = 0;
  for (int n = 1; n <= 31; ++n) mask |= uint64_t{1} << static_cast<unsigned>(n - 1);
  for (const int n : {SIGKILL, SIGSTOP, SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS, SIGABRT}) {
    mask &= ~(uint64_t{1} << static_cast<unsigned>(n - 1));
  }
  return mask;
}

void ThreadsBlockSignals() {
  StartHttp();
  const std::set<int> before = Threads();
  Host host;
  Instance instance(host);
  Tour(instance);
  for (const int thread : Threads()) {
    if (before.contains(thread)) continue;
    const uint64_t open = MustBeBlocked() & ~BlockedSignals(thread);
    if (open == 0) continue;
    std::string name;
    std::getline(std::ifstream(Text("/proc/self/task/", thread, "/comm")), name);
    int first = 1;
    while ((open >> static_cast<unsigned>(first - 1) & 1u) == 0) ++first;
    Fail("a thread of the plugin, named ", Show(name), ", does not block signal ", first, " (", ::strsignal(first), ")",
         (open & (open - 1)) != 0 ? " and others" : "");
  }
}

void DescriptorsClose() {
  StartHttp();
  const std::set<int> before = Descriptors();
  Host host;
  Instance instance(host);
  Tour(instance);
  for (const int descriptor : Descriptors()) {
    if (before.contains(descriptor)) continue;
    const int flags = ::fcntl(descriptor, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC) != 0) continue;
    std::array<char, 512> target{};
    const std::string link = Text("/proc/self/fd/", descriptor);
    const ssize_t size = ::readlink(link.c_str(), target.data(), target.size() - 1);
    Fail("descriptor ", descriptor, " (", size > 0 ? target.data() : "?", ") of the plugin is not close-on-exec");
  }
}

// The keys that the plugin's section may have: those it was given, and those its manifest's schema names.
std::vector<std::string> ConfigKeys(const nlohmann::json& config) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : config.items()) keys.push_back(key);
  if (Given().manifest.empty()) return keys;
  const auto manifest = nlohmann::json::parse(std::ifstream(Given().manifest), nullptr, false);
  if (!manifest.is_object()) return keys;
  const auto schema = manifest.value("config", nlohmann::json::object());
  const auto properties = schema.value("properties", nlohmann::json::object());
  for (const auto& [key, value] : properties.items()) {
    if (!config.contains(key)) keys.push_back(key);
  }
  return keys;
}

void NoException() {
  Host host;
  const auto try_open = [&](const std::string& config) {
    const Opened opened = Open(host, config);
    if (opened.status == TEAL_OK) Tested().plugin->close(opened.instance);
  };
  try_open(Given().config);
  const auto config = nlohmann::json::parse(Given().config);
  for (const std::string& key : ConfigKeys(config)) {
    for (const nlohmann::json& value :
         {nlohmann::json(), nlohmann::json(true), nlohmann::json(-1), nlohmann::json(1e300), nlohmann::json::array(),
          nlohmann::json::object(), nlohmann::json(""), nlohmann::json::array({nlohmann::json::object()})}) {
      auto changed = config;
      changed[key] = value;
      try_open(changed.dump());
    }
    auto without = config;
    without.erase(key);
    if (config.contains(key)) try_open(without.dump());
  }
  try_open(std::string(100'000, '['));
  try_open("{\"a\":" + std::string(100'000, '{'));
  try_open(std::string(1'000'000, 'x'));
  try_open(std::string("{}\0{}", 5));
  try_open("{\"\\ud800\":1}");
  const std::string long_id(100'000, 'x');
  Tested().plugin->get_interface(long_id.c_str());
  if (Tested().trigger != nullptr) {
    for (const char* section : {"", "{", "[]", "nonsense", "{\"kit\":{}}"}) {
      teal_error error{};
      error.struct_size = sizeof error;
      Inputs inputs;
      Tested().trigger->validate(nullptr, inputs.Bytes(section), &error);
    }
  }
}

constexpr std::array<Test, 4> kTests = {{{"LIFE-11", Needs::kNothing, 60, LeavesTheProcess},
                                         {"LIFE-12", Needs::kNothing, 60, ThreadsBlockSignals},
                                         {"LIFE-13", Needs::kNothing, 60, DescriptorsClose},
                                         {"LIFE-14", Needs::kNothing, 120, NoException}}};

}  // namespace

std::span<const Test> ProcessTests() {
  return kTests;
}

}  // namespace teal::kit

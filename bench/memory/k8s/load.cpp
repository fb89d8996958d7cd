// load PLUGIN CONFIG CALLERS SECONDS: commits of one record of 300 bytes under one of 10,000 keys, CALLERS of them in
// flight all the time. Prints commits a second and the median of their times in milliseconds.
//
// Two threads hold the callers: a thread each would measure the scheduler.
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <mutex>
#include <random>
#include <teal/host.hpp>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kKeys = 10000;
constexpr int kThreads = 2;

uint64_t Now(const teal_host*) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
}

// Callers whose calls ended, for the thread that holds them.
struct Ended {
  std::mutex mutex;
  std::condition_variable some;
  std::vector<struct Caller*> callers;
};

struct Caller {
  Ended* ended = nullptr;
  teal_call call{};
  teal_op op{};
  std::string key;
  Clock::time_point begun;
  bool failed = false;
};

void TEAL_CALL Done(void* ctx, const teal_error* error, const void*) {
  auto* const caller = static_cast<Caller*>(ctx);
  caller->failed = error != nullptr;
  if (error != nullptr) std::fprintf(stderr, "%s\n", error->message);
  const std::lock_guard lock(caller->ended->mutex);
  caller->ended->callers.push_back(caller);
  caller->ended->some.notify_one();
}

void Hold(const teal_memory* memory, teal_instance* instance, int count, Clock::time_point until, unsigned seed,
          std::vector<double>& milliseconds) {
  const std::string value(300, 'v');
  std::minstd_rand random(seed);
  Ended ended;
  std::vector<Caller> callers(static_cast<std::size_t>(count));
  uint64_t op = seed * 1'000'000'000ULL;
  int flying = 0;
  const auto start = [&](Caller& caller) {
    caller.key = "key" + std::to_string(random() % kKeys);
    caller.call.op_id = ++op;
    caller.op.key = {teal::Bytes("bench"), teal::Bytes(caller.key)};
    caller.begun = Clock::now();
    ++flying;
    if (memory->commit(instance, &caller.call, &caller.op, 1) != TEAL_OK) std::abort();
  };
  for (Caller& caller : callers) {
    caller.ended = &ended;
    caller.call.struct_size = sizeof caller.call;
    caller.call.done = &Done;
    caller.call.done_ctx = &caller;
    caller.op.kind = TEAL_PUT;
    caller.op.value = teal::Bytes(value);
    start(caller);
  }
  while (flying > 0) {
    std::vector<Caller*> now;
    {
      std::unique_lock lock(ended.mutex);
      ended.some.wait(lock, [&] { return !ended.callers.empty(); });
      now.swap(ended.callers);
    }
    const auto time = Clock::now();
    for (Caller* caller : now) {
      --flying;
      if (caller->failed) std::exit(1);
      milliseconds.push_back(std::chrono::duration<double, std::milli>(time - caller->begun).count());
      if (time < until) start(*caller);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  void* const library = ::dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return std::fprintf(stderr, "%s\n", ::dlerror()), 1;
  const auto* const plugin = reinterpret_cast<teal_plugin_entry>(::dlsym(library, "teal_plugin_v1"))();
  std::ifstream file(argv[2]);
  const std::string config{std::istreambuf_iterator<char>(file), {}};
  const int callers = std::atoi(argv[3]);
  const double seconds = std::atof(argv[4]);
  teal_host host{};
  host.struct_size = sizeof host;
  host.now_unix_ns = &Now;
  host.service = [](const teal_host*, const char*) -> const void* { return nullptr; };
  host.log = [](const teal_host*, uint32_t, teal_bytes text, teal_bytes) {
    std::fprintf(stderr, "%s\n", teal::Copy(text).c_str());
  };
  teal_instance* instance = nullptr;
  teal_error error{};
  error.struct_size = sizeof error;
  if (plugin->open(&host, teal::Bytes(config), &instance, &error) != TEAL_OK) {
    return std::fprintf(stderr, "%s\n", error.message), 1;
  }
  const auto* const memory = static_cast<const teal_memory*>(plugin->get_interface("teal.memory/1"));
  std::vector<double> times[kThreads];
  // A second unmeasured, in which connections are made and plans cached.
  for (const double length : {1.0, seconds}) {
    const auto begun = Clock::now();
    const auto until = begun + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(length));
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      times[i].clear();
      const int count = callers / kThreads + (i < callers % kThreads ? 1 : 0);
      const auto seed = static_cast<unsigned>(i + 1 + (length == seconds ? kThreads : 0));
      if (count > 0) {
        threads.emplace_back([=, &times] { Hold(memory, instance, count, until, seed, times[i]); });
      }
    }
    for (std::thread& thread : threads) thread.join();
    if (length != seconds) continue;
    const double took = std::chrono::duration<double>(Clock::now() - begun).count();
    std::vector<double> all;
    for (const auto& some : times) all.insert(all.end(), some.begin(), some.end());
    std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2), all.end());
    std::printf("%.1f %.3f\n", static_cast<double>(all.size()) / took, all[all.size() / 2]);
  }
  plugin->close(instance);
  return 0;
}

// What the plugin `local` costs beside what it stands on, in one run: local_speed LIBRARY FOLDER [records].
// FOLDER is on the disk to be measured and is removed again. Every answer is checked.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>
#include <vector>

#include "tests/plugins/plugin_under_test.hpp"

namespace {

using teal::host::CommitResult;
using teal::host::Memory;
using teal::host::Op;
using teal::tests::Die;
using teal::tests::Instance;
using teal::tests::Plugin;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Of this process, all threads, in seconds. On a busy machine the honest measure of what something costs.
double Processor() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double Percentile(std::vector<double>& values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(static_cast<double>(values.size() - 1) * part)];
}

void Row(const char* name, double value, const char* unit) {
  std::printf("%-58s %14.3f %s\n", name, value, unit);
  std::fflush(stdout);
}

// Seconds that 300 bytes and a sync take. `zeroed`: into a file written once; else at the end of a growing one.
std::vector<double> BareWrites(const std::string& path, bool zeroed, int count) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::string zeros(1 << 20, '\0');
  for (int i = 0; zeroed && i < 8; ++i) {
    if (::write(file, zeros.data(), zeros.size()) < 0) Die("cannot write " + path);
  }
  if (::fsync(file) != 0) Die("cannot sync " + path);
  const std::string data(300, 'x');
  std::vector<double> taken;
  for (int i = 0; i < count; ++i) {
    const double begun = Now();
    if (::pwrite(file, data.data(), data.size(), i * 512) != 300 || ::fdatasync(file) != 0) Die("cannot write " + path);
    taken.push_back(Now() - begun);
  }
  ::close(file);
  ::unlink(path.c_str());
  return taken;
}

std::string RandomValue(std::mt19937_64& random, std::size_t size) {
  std::string value(size, '\0');
  for (char& c : value) c = static_cast<char>(random());
  return value;
}

struct Rate {
  double wall = 0;       // operations a second
  double processor = 0;  // microseconds of processor an operation
};

void RowOf(const std::string& name, const Rate& rate, const char* unit) {
  Row(name.c_str(), rate.wall, unit);
  Row("  processor time each", rate.processor, "us");
}

// `callers` each with one commit open at a time, driven by two threads.
Rate Commits(const Memory& memory, int callers, double seconds, const std::string& value) {
  struct Caller {
    std::string partition;
    std::string sort;
    uint64_t count = 0;
  };
  // Who may go on, of one thread's callers.
  struct Ready {
    std::mutex mutex;
    std::condition_variable some;
    std::vector<int> callers;
    int open = 0;
  };
  std::vector<Caller> all(static_cast<std::size_t>(callers));
  std::array<Ready, 2> ready;
  std::atomic<uint64_t> done{0};
  std::atomic<bool> failed{false};
  for (int i = 0; i < callers; ++i) {
    all[i].partition = "caller-" + std::to_string(i) + "-" + std::to_string(Now());
    ready[i % 2].callers.push_back(i);
  }
  const double processor = Processor();
  const double begun = Now();
  const auto run = [&](Ready& mine) {
    std::unique_lock lock(mine.mutex);
    for (;;) {
      mine.some.wait(lock, [&] { return !mine.callers.empty(); });
      const bool over = Now() - begun >= seconds;
      if (over && mine.open == 0) return;
      std::vector<int> now;
      now.swap(mine.callers);
      if (over) {
        continue;
      }
      mine.open += static_cast<int>(now.size());
      lock.unlock();
      for (const int i : now) {
        Caller& caller = all[i];
        caller.sort = "t/" + std::to_string(++caller.count);
        const Op op{TEAL_PUT, TEAL_IF_ABSENT, caller.partition, caller.sort, value, {}, 0, 0};
        memory.Commit(std::span(&op, 1), [&, i](const CommitResult& result) {
          if (!result.error.Ok()) failed = true;
          done.fetch_add(1, std::memory_order_relaxed);
          const std::lock_guard guard(mine.mutex);
          --mine.open;
          mine.callers.push_back(i);
          if (mine.callers.size() == 1) mine.some.notify_one();
        });
      }
      lock.lock();
    }
  };
  std::thread other([&] { run(ready[1]); });
  run(ready[0]);
  other.join();
  if (failed) Die("a commit failed");
  const auto count = static_cast<double>(done.load());
  return {count / (Now() - begun), (Processor() - processor) / count * 1e6};
}

uint64_t FolderBytes(const std::string& path) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

// Of this process, in KiB, by its name in /proc/self/status.
long Status(const std::string& field) {
  std::ifstream in("/proc/self/status");
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with(field + ":")) return std::stol(line.substr(field.size() + 1));
  }
  return 0;
}

std::string KeyOf(uint64_t i) {
  char text[32];
  std::snprintf(text, sizeof text, "session-%016llx", static_cast<unsigned long long>(i * 0x9e3779b97f4a7c15u));
  return text;
}

constexpr uint64_t kDueBase = 1'700'000'000'000'000'000;

void Fill(const Memory& memory, uint64_t records) {
  std::mt19937_64 random(1);
  std::atomic<uint64_t> open{0};
  std::atomic<bool> failed{false};
  for (uint64_t i = 0; i < records;) {
    struct Batch {
      std::vector<std::string> texts;
      std::vector<Op> ops;
    };
    const auto batch = std::make_shared<Batch>();
    batch->texts.reserve(400);
    for (int j = 0; j < 200 && i < records; ++j, ++i) {
      const std::string& key = batch->texts.emplace_back(KeyOf(i));
      const std::string& value = batch->texts.emplace_back(RandomValue(random, 300));
      batch->ops.push_back({TEAL_PUT, TEAL_IF_ABSENT, key, "s", value, {}, kDueBase + random() % 1'000'000'000'000, 0});
    }
    while (open.load() > 16) std::this_thread::yield();
    ++open;
    memory.Commit(batch->ops, [&, batch](CommitResult result) {
      if (!result.error.Ok()) failed = true;
      --open;
    });
  }
  while (open.load() > 0) std::this_thread::yield();
  if (failed) Die("filling failed");
}

Rate Gets(const Memory& memory, uint64_t records, uint64_t among, int threads, uint64_t count) {
  std::vector<std::thread> all;
  std::barrier begin(threads + 1);
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([&, t] {
      struct Seen {
        uint64_t found = 0;
      } seen;
      std::mt19937_64 random(static_cast<unsigned>(t) + 7);
      teal_call call{};
      call.struct_size = sizeof call;
      call.done = [](void* ctx, const teal_error* error, const void* result) {
        if (error == nullptr) static_cast<Seen*>(ctx)->found += static_cast<const teal_page*>(result)->count;
      };
      call.done_ctx = &seen;
      begin.arrive_and_wait();
      for (uint64_t i = 0; i < count; ++i) {
        const std::string key = KeyOf(random() % among * (records / among));
        const teal_key wanted{teal::Bytes(key), teal::Bytes("s")};
        call.op_id = i + 1;
        if (memory.table()->get(memory.instance(), &call, &wanted, 1) != TEAL_OK) Die("a get was refused");
      }
      if (seen.found != count) Die("a get found nothing");
    });
  }
  begin.arrive_and_wait();
  const double processor = Processor();
  const double begun = Now();
  for (std::thread& thread : all) thread.join();
  const double total = static_cast<double>(count) * threads;
  return {total / (Now() - begun), (Processor() - processor) / total * 1e6};
}

void DueScans(const Memory& memory, const char* name) {
  std::vector<double> taken;
  for (int i = 0; i < 200; ++i) {
    const double begun = Now();
    const auto page = memory.ScanDueNow(0, 1, ~uint64_t{0} >> 1, 100);
    taken.push_back(Now() - begun);
    if (page.records.size() != 100 || !page.more) Die("scan_due gave too few");
    for (std::size_t j = 1; j < page.records.size(); ++j) {
      if (page.records[j - 1].due_unix_ns > page.records[j].due_unix_ns) Die("scan_due is out of order");
    }
  }
  Row(name, Percentile(taken, 0.5) * 1e3, "ms p50");
}

// Nanoseconds a call of the smallest function through the table takes.
double CallOverhead(const Memory& memory) {
  teal_memory_caps caps{};
  caps.struct_size = sizeof caps;
  const double begun = Processor();
  constexpr int kTimes = 2'000'000;
  for (int i = 0; i < kTimes; ++i) memory.table()->caps(memory.instance(), &caps);
  return (Processor() - begun) / kTimes * 1e9;
}

std::string ConfigOf(const std::string& folder, const std::string& more = {}) {
  return R"({"path":")" + folder + "\"" + more + "}";
}

// Fills the log in a child that dies with it, and measures how long this process then takes to be ready.
double ReadyAfterCrash(const std::string& library, const std::string& folder, uint64_t commits) {
  const pid_t child = ::fork();
  if (child == 0) {
    const Plugin plugin(library);
    // Synced, as commits are: what the kernel has not written yet would be waited for by the opening that is measured.
    const Instance instance(plugin, ConfigOf(folder));
    const Memory memory = instance.Memory();
    const std::string value(300, 'v');
    for (uint64_t i = 0; i < commits; ++i) {
      const std::string sort = "crash/" + std::to_string(i);
      const Op op{TEAL_PUT, TEAL_IF_ANY, "crash", sort, value, {}, kDueBase + i, 0};
      if (!memory.CommitNow(std::span(&op, 1)).error.Ok()) ::_exit(1);
    }
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFSIGNALED(status)) Die("the child failed");
  const Plugin plugin(library);
  const double processor = Processor();
  const double begun = Now();
  const Instance instance(plugin, ConfigOf(folder));
  const std::string last = "crash/" + std::to_string(commits - 1);
  if (instance.Memory().GetNow("crash", last).records.size() != 1) Die("the last commit before the crash is gone");
  Row("  processor time", (Processor() - processor) * 1e3, "ms");
  return Now() - begun;
}

// In a process of its own, which did not fill the store: what a machine pays for records that wait.
void MemoryOfParked(const std::string& library, const std::string& store, uint64_t records) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/proc/self/exe", "local_speed", library.c_str(), store.c_str(), std::to_string(records).c_str(), "parked",
            static_cast<char*>(nullptr));
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) Die("the child failed");
}

int Parked(const Plugin& plugin, const std::string& store, uint64_t records) {
  const Instance instance(plugin, ConfigOf(store));
  Gets(instance.Memory(), records, records, 2, 100'000);
  Row("memory of a process with the filled store, after gets", static_cast<double>(Status("RssAnon")) / 1024, "MiB");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) Die("usage: local_speed LIBRARY FOLDER [records]");
  const std::string library = argv[1];
  const std::string folder = argv[2];
  const uint64_t records = argc > 3 ? std::stoull(argv[3]) : 1'000'000;
  const Plugin plugin(library);
  if (argc == 5 && std::string(argv[4]) == "parked") return Parked(plugin, folder, records);
  std::filesystem::create_directories(folder);
  std::mt19937_64 random(3);
  const std::string value = RandomValue(random, 300);

  // The bare writes and the commits of one caller in turn, since machines are noisy.
  {
    const std::string store = folder + "/one";
    const Instance instance(plugin, ConfigOf(store));
    const Memory memory = instance.Memory();
    std::vector<double> zeroed;
    std::vector<double> growing;
    std::vector<double> commits;
    for (int round = 0; round < 8; ++round) {
      for (const double seconds : BareWrites(folder + "/bare", true, 100)) zeroed.push_back(seconds);
      for (const double seconds : BareWrites(folder + "/bare", false, 100)) growing.push_back(seconds);
      for (int i = 0; i < 100; ++i) {
        const std::string sort = std::to_string(round * 1000 + i);
        const Op op{TEAL_PUT, TEAL_IF_ABSENT, "one", sort, value, {}, kDueBase, 0};
        const double begun = Now();
        if (!memory.CommitNow(std::span(&op, 1)).error.Ok()) Die("a commit failed");
        commits.push_back(Now() - begun);
      }
    }
    const double w = Percentile(zeroed, 0.5);
    Row("w: bare 300 bytes and fdatasync, preallocated", w * 1e6, "us p50");
    Row("the same at the end of a growing file", Percentile(growing, 0.5) * 1e6, "us p50");
    Row("one record committed by one caller", Percentile(commits, 0.5) * 1e6, "us p50");
    Row("  in w (goal 1.5)", Percentile(commits, 0.5) / w, "w");
    RowOf("64 callers, a commit open each (64 / w is the bound)", Commits(memory, 64, 3, value), "commits/s");
    Row("  64 / w", 64 / w, "commits/s");
    RowOf("1,024 callers", Commits(memory, 1024, 3, value), "commits/s");
    Row("a call of the table", CallOverhead(memory), "ns");
  }
  {
    const Instance instance(plugin, ConfigOf(folder + "/nosync", R"(,"unsafe_no_sync":true)"));
    RowOf("64 callers without syncs: what the processors allow", Commits(instance.Memory(), 64, 3, value), "commits/s");
  }
  {
    const std::string store = folder + "/many";
    {
      const Instance instance(plugin, ConfigOf(store));
      const double begun = Now();
      Fill(instance.Memory(), records);
      Row("filled, 200 records a commit", static_cast<double>(records) / (Now() - begun), "records/s");
      Row("memory after that, anonymous (RssAnon)", static_cast<double>(Status("RssAnon")) / 1024, "MiB");
      DueScans(instance.Memory(), "scan_due of the first 100");
      RowOf("get, any of all records, 2 threads", Gets(instance.Memory(), records, records, 2, 300'000), "gets/s");
      RowOf("get, one of 10,000 records, 1 thread", Gets(instance.Memory(), records, 10'000, 1, 500'000), "gets/s");
      RowOf("get, one of 10,000 records, 2 threads", Gets(instance.Memory(), records, 10'000, 2, 500'000), "gets/s");
      Row("memory after that, anonymous (RssAnon)", static_cast<double>(Status("RssAnon")) / 1024, "MiB");
    }
    MemoryOfParked(library, store, records);
    Row("bytes on disk a record, log and all", static_cast<double>(FolderBytes(store)) / static_cast<double>(records),
        "bytes");
    Row("  of RocksDB's files", static_cast<double>(FolderBytes(store + "/db")) / static_cast<double>(records),
        "bytes");
    for (const uint64_t commits : {1'000u, 4'000u, 8'000u, 15'000u}) {
      char name[80];
      std::snprintf(name, sizeof name, "ready after a crash, %llu commits before it",
                    static_cast<unsigned long long>(commits));
      Row(name, ReadyAfterCrash(library, store, commits) * 1e3, "ms");
    }
  }
  std::filesystem::remove_all(folder);
}

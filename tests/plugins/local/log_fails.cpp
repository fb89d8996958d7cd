#include "tests/plugins/local/log_fails.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>
#include <thread>
#include <vector>

#include "tests/plugins/local/disk.hpp"
#include "tests/plugins/local/faults.hpp"
#include "tests/plugins/local/load.hpp"

namespace teal::tests {
namespace {

constexpr uint64_t kCallers = 3;

struct Case {
  faults::Call call;
  int error;
  bool ends_writing;  // until the store is opened again
  const char* name;
};
// A full disk takes nothing back that it had taken: what could not be written is written again, and all goes on.
constexpr Case kCases[] = {
    {faults::Call::kSync, EIO, true, "a sync fails with EIO"},
    {faults::Call::kSync, ENOSPC, true, "a sync fails with ENOSPC"},
    {faults::Call::kWrite, EIO, true, "a write fails with EIO"},
    {faults::Call::kWrite, ENOSPC, false, "a write fails with ENOSPC"},
};

std::string ConfigOf(const std::string& store, const std::string& tape) {
  return R"({"path":")" + store + R"(","testing":{"log_segment_sectors":32,"tape":")" + tape + R"("}})";
}

// One caller's commits until the log fails, and what it is told then. The store shows what was acknowledged, no more.
void CallUntilItFails(const host::Memory& memory, Acks& acks, uint64_t caller, const Case& fault) {
  teal_version counter{};
  for (uint64_t n = 1; n <= 400; ++n) {
    acks.Add("begun", caller, n);
    auto result = Commit(memory, caller, n, counter);
    if (!result.error.Ok()) {
      if (!faults::Failed()) Die("a commit fails before the log does: " + result.error.message);
      const bool told = result.error.code == TEAL_UNAVAILABLE &&
                        result.error.message.find("log") != std::string::npos &&
                        result.error.message.find(std::strerror(fault.error)) != std::string::npos;
      if (!told) Die("a commit is not told what failed: " + result.error.message);
      for (int repeat = 0; repeat < 5 && fault.ends_writing; ++repeat) {
        const auto again = Commit(memory, caller, n, counter).error;
        if (again.Ok()) Die("commit " + std::to_string(n) + " is acknowledged on a log that failed");
        const bool clear = again.code == TEAL_UNAVAILABLE && again.outcome == TEAL_NOT_APPLIED &&
                           again.message.find("opened again") != std::string::npos;
        if (!clear) Die("a later commit is not told what to do: " + again.message);
      }
      teal_version seen{};
      std::string wrong;
      const uint64_t shown = NumberOf(memory, caller, seen, wrong);
      if (!wrong.empty()) Die("gets do not go on: " + wrong);
      if (shown != n - 1)
        Die("commit " + std::to_string(shown) + " is shown, acknowledged is " + std::to_string(n - 1));
      if (fault.ends_writing) return;
      result = Commit(memory, caller, n, counter);
      if (!result.error.Ok()) Die("writing does not go on by itself: " + result.error.message);
    }
    acks.Add("done", caller, n);
    if (!fault.ends_writing && faults::Failed() && n >= 200) return;
  }
  if (fault.ends_writing) Die("the log never failed");
}

// In a process that dies without closing the store.
void RunAndDie(const std::string& library, const std::string& store, const std::string& tape,
               const std::string& acks_path, const Case& fault, uint64_t after) {
  const pid_t child = ::fork();
  if (child < 0) Die("cannot fork");
  if (child == 0) {
    const Plugin plugin(library);
    const Instance instance(plugin, ConfigOf(store, tape));
    Acks acks(acks_path, tape);
    faults::Fail(fault.call, "/log/", fault.error, after);
    std::vector<std::thread> threads;
    for (uint64_t caller = 0; caller < kCallers; ++caller) {
      threads.emplace_back([&, caller] { CallUntilItFails(instance.Memory(), acks, caller, fault); });
    }
    for (std::thread& thread : threads) thread.join();
    if (!faults::Failed()) Die("the fault never came");
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFSIGNALED(status)) Die(std::string(fault.name) + ", after " + std::to_string(after) + " others: see above");
}

void OpenAnewAndLosePower(const Plugin& plugin, const std::string& folder, const std::string& where) {
  const std::string store = folder + "/store";
  const std::string second_tape = folder + "/tape2";
  std::map<uint64_t, std::pair<uint64_t, State>> cache;
  Promised promised = ReadAcks(folder + "/acks", ~uint64_t{0});
  uint64_t seen_at = 0;
  {
    const Instance instance(plugin, ConfigOf(store, second_tape));
    const std::string wrong = Verify(instance.Memory(), promised, kCallers, cache);
    if (!wrong.empty()) Die(where + "opened again: " + wrong);
    for (uint64_t caller = 0; caller < kCallers; ++caller) {
      teal_version counter{};
      std::string unread;
      const uint64_t number = NumberOf(instance.Memory(), caller, counter, unread);
      promised.commits[caller] = {number, number};
    }
    struct stat status{};
    if (::stat(second_tape.c_str(), &status) != 0) Die("there is no second tape");
    seen_at = static_cast<uint64_t>(status.st_size);
    const std::string stuck = GoesOn(instance.Memory());
    if (!stuck.empty()) Die(where + "opened again: " + stuck);
  }
  Disk disk;
  uint64_t base = 0;
  for (const auto& entry : Disk::ReadTape(folder + "/tape")) {
    disk.Play(entry);
    base = entry.end;
  }
  for (const auto& entry : Disk::ReadTape(second_tape)) {
    if (entry.end <= seen_at) disk.Play(Disk::Behind(entry, base));
  }
  for (const Survives survives : {Survives::kNothing, Survives::kAnything}) {
    disk.Leave(survives, base, store, folder + "/after");
    const Instance instance(plugin, R"({"path":")" + folder + "/after\"}");
    const std::string wrong = Verify(instance.Memory(), promised, kCallers, cache);
    if (!wrong.empty()) Die(where + "opened again, then power lost: " + wrong);
  }
}

}  // namespace

int LogFails(const std::string& library, const std::string& folder) {
  uint64_t times = 0;
  for (const Case& fault : kCases) {
    for (const uint64_t after : {0u, 1u, 10u, 50u, 121u}) {
      const std::string place = folder + "/" + std::to_string(times);
      std::filesystem::create_directories(place);
      RunAndDie(library, place + "/store", place + "/tape", place + "/acks", fault, after);
      ++times;
    }
  }
  // Loaded in this process only now: a child of a fork has none of its threads.
  const Plugin plugin(library);
  for (uint64_t i = 0; i < times; ++i) {
    const std::size_t at = i / (times / std::size(kCases));
    OpenAnewAndLosePower(plugin, folder + "/" + std::to_string(i), std::string(kCases[at].name) + ": ");
  }
  std::printf("ok %llu failures\n", static_cast<unsigned long long>(times));
  return 0;
}

}  // namespace teal::tests

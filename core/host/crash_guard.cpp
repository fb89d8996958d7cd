#include "core/host/crash_guard.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

namespace teal::host {

constexpr size_t kTextBytes = 160;
constexpr size_t kStackBytes = 64 * 1024;  // of the handlers, for the thread guarded

// Never freed: a handler on another thread may read one at any time.
struct CrashGuard::Entry {
  std::atomic<bool> live{false};
  char what[kTextBytes] = {};         // `plugin "x"`
  char doing[kTextBytes] = {};        // "open"
  std::atomic<bool> given_up{false};  // nobody waits any more; a crash elsewhere is none of its
  Entry* outer = nullptr;             // of the same thread
  void* stack = nullptr;
  stack_t stack_before{};
};

namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
constexpr const char* kNames[] = {"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGSYS", "SIGTRAP"};
constexpr size_t kSignalCount = sizeof kSignals / sizeof *kSignals;
constexpr size_t kEntriesMax = 64;  // guards at a time; more go unnamed

CrashGuard::Entry g_entries[kEntriesMax];
struct sigaction g_before[kSignalCount];
std::mutex g_mutex;
size_t g_live = 0;            // guarded by g_mutex
bool g_exit_watched = false;  // guarded by g_mutex
thread_local CrashGuard::Entry* t_innermost = nullptr;

void Say(const char* text) {
  size_t left = std::strlen(text);
  while (left > 0) {
    const ssize_t put = ::write(STDERR_FILENO, text, left);
    if (put <= 0) return;
    text += put;
    left -= static_cast<size_t>(put);
  }
}

void SayCrash(const CrashGuard::Entry& entry, const char* how) {
  Say("\nteal: error: ");
  Say(entry.what);
  Say(" crashed in ");
  Say(entry.doing);
  Say(" (");
  Say(how);
  Say("); the process ends. Report it to the plugin's author, and take the plugin out to go on\n");
}

void SayCrashElsewhere(const CrashGuard::Entry& entry, const char* how) {
  Say("\nteal: error: the process crashed (");
  Say(how);
  Say(") while ");
  Say(entry.what);
  Say(" was in ");
  Say(entry.doing);
  Say("\n");
}

void OnSignal(int number, siginfo_t* info, void*) {
  const int saved_errno = errno;
  size_t index = 0;
  while (index + 1 < kSignalCount && kSignals[index] != number) ++index;
  if (t_innermost != nullptr) {
    SayCrash(*t_innermost, kNames[index]);
  } else {
    for (const CrashGuard::Entry& entry : g_entries) {
      const bool open = entry.live.load(std::memory_order_acquire) && !entry.given_up.load(std::memory_order_acquire);
      if (open) SayCrashElsewhere(entry, kNames[index]);
    }
  }
  for (size_t i = 0; i < kSignalCount; ++i) ::sigaction(kSignals[i], &g_before[i], nullptr);
  errno = saved_errno;
  // The instruction is done again and ends the process as it would have. What somebody sent is sent again.
  if (info == nullptr || info->si_code <= 0) ::raise(number);
}

void OnExit() {
  if (t_innermost != nullptr) SayCrash(*t_innermost, "it called exit");
}

}  // namespace

CrashGuard::CrashGuard(const std::string& what, const char* doing)
    : entry_([] {
        for (Entry& entry : g_entries) {
          bool expected = false;
          if (entry.live.compare_exchange_strong(expected, true)) return &entry;
        }
        return static_cast<Entry*>(nullptr);
      }()) {
  const std::lock_guard lock(g_mutex);
  if (!g_exit_watched) g_exit_watched = std::atexit(OnExit) == 0;
  if (entry_ != nullptr) {
    std::snprintf(entry_->what, sizeof entry_->what, "%s", what.c_str());
    std::snprintf(entry_->doing, sizeof entry_->doing, "%s", doing);
    entry_->given_up = false;
    entry_->outer = t_innermost;
    t_innermost = entry_;
    void* const stack =
        ::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    entry_->stack = stack == MAP_FAILED ? nullptr : stack;
    if (entry_->stack != nullptr) {
      const stack_t mine = {.ss_sp = entry_->stack, .ss_flags = 0, .ss_size = kStackBytes};
      ::sigaltstack(&mine, &entry_->stack_before);
    }
  }
  if (g_live++ > 0) return;
  struct sigaction action{};
  action.sa_sigaction = OnSignal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (size_t i = 0; i < kSignalCount; ++i) ::sigaction(kSignals[i], &action, &g_before[i]);
}

CrashGuard::~CrashGuard() {
  const std::lock_guard lock(g_mutex);
  if (--g_live == 0) {
    for (size_t i = 0; i < kSignalCount; ++i) ::sigaction(kSignals[i], &g_before[i], nullptr);
  }
  if (entry_ == nullptr) return;
  t_innermost = entry_->outer;
  if (entry_->stack != nullptr) {
    ::sigaltstack(&entry_->stack_before, nullptr);
    ::munmap(entry_->stack, kStackBytes);
    entry_->stack = nullptr;
  }
  entry_->live.store(false, std::memory_order_release);
}

bool RunWithin(uint64_t ns_max, const std::string& what, const char* doing, std::function<void()> work,
               std::function<void()> late) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable ready;
    CrashGuard::Entry* entry = nullptr;  // while `work` runs
    bool done = false;
    bool given_up = false;
  };
  const auto shared = std::make_shared<Shared>();
  sigset_t blocked;
  sigset_t before;
  sigfillset(&blocked);
  // A fault whose signal is blocked kills without a word.
  for (const int number : kSignals) sigdelset(&blocked, number);
  ::pthread_sigmask(SIG_SETMASK, &blocked, &before);
  std::thread([shared, what, doing, work = std::move(work), late = std::move(late)] {
    {
      const CrashGuard guard(what, doing);
      {
        const std::lock_guard lock(shared->mutex);
        shared->entry = guard.entry();
        if (shared->given_up && shared->entry != nullptr) shared->entry->given_up = true;
      }
      work();
      const std::lock_guard lock(shared->mutex);
      shared->entry = nullptr;
    }
    std::unique_lock lock(shared->mutex);
    shared->done = true;
    const bool given_up = shared->given_up;
    lock.unlock();
    shared->ready.notify_all();
    if (given_up && late) late();
  }).detach();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  std::unique_lock lock(shared->mutex);
  // Against the steady clock in steps, since the limit may be 2^64 - 1.
  const auto start = std::chrono::steady_clock::now();
  while (!shared->done) {
    const auto passed = static_cast<uint64_t>((std::chrono::steady_clock::now() - start).count());
    if (passed >= ns_max) {
      shared->given_up = true;
      if (shared->entry != nullptr) shared->entry->given_up = true;
      return false;
    }
    shared->ready.wait_for(lock, std::chrono::nanoseconds(std::min<uint64_t>(ns_max - passed, 1'000'000'000)));
  }
  return true;
}

void ExitWithoutTheLoader() {
  ::on_exit(
      [](int status, void*) {
        std::fflush(nullptr);
        ::_exit(status);
      },
      nullptr);
}

}  // namespace teal::host

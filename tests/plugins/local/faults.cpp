#include "tests/plugins/local/faults.hpp"

#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <thread>

namespace teal::tests::faults {
namespace {

std::atomic<bool> g_any{false};
std::mutex g_mutex;  // guards what follows
bool g_failing = false;
Call g_call = Call::kSync;
std::string g_part;
int g_error = 0;
uint64_t g_after = 0;
std::string g_slow_part;
uint64_t g_slow_ms = 0;

std::string PathOf(int descriptor) {
  char path[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t size = ::readlink(link.c_str(), path, sizeof path);
  return {path, size > 0 ? static_cast<std::size_t>(size) : 0};
}

// The error this call is to fail with, or 0.
int Ask(Call call, int descriptor) {
  if (!g_any.load()) return 0;
  const std::string path = PathOf(descriptor);
  uint64_t wait_ms = 0;
  {
    const std::lock_guard lock(g_mutex);
    if (g_failing && call == g_call && path.find(g_part) != std::string::npos && g_after-- == 0) {
      g_failing = false;
      return g_error;
    }
    if (call == Call::kSync && g_slow_ms != 0 && path.find(g_slow_part) != std::string::npos) wait_ms = g_slow_ms;
  }
  if (wait_ms != 0) std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
  return 0;
}

int Sync(long number, int descriptor) {
  if (const int error = Ask(Call::kSync, descriptor); error != 0) {
    errno = error;
    return -1;
  }
  return static_cast<int>(::syscall(number, descriptor));
}

ssize_t Write(int descriptor, const void* data, size_t size, off_t offset) {
  if (const int error = Ask(Call::kWrite, descriptor); error != 0) {
    ::syscall(SYS_pwrite64, descriptor, data, size / 2, offset);
    errno = error;
    return -1;
  }
  return ::syscall(SYS_pwrite64, descriptor, data, size, offset);
}

}  // namespace

void Fail(Call call, const std::string& part, int error, uint64_t after) {
  const std::lock_guard lock(g_mutex);
  g_failing = true;
  g_call = call;
  g_part = part;
  g_error = error;
  g_after = after;
  g_any = true;
}

bool Failed() {
  const std::lock_guard lock(g_mutex);
  return !g_failing;
}

void SlowSyncs(const std::string& part, uint64_t milliseconds) {
  const std::lock_guard lock(g_mutex);
  g_slow_part = part;
  g_slow_ms = milliseconds;
  g_any = g_failing || milliseconds != 0;
}

}  // namespace teal::tests::faults

extern "C" {
#pragma GCC visibility push(default)
int fdatasync(int descriptor) {
  return teal::tests::faults::Sync(SYS_fdatasync, descriptor);
}
int fsync(int descriptor) {
  return teal::tests::faults::Sync(SYS_fsync, descriptor);
}
ssize_t pwrite(int descriptor, const void* data, size_t size, off_t offset) {
  return teal::tests::faults::Write(descriptor, data, size, offset);
}
#pragma GCC visibility pop
}

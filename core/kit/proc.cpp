#include "core/kit/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "core/kit/call.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

std::set<int> NumbersIn(const char* folder) {
  std::set<int> numbers;
  DIR* dir = ::opendir(folder);
  if (dir == nullptr) Fail("the kit cannot read ", folder);
  const int own = ::dirfd(dir);
  const bool descriptors = std::strcmp(folder, "/proc/self/fd") == 0;
  while (const dirent* entry = ::readdir(dir)) {
    if (entry->d_name[0] == '.') continue;
    const int number = std::atoi(entry->d_name);
    if (!descriptors || number != own) numbers.insert(number);
  }
  ::closedir(dir);
  return numbers;
}

}  // namespace

std::set<int> Threads() {
  return NumbersIn("/proc/self/task");
}

std::set<int> Descriptors() {
  return NumbersIn("/proc/self/fd");
}

uint64_t BlockedSignals(int thread) {
  std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("SigBlk:")) return std::strtoull(line.c_str() + 7, nullptr, 16);
  }
  return ~uint64_t{0};
}

WaitingTime::WaitingTime() : file_(::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {
  if (file_ < 0) NotOffered("this system does not say how long a thread waits (/proc/thread-self/schedstat)");
}

WaitingTime::~WaitingTime() {
  ::close(file_);
}

uint64_t WaitingTime::Now() const {
  // "time on a processor, time ready and waiting for one, slices": what is left of the time passed was spent blocked.
  std::array<char, 128> text{};
  if (::pread(file_, text.data(), text.size() - 1, 0) <= 0) Fail("the kit cannot read /proc/thread-self/schedstat");
  unsigned long long running = 0;
  unsigned long long ready = 0;
  if (std::sscanf(text.data(), "%llu %llu", &running, &ready) != 2)
    Fail("the kit cannot read /proc/thread-self/schedstat");
  return Monotonic() - running - ready;
}

}  // namespace teal::kit

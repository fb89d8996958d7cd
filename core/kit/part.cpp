#include "core/kit/part.h"

#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "core/kit/call.h"
#include "core/kit/options.h"
#include "core/kit/verdict.h"

namespace teal::kit {
namespace {

int SharedFile() {
  static const int file = [] {
    if (Given().shared >= 0) return Given().shared;
    const int made = ::memfd_create("teal-plugin-check shared", MFD_CLOEXEC);
    if (made < 0 || ::ftruncate(made, sizeof(Shared)) != 0) Fail("the kit cannot make shared memory");
    return made;
  }();
  return file;
}

}  // namespace

Shared& SharedMemory() {
  static Shared* const shared = [] {
    void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, SharedFile(), 0);
    if (memory == MAP_FAILED) Fail("the kit cannot map shared memory");
    return static_cast<Shared*>(memory);
  }();
  return *shared;
}

std::unique_ptr<Process> StartPart(const std::string& name) {
  Options options = Given();
  options.part = name;
  options.shared = SharedFile();
  auto part = std::make_unique<Process>(options, false);
  if (!part->error().empty()) Fail(part->error());
  Note("started a process for ", name);
  return part;
}

void MustEnd(Process& part, int timeout_s) {
  const Finding found = Judge(part, timeout_s);
  if (found.result != Result::kPassed) End(found.result, "in another process: " + found.detail);
}

void AwaitReady(uint32_t count, Process& part) {
  const uint64_t deadline = Monotonic() + 30'000'000'000u * static_cast<unsigned>(Given().timeout_factor);
  while (SharedMemory().ready.load() < count) {
    if (!part.Running()) {
      MustEnd(part, 1);
      Fail("another process of the test ended before its time");
    }
    if (Monotonic() > deadline) Fail("another process of the test is not ready after 30 s");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace teal::kit

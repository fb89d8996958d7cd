// Parts of a test that run in processes of their own, and the memory they share with its main process.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/kit/spawn.h"

namespace teal::kit {

// Shared by the main process of a test and its parts. All zero at first.
struct Shared {
  static constexpr std::size_t kTextBytes = 4u * 1024 * 1024;
  std::atomic<uint64_t> numbers[16];
  std::atomic<uint32_t> go;
  std::atomic<uint32_t> ready;
  std::atomic<uint64_t> text_size;
  char text[kTextBytes];
};

// The memory of this test: made by the first call in the main process, found by a part.
Shared& SharedMemory();
// Starts this test again in a process of its own, where Given().part is `name`.
std::unique_ptr<Process> StartPart(const std::string& name);
// Waits for it to end and fails the test if the part did, with what it said.
void MustEnd(Process& part, int timeout_s);
// Waits until `ready` is `count`, at most 30 s; fails if a part has ended meanwhile.
void AwaitReady(uint32_t count, Process& part);

}  // namespace teal::kit

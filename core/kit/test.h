// The tests of the kit: one for each row of docs/abi.md, in a table for each file.
#pragma once

#include <span>
#include <vector>

namespace teal::kit {

// What a test needs the plugin to have; else its row is "not offered".
enum class Needs { kNothing, kMemory, kThreads, kTrigger };

struct Test {
  const char* row;
  Needs needs;
  int timeout_s;  // after which the test's process is killed and the row has failed
  // Returns if the row holds, else ends the process by Fail or NotOffered (verdict.h). Runs alone in its process.
  void (*run)();
};

std::span<const Test> LifeTests();
std::span<const Test> HostileTests();
std::span<const Test> LeakTests();
std::span<const Test> ProcessTests();
std::span<const Test> CallTests();
std::span<const Test> CloseTests();
std::span<const Test> InputTests();
std::span<const Test> BlockingTests();
std::span<const Test> ErrorTests();
std::span<const Test> RepeatTests();
std::span<const Test> FaultTests();
std::span<const Test> MemoryBasicTests();
std::span<const Test> MemoryManyTests();
std::span<const Test> RaceTests();
std::span<const Test> SizeTests();
std::span<const Test> DurableTests();
std::span<const Test> SharedTests();
std::span<const Test> DueTests();
std::span<const Test> ScanTests();
std::span<const Test> BlobTests();
std::span<const Test> WatchTests();
std::span<const Test> ThreadsTests();
std::span<const Test> ThreadsOrderTests();
std::span<const Test> ThreadsStopTests();
std::span<const Test> TriggerTests();
std::span<const Test> TriggerStateTests();

// All of them, in the order of docs/abi.md.
std::vector<Test> AllTests();

}  // namespace teal::kit

#include "core/kit/test.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace teal::kit {
namespace {

// (group, number) of "MEM-7", so that MEM-10 comes after MEM-9.
std::pair<int, int> Place(const char* row) {
  static constexpr std::array<std::string_view, 8> kGroups = {"LIFE", "CALL",  "ERR", "MEM",
                                                              "BLOB", "WATCH", "THR", "TRG"};
  const char* dash = std::strchr(row, '-');
  const std::string_view group(row, static_cast<std::size_t>(dash - row));
  const auto* at = std::find(kGroups.begin(), kGroups.end(), group);
  return {static_cast<int>(at - kGroups.begin()), std::atoi(dash + 1)};
}

}  // namespace

std::vector<Test> AllTests() {
  std::vector<Test> all;
  for (const auto tests :
       {LifeTests(),       HostileTests(),     LeakTests(),  ProcessTests(), CallTests(),         CloseTests(),
        InputTests(),      BlockingTests(),    ErrorTests(), RepeatTests(),  FaultTests(),        MemoryBasicTests(),
        MemoryManyTests(), RaceTests(),        SizeTests(),  DurableTests(), SharedTests(),       DueTests(),
        ScanTests(),       BlobTests(),        WatchTests(), ThreadsTests(), ThreadsOrderTests(), ThreadsStopTests(),
        TriggerTests(),    TriggerStateTests()}) {
    all.insert(all.end(), tests.begin(), tests.end());
  }
  std::sort(all.begin(), all.end(), [](const Test& a, const Test& b) { return Place(a.row) < Place(b.row); });
  return all;
}

}  // namespace teal::kit

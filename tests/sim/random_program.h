// Random programs whose result does not depend on time: steps, threads, all that waits, failures, cancelling, sleeping
// and events. So a run with faults must give what a run without them gives.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace teal::sim {

struct RandomProgram {
  std::string text;  // with `main`; the functions of WorldCalls are imported before it
  std::vector<std::pair<std::string, std::string>> events;  // that it waits for: name and value, as JSON
};

RandomProgram MakeRandomProgram(uint64_t seed);

}  // namespace teal::sim

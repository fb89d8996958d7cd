// Clients that race over a few keys, and the history of what they saw, ready for the search of linear.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/kit/linear.h"
#include "core/kit/memory.h"

namespace teal::kit {

struct RacePlan {
  uint32_t clients = 16;
  uint32_t calls = 30;  // of each client, one after the other
  uint32_t keys = 3;
  uint32_t gets_in_100 = 0;    // how many of the calls are gets
  bool many = false;           // commits of two operations on two keys
  uint32_t first_client = 0;   // numbers of clients differ between processes that race together
  bool expect_errors = false;  // else anything but OK and CONFLICT fails the test
};

// An event and whether it is a get.
struct Seen {
  Event event;
  bool get = false;
};

struct History {
  std::vector<Seen> seen;
  std::string reused;  // a version that two different writes had, in words; empty: none. MEM-12 judges that
};

History Race(const MemoryView& memory, const RacePlan& plan);
// The events of a history as text, for another process, and back.
std::string Write(const History& history);
History ReadHistory(const std::string& text);

std::vector<Event> Commits(const History& history);
std::vector<Event> All(const History& history);

}  // namespace teal::kit

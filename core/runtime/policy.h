// How a foreign call is made, or a thread of a function runs: the attributes of the import or function, ready for use.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/runtime/limiter.h"
#include "core/vm/program.h"

namespace teal::runtime {

struct CallPolicy {
  bool retries = false;
  uint32_t attempts_max = 5;
  double first_seconds = 1;
  double factor = 2;
  double cap_seconds = 60;
  bool on_listed = false;  // false: every kind but cancelled, type, arity, overflow
  std::vector<std::string> on;
  double timeout_seconds = 0;    // 0: none
  double heartbeat_seconds = 0;  // 0: none
  bool pure = false;
  bool at_most_once = false;
  float priority = 0;  // larger goes first
  LimitPolicy limits;

  // Whether an attempt that failed with an error of this kind is made again. `attempt` counts from 1.
  bool TriesAgain(std::string_view kind, uint32_t attempt) const;
  // Seconds between attempt `attempt` and the next.
  double DelayAfter(uint32_t attempt) const;
};

// The compiler has checked names and types; what it does not know of is left alone.
CallPolicy PolicyOf(const std::vector<vm::Attribute>& attributes);

}  // namespace teal::runtime

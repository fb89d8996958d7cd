// Counts what is allocated and not freed in this process: malloc and its kin are the kit's own here, in front of the C
// library's, for the plugin's libraries, too.
#pragma once

#include <cstdint>

namespace teal::kit {

struct Allocations {
  int64_t blocks = 0;
  int64_t bytes = 0;
};

// False where a sanitizer has taken malloc's place.
bool CountsAllocations();
Allocations LiveAllocations();

}  // namespace teal::kit

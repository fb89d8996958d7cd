// Calls that no correct host makes.
#pragma once

#include <vector>

#include "core/kit/memory.h"

namespace teal::kit {

// Begins each in turn; none may write anything: their keys lie in the partition `wrong` of this test's space.
std::vector<Call*> WrongCalls(const MemoryView& memory);

}  // namespace teal::kit

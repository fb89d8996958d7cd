// The plugin under test, loaded into a test's process.
#pragma once

#include <cstddef>

#include "abi/include/teal/abi.h"

namespace teal::kit {

struct Subject {
  const teal_plugin* plugin = nullptr;
  const teal_memory* memory = nullptr;  // NULL: not offered; so are the next two
  const teal_threads* threads = nullptr;
  const teal_trigger* trigger = nullptr;
  std::size_t started = 0;  // threads and descriptors that loading it left in the process
  bool blocking() const { return (plugin->flags & TEAL_PLUGIN_BLOCKING) != 0; }
};

// Loads the library and asks for its tables; fails the test if it is no plugin that can be tested at all. Once, before
// any test code.
void LoadSubject();
const Subject& Tested();

}  // namespace teal::kit

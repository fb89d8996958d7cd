// A test's own process.
#pragma once

namespace teal::kit {

// The row of a process that only loads the plugin, so that what is no plugin at all is said once.
inline constexpr const char* kLoadOnly = "load";

// Loads the plugin and runs the test `Given().run_row`. Gives the exit code: the verdict lies on the board.
int RunChild();

}  // namespace teal::kit

// A commit log whose writes and syncs fail. Dies with words at the first thing that is wrong, and returns 0 after the
// line "ok …".
#pragma once

#include <string>

namespace teal::tests {

// For each kind of failure, at several moments of a load: every caller is told; nothing is acknowledged on a log that
// may have lost something, whatever later syncs say; gets go on and show what is durable, no more; the store opened
// anew, in the same kernel's sight, shows nothing that a loss of power then takes back.
int LogFails(const std::string& library, const std::string& folder);

}  // namespace teal::tests

// The command that prints a secret.
#pragma once

#include <string>
#include <vector>

#include "core/base/result.h"

namespace teal::config {

// Runs `words` in `folder`, without a shell and with an empty standard input, and gives what it prints, one line end at
// its end left out. Blocks for at most kSecretCommandSecondsMax. A Failure's message goes on after "the command …" and
// never holds what was printed. Standard error is passed on. Precondition: words is not empty.
Result<std::string> RunSecretCommand(const std::vector<std::string>& words, const std::string& folder);

}  // namespace teal::config

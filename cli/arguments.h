// ARG… of a command line: JSON where it parses as JSON, else a string.
#pragma once

#include <string>

#include "core/base/result.h"
#include "core/vm/value.h"

namespace teal::cli {

// kInvalid for what is neither: text that is not UTF-8, an integer past 64 bits.
Result<vm::Value> ParseArgument(const std::string& word);

}  // namespace teal::cli

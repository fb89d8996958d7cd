// ARG… of a command line: JSON where it parses as JSON, else a string.
#pragma once

#include <string>

#include "core/base/result.h"
#include "core/vm/value.h"

namespace teal::cli {

// Stands before a word that CLI11 would take apart; ParseArgument drops it.
inline constexpr char kVerbatim = '\x01';

// kInvalid for what is neither: text that is not UTF-8, an integer past 64 bits.
Result<vm::Value> ParseArgument(std::string word);

}  // namespace teal::cli

// How a session's outcome is told to people and to scripts.
#pragma once

#include <string>
#include <string_view>

#include "core/vm/value.h"

namespace teal::cli {

// The value as JSON, on one line. What JSON cannot hold (nan, a key that is no string) is written in its source form,
// as a string: the report of a failure must not fail.
std::string ToJson(const vm::Value& value);

// "kind: message", then the trace, the failing line last, with the thread named where it changes. Ends with a newline.
std::string ErrorText(const vm::Value& error, bool color);
// The error that ErrorJson, or a host, wrote as the JSON object `from`.
vm::Value ErrorOfJson(const vm::Value& from);

// {"kind","message","data","trace":[{"function","file","line","thread"}]}.
std::string ErrorJson(const vm::Value& error);

}  // namespace teal::cli

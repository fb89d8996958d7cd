// What may leave a session: results, events, arguments of foreign functions and of other sessions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/vm/value.h"

namespace teal::runtime {

// "result[2].x is a function, which cannot leave its session", if `value` holds a future or a function. `root` is the
// name of the value in the path.
std::optional<std::string> WhyNotCarried(const vm::Value& value, std::string_view root);

}  // namespace teal::runtime

// The version of this program, as people see it.
#pragma once

namespace teal::cli {

inline constexpr char kTealVersion[] = "0.1.0";

}  // namespace teal::cli

// Words of the kit's messages: values joined to text, bytes shown so that a person can read them. Pure, thread-safe.
#pragma once

#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>

#include "abi/include/teal/abi.h"

namespace teal::kit {

// The values written one after the other, as operator<< has them.
template <typename... Values>
std::string Text(const Values&... values) {
  std::ostringstream out;
  (out << ... << values);
  return out.str();
}

// At most 60 bytes of it in quotes, everything that is not printable ASCII as \xNN; then its size, if it was longer.
std::string Show(std::string_view bytes);
// "none" for the zero version, else its first bytes that are not zero, in hexadecimal.
std::string Show(const teal_version& version);
// TEAL_CONFLICT as "CONFLICT".
std::string StatusName(teal_status status);
// Whether the bytes are well-formed UTF-8.
bool IsUtf8(std::string_view bytes);

}  // namespace teal::kit

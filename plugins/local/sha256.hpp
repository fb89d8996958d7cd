// SHA-256 (FIPS 180-4), for the names of blobs' files. Pure.
#pragma once

#include <string>
#include <string_view>

namespace teal::local {

// 64 hexadecimal digits.
std::string Sha256Hex(std::string_view data);

}  // namespace teal::local

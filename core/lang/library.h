// The part of the library that is written in Teal (core/lang/library.tl), embedded when Teal is built.
#pragma once

#include <string_view>

namespace teal::lang {

extern const std::string_view kLibraryText;

}  // namespace teal::lang

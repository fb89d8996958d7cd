// Reading text scalar value by scalar value. All take and give valid UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace teal::vm {

// The scalar value at the front of the text, which must not be empty; *bytes says how long it is.
char32_t FrontScalar(std::string_view utf8, size_t* bytes);
void AppendScalar(char32_t scalar, std::string* out);

// What Unicode counts as white space.
bool IsSpace(char32_t scalar);
// The text without white space at its ends.
std::string_view TrimSpace(std::string_view utf8);

// The first place of `part`, which is not empty, in the text at or behind `from`, or npos. Takes time in proportion to
// what it goes through, and counts it.
size_t FindPart(std::string_view text, std::string_view part, size_t from);

// The one scalar value that Unicode maps c to; c itself when there is none or where it is several.
char32_t UpperOf(char32_t c);
char32_t LowerOf(char32_t c);

}  // namespace teal::vm

// The values of literals: numbers, durations and the text of strings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/lang/diagnostic.h"
#include "core/lang/token.h"

namespace teal::lang {

struct NumberError {
  std::string message;
  std::string hint;
};

// The number that begins at text[begin], a digit. Gives kInt, kFloat or kDuration, or kBadNumber with the error filled;
// *end is set past all that the number's writer can have meant as part of it. Values that do not fit are kBadNumber
// too, so that the decoders below cannot fail.
TokenKind ScanNumber(std::string_view text, uint32_t begin, uint32_t* end, NumberError* error);

// Precondition for the three: `written` is a token of that kind.
uint64_t DecodeInt(std::string_view written);
double DecodeFloat(std::string_view written);
struct DurationValue {
  bool integral = true;  // then whole_seconds holds it, else seconds
  int64_t whole_seconds = 0;
  double seconds = 0;
};
DurationValue DecodeDuration(std::string_view written);

// The text between the quotes of a string, `inside`, or of a piece of an f-string (`format`: then `{{` and `}}` are
// braces). Reports malformed escapes as errors and unknown ones as warnings; what is malformed is left out.
std::string DecodeString(const SourceFile& file, Span inside, bool format, Diagnostics& diagnostics);

}  // namespace teal::lang

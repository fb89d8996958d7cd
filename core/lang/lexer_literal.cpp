#include "core/lang/lexer_literal.h"

#include <cassert>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/base/mutant.h"
#include "core/lang/lexer_char.h"

namespace teal::lang {
namespace {

constexpr uint64_t kMagnitudeMax = uint64_t{1} << 63;  // that of -9223372036854775808

std::string WithoutUnderscores(std::string_view written) {
  std::string digits;
  digits.reserve(written.size());
  for (const char c : written) {
    if (c != '_') digits += c;
  }
  return digits;
}

char At(std::string_view text, size_t i) {
  return i < text.size() ? text[i] : '\0';
}

// Digits with single underscores between them. False: an underscore stands at a wrong place.
bool ScanDigits(std::string_view text, size_t* at, uint8_t digit_class) {
  bool digit_before = false;
  while (*at < text.size()) {
    const char c = text[*at];
    if (HasClass(c, digit_class)) {
      digit_before = true;
    } else if (c == '_') {
      if (!digit_before || !HasClass(At(text, *at + 1), digit_class)) return false;
      digit_before = false;
    } else {
      break;
    }
    ++*at;
  }
  return true;
}

// Milliseconds of a unit; 0: no such unit.
int64_t UnitMilliseconds(std::string_view unit) {
  if (unit == "ms") return TEAL_MUTANT("milliseconds_are_seconds") ? 1000 : 1;
  if (unit == "s") return 1000;
  if (unit == "m") return 60 * 1000;
  if (unit == "h") return 60 * 60 * 1000;
  if (unit == "d") return 24 * 60 * 60 * 1000;
  return 0;
}

bool FitsInt(std::string_view written) {
  const bool hex = written.starts_with("0x");
  const std::string digits = WithoutUnderscores(hex ? written.substr(2) : written);
  uint64_t value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
  return parsed.ec == std::errc() && value <= kMagnitudeMax;
}

TokenKind Bad(std::string_view text, size_t at, uint32_t* end, NumberError* error, std::string message,
              std::string hint) {
  while (IsWordChar(At(text, at))) ++at;
  *end = static_cast<uint32_t>(at);
  *error = {std::move(message), std::move(hint)};
  return TokenKind::kBadNumber;
}

TokenKind ScanHex(std::string_view text, uint32_t begin, uint32_t* end, NumberError* error) {
  size_t at = begin + 2;
  if (!IsHexDigit(At(text, at))) {
    return Bad(text, at, end, error, "a hexadecimal number needs digits after `0x`", "write e.g. `0xff`");
  }
  if (!ScanDigits(text, &at, kCharHex)) {
    return Bad(text, at, end, error, "misplaced `_` in a number", "put single `_` between digits, e.g. `0xffff_0000`");
  }
  if (IsWordChar(At(text, at))) {
    return Bad(text, at, end, error, std::string("`") + text[at] + "` is no hexadecimal digit",
               "hexadecimal digits are 0 to 9 and a to f");
  }
  *end = static_cast<uint32_t>(at);
  if (!FitsInt(text.substr(begin, at - begin))) {
    return Bad(text, at, end, error, "integer literal does not fit 64 bits",
               "the largest integer is 9223372036854775807 (0x7fff_ffff_ffff_ffff)");
  }
  return TokenKind::kInt;
}

}  // namespace

TokenKind ScanNumber(std::string_view text, uint32_t begin, uint32_t* end, NumberError* error) {
  assert(IsDigit(text[begin]));
  if (text[begin] == '0' && At(text, begin + 1) == 'x') return ScanHex(text, begin, end, error);
  const char* const misplaced = "put single `_` between digits, e.g. `1_000_000`";
  size_t at = begin;
  bool is_float = false;
  if (!ScanDigits(text, &at, kCharDigit)) return Bad(text, at, end, error, "misplaced `_` in a number", misplaced);
  if (At(text, at) == '.' && IsDigit(At(text, at + 1))) {
    is_float = true;
    ++at;
    if (!ScanDigits(text, &at, kCharDigit)) return Bad(text, at, end, error, "misplaced `_` in a number", misplaced);
    if (At(text, at) == '.' && IsDigit(At(text, at + 1))) {
      ++at;
      return Bad(text, at, end, error, "a number has one decimal point", "several make no number; text needs quotes");
    }
  }
  if ((At(text, at) == 'e' || At(text, at) == 'E') &&
      (IsDigit(At(text, at + 1)) ||
       ((At(text, at + 1) == '-' || At(text, at + 1) == '+') && IsDigit(At(text, at + 2))))) {
    is_float = true;
    at += 2;
    if (!ScanDigits(text, &at, kCharDigit)) return Bad(text, at, end, error, "misplaced `_` in a number", misplaced);
  }
  *end = static_cast<uint32_t>(at);
  const std::string_view digits = text.substr(begin, at - begin);
  TokenKind kind = is_float ? TokenKind::kFloat : TokenKind::kInt;
  if (IsWordChar(At(text, at))) {
    const size_t unit_begin = at;
    while (IsWordChar(At(text, at))) ++at;
    const std::string_view unit = text.substr(unit_begin, at - unit_begin);
    *end = static_cast<uint32_t>(at);
    if (UnitMilliseconds(unit) == 0) {
      const std::string whole(text.substr(begin, at - begin));
      if (digits == "0" && (unit[0] == 'X' || unit[0] == 'b' || unit[0] == 'o')) {
        return Bad(text, at, end, error, "`" + whole + "` is no number",
                   "numbers are decimal or, after a small `0x`, hexadecimal");
      }
      if (unit == "e" || unit == "E") {
        return Bad(text, at, end, error, "the exponent of `" + whole + "` has no digits", "write e.g. `1e9` or `1e-3`");
      }
      return Bad(text, at, end, error, "`" + whole + "` is neither a number nor a name",
                 "names begin with a letter; the units of durations are ms, s, m, h and d");
    }
    kind = TokenKind::kDuration;
  }
  if (!is_float && !FitsInt(digits)) {
    return Bad(text, at, end, error, "integer literal does not fit 64 bits",
               "the largest integer is 9223372036854775807; write it as a float (with `.0`) if it need not be exact");
  }
  if (is_float && !std::isfinite(DecodeFloat(digits))) {
    return Bad(text, at, end, error, "number too large for a float", "the largest float is about 1.797e308");
  }
  if (kind == TokenKind::kDuration) {
    const DurationValue value = DecodeDuration(text.substr(begin, at - begin));
    if (!value.integral && !(value.seconds < 9.2e18)) {
      return Bad(text, at, end, error, "duration too long", "a duration is less than 2^63 seconds");
    }
  }
  return kind;
}

uint64_t DecodeInt(std::string_view written) {
  const bool hex = written.starts_with("0x");
  uint64_t value = 0;
  if (written.find('_') == std::string_view::npos) {
    const std::string_view digits = hex ? written.substr(2) : written;
    std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
  } else {
    const std::string digits = WithoutUnderscores(hex ? written.substr(2) : written);
    std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
  }
  return value;
}

double DecodeFloat(std::string_view written) {
  const std::string digits = WithoutUnderscores(written);
  double value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (parsed.ec == std::errc::result_out_of_range) {
    // Too large, or too small for any float but 0: the exponent's sign tells.
    const size_t exponent = digits.find_first_of("eE");
    const bool tiny = exponent != std::string::npos ? digits[exponent + 1] == '-' : digits.starts_with("0.");
    return tiny ? 0.0 : std::numeric_limits<double>::infinity();
  }
  return value;
}

DurationValue DecodeDuration(std::string_view written) {
  size_t unit = written.size();
  while (BeginsWord(written[unit - 1])) --unit;
  const std::string digits = WithoutUnderscores(written.substr(0, unit));
  const int64_t milliseconds = UnitMilliseconds(written.substr(unit));
  assert(milliseconds > 0);
  DurationValue value;
  // Exact in integers where the digits allow it: 1.1m is 66 seconds, not 66.00000000000001.
  constexpr size_t kExactDigits = 19;
  const size_t point = digits.find('.');
  if (digits.find_first_of("eE") == std::string::npos && digits.size() <= kExactDigits) {
    unsigned __int128 numerator = 0;
    unsigned __int128 denominator = 1000;
    for (size_t i = 0; i < digits.size(); ++i) {
      if (i == point) continue;
      numerator = numerator * 10 + static_cast<unsigned>(digits[i] - '0');
      if (point != std::string::npos && i > point) denominator *= 10;
    }
    numerator *= static_cast<unsigned __int128>(milliseconds);
    if (numerator % denominator == 0 && numerator / denominator < kMagnitudeMax) {
      value.whole_seconds = static_cast<int64_t>(numerator / denominator);
      value.seconds = static_cast<double>(value.whole_seconds);
      return value;
    }
    value.integral = false;
    value.seconds = static_cast<double>(numerator) / static_cast<double>(denominator);
    return value;
  }
  value.seconds = DecodeFloat(digits) * static_cast<double>(milliseconds) / 1000.0;
  value.integral = value.seconds == std::floor(value.seconds) && value.seconds < 9.0e15;
  if (value.integral) value.whole_seconds = static_cast<int64_t>(value.seconds);
  return value;
}

namespace {

void AppendUtf8(uint32_t code, std::string* out) {
  const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 63));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 63));
    put(0x80 | (code & 63));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 63));
    put(0x80 | (code >> 6 & 63));
    put(0x80 | (code & 63));
  }
}

uint32_t HexValue(char c) {
  return static_cast<uint32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

class StringDecoder {
 public:
  StringDecoder(const SourceFile& file, Span inside, bool format, Diagnostics& diagnostics)
      : file_(file),
        text_(file.text().substr(0, inside.end)),
        at_(inside.begin),
        format_(format),
        diagnostics_(diagnostics) {}

  std::string Run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\\' && at_ + 1 < text_.size()) {
        Escape();
      } else if (format_ && (c == '{' || c == '}')) {
        Brace(c);
      } else {
        out_.push_back(c);
        ++at_;
      }
    }
    return std::move(out_);
  }

 private:
  void Brace(char c) {
    if (At(text_, at_ + 1) != c) {
      Error(at_, at_ + 1, "single `}` in an f-string", "a brace of the text is doubled: `}}`");
      ++at_;
      return;
    }
    out_.push_back(c);
    at_ += 2;
  }

  void Escape() {
    const char c = text_[at_ + 1];
    switch (c) {
      case 'n':
        return Plain('\n');
      case 't':
        return Plain('\t');
      case 'r':
        return Plain('\r');
      case '0':
        return Plain('\0');
      case '\\':
      case '"':
      case '\'':
        return Plain(c);
      case 'x':
        return Hex(2, "`\\x` needs two hexadecimal digits", "write e.g. `\\x41`");
      case 'u':
        if (At(text_, at_ + 2) == '{') return Braced();
        return Hex(4, "`\\u` needs four hexadecimal digits or braces", "write e.g. `\\u00e9` or `\\u{1F600}`");
      default:
        break;
    }
    size_t end = at_ + 2;
    while (end < text_.size() && (static_cast<uint8_t>(text_[end]) & 0xC0) == 0x80) ++end;
    const std::string written(text_.substr(at_, end - at_));
    diagnostics_.Warning(file_, {static_cast<uint32_t>(at_), static_cast<uint32_t>(end)},
                         "unknown escape `" + written + "` stays as written",
                         "write `\\" + written + "` for a backslash");
    out_.push_back('\\');
    ++at_;  // what follows is text, or a brace that counts
  }

  void Plain(char c) {
    out_.push_back(c);
    at_ += 2;
  }

  void Hex(size_t digits, const char* message, const char* hint) {
    const size_t begin = at_;
    uint32_t code = 0;
    at_ += 2;
    for (size_t i = 0; i < digits; ++i, ++at_) {
      if (!IsHexDigit(At(text_, at_))) return Error(begin, at_, message, hint);
      code = code * 16 + HexValue(text_[at_]);
    }
    Code(code, begin);
  }

  void Braced() {
    const size_t begin = at_;
    at_ += 3;
    uint32_t code = 0;
    size_t digits = 0;
    while (IsHexDigit(At(text_, at_))) {
      if (code <= 0x10FFFF) code = code * 16 + HexValue(text_[at_]);
      ++digits;
      ++at_;
    }
    if (digits == 0 || At(text_, at_) != '}') {
      return Error(begin, at_, "`\\u{` needs hexadecimal digits and a closing brace", "write e.g. `\\u{1F600}`");
    }
    ++at_;
    Code(code, begin);
  }

  void Code(uint32_t code, size_t begin) {
    if (code >= 0xD800 && code <= 0xDFFF) {
      return Error(begin, at_, "a surrogate is no character", "write the character itself, e.g. `\\u{1F600}`");
    }
    if (code > 0x10FFFF) return Error(begin, at_, "no character has this number", "the last one is `\\u{10FFFF}`");
    AppendUtf8(code, &out_);
  }

  void Error(size_t begin, size_t end, std::string message, std::string hint) {
    diagnostics_.Error(file_, {static_cast<uint32_t>(begin), static_cast<uint32_t>(end)}, std::move(message),
                       std::move(hint));
  }

  const SourceFile& file_;
  const std::string_view text_;
  size_t at_;
  const bool format_;
  Diagnostics& diagnostics_;
  std::string out_;
};

}  // namespace

std::string DecodeString(const SourceFile& file, Span inside, bool format, Diagnostics& diagnostics) {
  return StringDecoder(file, inside, format, diagnostics).Run();
}

}  // namespace teal::lang

// Floats as Python's repr writes them: the shortest digits that read back as the same float.
#include <charconv>
#include <cmath>

#include "core/base/mutant.h"
#include "core/vm/value.h"

namespace teal::vm {
namespace {

// Python writes an exponent when the decimal point would stand outside these places.
inline constexpr int kPointMin = -4;
inline constexpr int kPointMax = 16;

}  // namespace

std::string FloatRepr(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d > 0 ? "inf" : "-inf";
  // "d.ddde±xx" with as few digits as will do.
  char text[40];
  auto [end, ec] = std::to_chars(text, text + sizeof text, d, std::chars_format::scientific);
  assert(ec == std::errc());
  std::string result;
  const char* p = text;
  if (*p == '-') {
    result.push_back('-');
    p++;
  }
  const char* e = end;
  while (*--e != 'e') assert(e > p);
  std::string digits(1, *p);
  if (p[1] == '.') digits.append(p + 2, e);
  int exponent = 0;
  std::from_chars(e[1] == '+' ? e + 2 : e + 1, end, exponent);

  int count = static_cast<int>(digits.size());
  if (exponent < kPointMin || exponent >= kPointMax) {
    result.push_back(digits[0]);
    if (count > 1) result.append(".").append(digits, 1);
    result.append(exponent < 0 ? "e-" : "e+");
    int size = std::abs(exponent);
    if (size < 10) result.push_back('0');
    result.append(std::to_string(size));
  } else if (exponent < 0) {
    result.append("0.").append(static_cast<size_t>(-exponent - 1), '0').append(digits);
  } else if (count <= exponent + 1) {
    result.append(digits)
        .append(static_cast<size_t>(exponent + 1 - count), '0')
        .append(TEAL_MUTANT("whole_floats_look_like_ints") ? "" : ".0");
  } else {
    size_t whole = static_cast<size_t>(exponent) + 1;
    result.append(digits, 0, whole).append(".").append(digits, whole);
  }
  return result;
}

}  // namespace teal::vm

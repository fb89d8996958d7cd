// Builtins on numbers. They follow Python where it has the same function; infinities never appear from finite numbers.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "core/vm/builtins_internal.h"
#include "core/vm/string_text.h"
#include "core/vm/value_walk.h"

namespace teal::vm {
namespace {

bool FailValue(Value* result, std::string_view builtin, std::string_view problem, const Value& got) {
  std::string message(builtin);
  message.append(": ").append(problem).append(", got ").append(Describe(got));
  return FailWith(result, "value", std::move(message));
}

bool FailOverflow(Value* result, std::string_view builtin, const Value& got) {
  std::string message(builtin);
  message.append(": the result is too large, of ").append(Describe(got));
  return FailWith(result, "overflow", std::move(message));
}

// A whole float as an integer.
bool ToInteger(std::string_view builtin, double whole, const Value& from, Value* result) {
  if (std::isnan(whole) || std::isinf(whole)) return FailValue(result, builtin, "the number must be finite", from);
  if (whole < -0x1p63 || whole >= 0x1p63) return FailOverflow(result, builtin, from);
  return Give(result, Value::Int(static_cast<int64_t>(whole)));
}

bool ParseInt(const Value& text, Value* result) {
  CountWork(text.Text().size());
  std::string_view s = TrimSpace(text.Text());
  if (!s.empty() && s[0] == '+' && s.size() > 1 && s[1] != '-') s.remove_prefix(1);
  int64_t i = 0;
  auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), i);
  if (s.empty() || end != s.data() + s.size() || ec == std::errc::invalid_argument) {
    return FailValue(result, "int", "the string must be a decimal integer", text);
  }
  if (ec == std::errc::result_out_of_range) return FailOverflow(result, "int", text);
  return Give(result, Value::Int(i));
}

bool ParseFloat(std::string_view builtin, const Value& text, Value* result) {
  CountWork(text.Text().size());
  std::string_view s = TrimSpace(text.Text());
  if (!s.empty() && s[0] == '+' && s.size() > 1 && s[1] != '-') s.remove_prefix(1);
  double d = 0;
  auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), d);
  bool whole = !s.empty() && end == s.data() + s.size() && s.find('(') == std::string_view::npos;
  if (!whole || ec == std::errc::invalid_argument) {
    return FailValue(result, builtin, "the string must be a decimal number", text);
  }
  // Out of range: strtod tells too small (0) from too large (an infinity), as Python's float does.
  if (ec == std::errc::result_out_of_range) d = std::strtod(std::string(s).c_str(), nullptr);
  return Give(result, Value::Float(d));
}

bool ToFloat(std::string_view builtin, const Value& v, Value* result) {
  if (v.IsNumber()) return Give(result, Value::Float(ToDouble(v)));
  if (v.tag() == Tag::kString) return ParseFloat(builtin, v, result);
  return FailType(result, builtin, "the argument", "a number or a string", v);
}

// x rounded to a multiple of 10^places, places > 0; ties go to the even multiple. False: outside 64 bits.
bool RoundIntToTens(int64_t x, int64_t places, int64_t* out) {
  if (places > 19) {
    *out = 0;
    return true;
  }
  __extension__ using Wide = __int128;
  Wide unit = 1;
  for (int64_t i = 0; i < places; i++) unit *= 10;
  Wide quotient = x / unit;
  Wide rest = x % unit;
  if (rest < 0) {
    rest += unit;
    quotient -= 1;
  }
  if (rest * 2 > unit || (rest * 2 == unit && quotient % 2 != 0)) quotient += 1;
  Wide rounded = quotient * unit;
  if (rounded < INT64_MIN || rounded > INT64_MAX) return false;
  *out = static_cast<int64_t>(rounded);
  return true;
}

inline constexpr int kDoubleFractionDigitsMax = 1074;  // of the exact decimal expansion
inline constexpr int kDoubleWholeDigitsMax = 309;

// x rounded to a multiple of 10^places, places > 0, exactly: on its decimal digits.
double RoundFloatToTens(double x, int64_t places) {
  if (places > kDoubleWholeDigitsMax) return std::copysign(0.0, x);
  std::array<char, kDoubleWholeDigitsMax + kDoubleFractionDigitsMax + 8> text;
  std::snprintf(text.data(), text.size(), "%.*f", kDoubleFractionDigitsMax, std::fabs(x));
  std::string digits(text.data());
  std::string fraction = digits.substr(digits.find('.') + 1);
  std::string whole = digits.substr(0, digits.find('.'));
  size_t cut = static_cast<size_t>(places);
  if (whole.size() <= cut) whole.insert(0, cut + 1 - whole.size(), '0');
  std::string kept = whole.substr(0, whole.size() - cut);
  std::string dropped = whole.substr(whole.size() - cut) + fraction;
  bool above_tie = dropped.find_first_not_of('0', 1) != std::string::npos;
  bool odd = (kept.back() - '0') % 2 == 1;
  if (dropped[0] > '5' || (dropped[0] == '5' && (above_tie || odd))) {
    size_t i = kept.size();
    while (i > 0 && kept[i - 1] == '9') kept[--i] = '0';
    if (i > 0)
      kept[i - 1]++;
    else
      kept.insert(0, 1, '1');
  }
  kept.append(cut, '0');
  return std::copysign(std::strtod(kept.c_str(), nullptr), x);
}

double RoundFloatToPlaces(double x, int64_t places) {
  if (places > kDoubleFractionDigitsMax) return x;
  std::array<char, kDoubleWholeDigitsMax + kDoubleFractionDigitsMax + 8> text;
  std::snprintf(text.data(), text.size(), "%.*f", static_cast<int>(places), x);
  return std::strtod(text.data(), nullptr);
}

// The least or greatest of values: `wanted` says which. The first of equal ones. A nan among numbers is the result.
bool Extreme(std::string_view name, Order wanted, const Value* values, uint64_t count, Value* result) {
  if (count == 0) return FailWith(result, "value", std::string(name) + ": the list is empty");
  const uint64_t begun = allocated_bytes;
  const Value* best = &values[0];
  for (uint64_t i = 0; i < count; i++) {
    CountWork(sizeof(Value));
    Order order = Compare(values[i], *best);
    if (order == Order::kTooMuch || TooMuchWork(begun)) return FailWork(result, name);
    if (order == Order::kIncomparable) {
      std::string message(name);
      message.append(": cannot order ").append(Describe(values[i])).append(" and ").append(Describe(*best));
      return FailWith(result, "type", std::move(message));
    }
    bool nan = values[i].IsFloat() && std::isnan(values[i].AsFloat());
    bool best_nan = best->IsFloat() && std::isnan(best->AsFloat());
    if (!best_nan && (order == wanted || nan)) best = &values[i];
  }
  return Give(result, Value(*best));
}

bool ExtremeOf(std::string_view name, Order wanted, Value* args, uint32_t count, Value* result) {
  if (count > 1) return Extreme(name, wanted, args, count, result);
  if (!WantList(name, "a single argument", args[0], result)) return false;
  const List* list = args[0].As<List>();
  return Extreme(name, wanted, list->items, list->size, result);
}

bool IntPower(int64_t base, int64_t exponent, int64_t* out) {
  int64_t power = 1;
  for (;;) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(power, base, &power)) return false;
    exponent >>= 1;
    if (exponent == 0) break;
    if (__builtin_mul_overflow(base, base, &base)) return false;
  }
  *out = power;
  return true;
}

}  // namespace

// int(x): of a float, its whole part (towards zero); of a string, the decimal integer in it, white space around it left
// out. A string that is none, nan and infinities are `value`; what does not fit 64 bits is `overflow`.
bool Builtin_int(Value* args, uint32_t, Value* result) {
  if (args[0].IsInt()) return Give(result, Value::Int(args[0].AsInt()));
  if (args[0].IsFloat()) return ToInteger("int", std::trunc(args[0].AsFloat()), args[0], result);
  if (args[0].tag() == Tag::kString) return ParseInt(args[0], result);
  return FailType(result, "int", "the argument", "a number or a string", args[0]);
}

// float(x): of an integer, the nearest float; of a string, the decimal number in it ("1", "-2.5e3", "inf", "nan"),
// white space around it left out. A string that is none is `value`.
bool Builtin_float(Value* args, uint32_t, Value* result) {
  return ToFloat("float", args[0], result);
}

// parse_float(x): the same as float(x).
bool Builtin_parse_float(Value* args, uint32_t, Value* result) {
  return ToFloat("parse_float", args[0], result);
}

// abs(x): x without its sign.
bool Builtin_abs(Value* args, uint32_t, Value* result) {
  if (!WantNumber("abs", "the argument", args[0], result)) return false;
  if (args[0].IsFloat()) return Give(result, Value::Float(std::fabs(args[0].AsFloat())));
  if (args[0].AsInt() == INT64_MIN) return FailOverflow(result, "abs", args[0]);
  return Give(result, Value::Int(args[0].AsInt() < 0 ? -args[0].AsInt() : args[0].AsInt()));
}

// floor(x): the greatest integer that is not above x.
bool Builtin_floor(Value* args, uint32_t, Value* result) {
  if (!WantNumber("floor", "the argument", args[0], result)) return false;
  if (args[0].IsInt()) return Give(result, Value::Int(args[0].AsInt()));
  return ToInteger("floor", std::floor(args[0].AsFloat()), args[0], result);
}

// ceil(x): the least integer that is not below x.
bool Builtin_ceil(Value* args, uint32_t, Value* result) {
  if (!WantNumber("ceil", "the argument", args[0], result)) return false;
  if (args[0].IsInt()) return Give(result, Value::Int(args[0].AsInt()));
  return ToInteger("ceil", std::ceil(args[0].AsFloat()), args[0], result);
}

// round(x): the nearest integer, ties to the even one. round(x, n): to n decimal places (negative n: to tens, hundreds,
// …), of x's own type; the decimal digits of the exact float decide, as in Python.
bool Builtin_round(Value* args, uint32_t count, Value* result) {
  if (!WantNumber("round", "the number", args[0], result)) return false;
  int64_t places = 0;
  bool to_integer = count == 1 || args[1].IsNull();
  if (!to_integer && !WantInt("round", "the number of places", args[1], &places, result)) return false;
  if (args[0].IsInt()) {
    int64_t rounded = args[0].AsInt();
    if (places < -20) places = -20;
    if (places < 0 && !RoundIntToTens(rounded, -places, &rounded)) return FailOverflow(result, "round", args[0]);
    return Give(result, Value::Int(rounded));
  }
  double x = args[0].AsFloat();
  if (to_integer) return ToInteger("round", std::nearbyint(x), args[0], result);
  if (!std::isfinite(x)) return Give(result, Value::Float(x));
  if (places < -kDoubleWholeDigitsMax - 1) places = -kDoubleWholeDigitsMax - 1;
  double rounded = places < 0 ? RoundFloatToTens(x, -places) : RoundFloatToPlaces(x, places);
  if (std::isinf(rounded)) return FailOverflow(result, "round", args[0]);
  return Give(result, Value::Float(rounded));
}

// min(a, b, …) or min(xs): the least, by <; the first of equal ones; nan when there is one. [] is `value`.
bool Builtin_min(Value* args, uint32_t count, Value* result) {
  return ExtremeOf("min", Order::kLess, args, count, result);
}

// max(a, b, …) or max(xs): the greatest, by <; the first of equal ones; nan when there is one. [] is `value`.
bool Builtin_max(Value* args, uint32_t count, Value* result) {
  return ExtremeOf("max", Order::kGreater, args, count, result);
}

// sum(xs): the sum of a list of numbers, from left to right; 0 of []. An integer unless there is a float among them.
bool Builtin_sum(Value* args, uint32_t, Value* result) {
  if (!WantList("sum", "the argument", args[0], result)) return false;
  const List* list = args[0].As<List>();
  CountWork(list->size * sizeof(Value));
  int64_t whole = 0;
  double total = 0;
  bool is_float = false;
  for (uint64_t i = 0; i < list->size; i++) {
    const Value& v = list->items[i];
    if (!v.IsNumber()) return FailType(result, "sum", "element " + std::to_string(i), "a number", v);
    if (v.IsFloat() && !is_float) {
      is_float = true;
      total = static_cast<double>(whole);
    }
    if (is_float)
      total += ToDouble(v);
    else if (__builtin_add_overflow(whole, v.AsInt(), &whole)) {
      return FailWith(result, "overflow",
                      "sum: the sum is outside the 64 bits of an integer at element " + std::to_string(i));
    }
  }
  return Give(result, is_float ? Value::Float(total) : Value::Int(whole));
}

// div(a, b): the quotient, rounded down: an integer of integers, else a whole float.
bool Builtin_div(Value* args, uint32_t, Value* result) {
  if (!WantNumber("div", "the first argument", args[0], result)) return false;
  if (!WantNumber("div", "the second argument", args[1], result)) return false;
  if (ToDouble(args[1]) == 0)
    return FailWith(result, "zero_division", "div: division of " + SourceForm(args[0]) + " by zero");
  if (args[0].IsInt() && args[1].IsInt()) {
    int64_t a = args[0].AsInt();
    int64_t b = args[1].AsInt();
    if (a == INT64_MIN && b == -1) return FailOverflow(result, "div", args[0]);
    int64_t quotient = a / b;
    if (a % b != 0 && (a < 0) != (b < 0)) quotient--;
    return Give(result, Value::Int(quotient));
  }
  // From the exact remainder, so that div(a, b) * b + a % b is a as nearly as can be.
  double a = ToDouble(args[0]);
  double b = ToDouble(args[1]);
  double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
  if (quotient == 0) return Give(result, Value::Float(std::copysign(0.0, a / b)));
  double whole = std::floor(quotient);
  if (quotient - whole > 0.5) whole += 1;
  return Give(result, Value::Float(whole));
}

// sqrt(x): the square root, a float; of a negative number `value`.
bool Builtin_sqrt(Value* args, uint32_t, Value* result) {
  if (!WantNumber("sqrt", "the argument", args[0], result)) return false;
  if (ToDouble(args[0]) < 0) return FailValue(result, "sqrt", "the number must not be negative", args[0]);
  return Give(result, Value::Float(std::sqrt(ToDouble(args[0]))));
}

// pow(a, b): a to the power of b: an integer when both are and b is not negative, else a float. 0 to a negative power
// is `zero_division`; a negative number to a power that is not whole is `value`.
bool Builtin_pow(Value* args, uint32_t, Value* result) {
  if (!WantNumber("pow", "the base", args[0], result)) return false;
  if (!WantNumber("pow", "the exponent", args[1], result)) return false;
  if (args[0].IsInt() && args[1].IsInt() && args[1].AsInt() >= 0) {
    int64_t power;
    if (!IntPower(args[0].AsInt(), args[1].AsInt(), &power)) return FailOverflow(result, "pow", args[0]);
    return Give(result, Value::Int(power));
  }
  double base = ToDouble(args[0]);
  double exponent = ToDouble(args[1]);
  if (base == 0 && exponent < 0)
    return FailWith(result, "zero_division", "pow: 0 to the negative power " + SourceForm(args[1]));
  if (base < 0 && std::isfinite(base) && std::isfinite(exponent) && exponent != std::floor(exponent)) {
    return FailValue(result, "pow", "a negative base needs a whole exponent", args[1]);
  }
  double power = std::pow(base, exponent);
  if (std::isinf(power) && std::isfinite(base) && std::isfinite(exponent)) return FailOverflow(result, "pow", args[0]);
  return Give(result, Value::Float(power));
}

// exp(x): e to the power of x, a float; `overflow` when it is too large for one.
bool Builtin_exp(Value* args, uint32_t, Value* result) {
  if (!WantNumber("exp", "the argument", args[0], result)) return false;
  double x = ToDouble(args[0]);
  double power = std::exp(x);
  if (std::isinf(power) && std::isfinite(x)) return FailOverflow(result, "exp", args[0]);
  return Give(result, Value::Float(power));
}

// log(x): the natural logarithm. log(x, base): that to a base. Numbers must be above 0, a base not 1, else `value`.
bool Builtin_log(Value* args, uint32_t count, Value* result) {
  if (!WantNumber("log", "the number", args[0], result)) return false;
  double x = ToDouble(args[0]);
  if (x <= 0) return FailValue(result, "log", "the number must be above 0", args[0]);
  if (count == 1) return Give(result, Value::Float(std::log(x)));
  if (!WantNumber("log", "the base", args[1], result)) return false;
  double base = ToDouble(args[1]);
  if (base <= 0 || base == 1) return FailValue(result, "log", "the base must be above 0 and not 1", args[1]);
  if (base == 2) return Give(result, Value::Float(std::log2(x)));
  if (base == 10) return Give(result, Value::Float(std::log10(x)));
  return Give(result, Value::Float(std::log(x) / std::log(base)));
}

}  // namespace teal::vm

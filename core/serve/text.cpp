#include "core/serve/text.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "core/host/json.h"
#include "core/vm/value.h"

namespace teal::serve {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

int HexOf(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// `count` digits from *text, which moves past them; -1: there are fewer.
int Digits(std::string_view* text, size_t count) {
  if (text->size() < count) return -1;
  int number = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!IsDigit((*text)[i])) return -1;
    number = number * 10 + ((*text)[i] - '0');
  }
  text->remove_prefix(count);
  return number;
}

bool Take(std::string_view* text, std::string_view any_of) {
  if (text->empty() || any_of.find(text->front()) == std::string_view::npos) return false;
  text->remove_prefix(1);
  return true;
}

// The bytes of the character at `at`; 0: it is no UTF-8.
size_t CharacterBytes(std::string_view text, size_t at) {
  for (size_t size = 1; size <= 4 && at + size <= text.size(); ++size) {
    if (vm::IsValidUtf8(text.substr(at, size))) return size;
  }
  return 0;
}

}  // namespace

std::optional<uint64_t> ParseDuration(std::string_view text) {
  if (text == "0") return 0;
  if (text.empty() || !IsDigit(text.front())) return std::nullopt;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number)) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  double factor = 0;
  if (unit == "ms") factor = 1e6;
  if (unit == "s") factor = 1e9;
  if (unit == "m") factor = 60e9;
  if (unit == "h") factor = 3600e9;
  if (unit == "d") factor = 86400e9;
  const double ns = number * factor;
  if (factor == 0 || ns >= 9.2e18) return std::nullopt;
  return static_cast<uint64_t>(std::llround(ns));
}

std::string FormatTime(uint64_t unix_ns) {
  using std::chrono::sys_days;
  const auto seconds = static_cast<int64_t>(unix_ns / kSecond);
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const sys_days day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(unix_ns % kSecond / 1000));
  return text;
}

std::optional<uint64_t> ParseTime(std::string_view text) {
  const int year = Digits(&text, 4);
  if (year < 1970 || year > 2200 || !Take(&text, "-")) return std::nullopt;
  const int month = Digits(&text, 2);
  if (!Take(&text, "-")) return std::nullopt;
  const int day = Digits(&text, 2);
  if (!Take(&text, "Tt ")) return std::nullopt;
  const int hour = Digits(&text, 2);
  if (!Take(&text, ":")) return std::nullopt;
  const int minute = Digits(&text, 2);
  if (!Take(&text, ":")) return std::nullopt;
  const int second = Digits(&text, 2);
  uint64_t fraction = 0;
  if (Take(&text, ".")) {
    uint64_t unit = kSecond / 10;
    if (text.empty() || !IsDigit(text.front())) return std::nullopt;
    for (; !text.empty() && IsDigit(text.front()); text.remove_prefix(1), unit /= 10) {
      fraction += unit * static_cast<uint64_t>(text.front() - '0');
    }
  }
  int64_t offset = 0;
  if (!Take(&text, "Zz")) {
    const bool west = !text.empty() && text.front() == '-';
    if (!Take(&text, "+-")) return std::nullopt;
    const int hours = Digits(&text, 2);
    if (!Take(&text, ":")) return std::nullopt;
    const int minutes = Digits(&text, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
    offset = (hours * 60 + minutes) * 60 * (west ? -1 : 1);
  }
  if (!text.empty() || month < 1 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 60) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const int64_t seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset;
  if (seconds < 0) return std::nullopt;
  return static_cast<uint64_t>(seconds) * kSecond + fraction;
}

std::optional<std::string> PercentDecode(std::string_view text, bool plus) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus) c = ' ';
    if (c == '%') {
      const int high = i + 2 < text.size() ? HexOf(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexOf(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '\0') return std::nullopt;
    out.push_back(c);
  }
  if (!vm::IsValidUtf8(out)) return std::nullopt;
  return out;
}

std::string PercentEncode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain =
        IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back("0123456789ABCDEF"[byte >> 4u]);
    out.push_back("0123456789ABCDEF"[byte & 15u]);
  }
  return out;
}

void AppendJson(std::string_view text, std::string* out) {
  out->push_back('"');
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
      ++i;
    } else if (c == '\n') {
      *out += "\\n";
      ++i;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      *out += escape;
      ++i;
    } else if (static_cast<unsigned char>(c) < 0x80) {
      out->push_back(c);
      ++i;
    } else if (const size_t size = CharacterBytes(text, i); size > 0) {
      out->append(text.substr(i, size));
      i += size;
    } else {
      *out += "\xef\xbf\xbd";
      ++i;
    }
  }
  out->push_back('"');
}

std::string JsonOf(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  AppendJson(text, &out);
  return out;
}

std::string JsonOrNull(std::string_view text) {
  return text.empty() ? "null" : JsonOf(text);
}

bool EqualInConstantTime(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  volatile unsigned char differs = 0;
  for (size_t i = 0; i < a.size(); ++i) differs = differs | static_cast<unsigned char>(a[i] ^ b[i]);
  return differs == 0;
}

std::string DidYouMean(std::string_view name, const std::vector<std::string>& names) {
  const std::string nearest = host::NearestName(std::string(name), names);
  return nearest.empty() ? "" : "did you mean \"" + nearest + "\"?";
}

}  // namespace teal::serve

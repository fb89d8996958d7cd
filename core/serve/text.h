// Small texts of the control API: durations, times, percent-encoding, JSON strings. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace teal::serve {

// "500ms", "5s", "10m", "2h", "1d", also "1.5s"; a unit is needed, but for "0". nullopt: it is none, or past 2^63 ns.
std::optional<uint64_t> ParseDuration(std::string_view text);

// RFC 3339 in UTC with microseconds: "2026-01-31T10:00:00.000000Z". What is finer is cut off.
std::string FormatTime(uint64_t unix_ns);
// RFC 3339 with any offset, 1970 to 2200. nullopt: it is none.
std::optional<uint64_t> ParseTime(std::string_view text);

// nullopt: a % without two hexadecimal digits, a zero byte, or what is no UTF-8. plus: "+" is a space.
std::optional<std::string> PercentDecode(std::string_view text, bool plus);
// Everything but letters, digits and -._~ is encoded.
std::string PercentEncode(std::string_view text);

// Appends `text` as a JSON string. Bytes that are no UTF-8 become U+FFFD.
void AppendJson(std::string_view text, std::string* out);
std::string JsonOf(std::string_view text);
// null where it is empty.
std::string JsonOrNull(std::string_view text);

// In a time that depends on the lengths alone.
bool EqualInConstantTime(std::string_view a, std::string_view b);

// `did you mean "x"?` with the nearest of `names`, or nothing.
std::string DidYouMean(std::string_view name, const std::vector<std::string>& names);

}  // namespace teal::serve

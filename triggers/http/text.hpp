// Texts of HTTP and JSON: decoding of what came, writing of JSON without a tree. Thread-safe.
#ifndef TEAL_HTTP_TEXT_HPP
#define TEAL_HTTP_TEXT_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace teal::http {

bool IsUtf8(std::string_view text) noexcept;
// As it is where it is UTF-8; else each byte is taken for a character of Latin-1, as HTTP once said of headers.
std::string ToUtf8(std::string_view text);
std::string Lower(std::string_view text);
// Without spaces and tabs at both ends.
std::string_view Trim(std::string_view text) noexcept;
// The parts between `separator`s, also empty ones; of an empty text one, empty.
std::vector<std::string_view> Split(std::string_view text, char separator);

// nullopt: a % without two hexadecimal digits, a NUL, or what is no UTF-8. plus: "+" is a space.
std::optional<std::string> PercentDecode(std::string_view text, bool plus);

// "text/JSON; charset=x" -> "text/json"
std::string MediaType(std::string_view content_type);
bool IsJsonType(std::string_view media_type);

// Whether it is one JSON text that the machine takes: no byte order mark, not nested deeper than it allows.
bool IsJson(std::string_view text);
// `text` is UTF-8.
void AppendJsonString(std::string_view text, std::string* out);
std::string JsonString(std::string_view text);

std::string Base64(std::string_view bytes);
// nullopt: it is none. url: the alphabet of RFC 4648, section 5, without padding.
std::optional<std::string> DecodeBase64(std::string_view text, bool url);
std::string Hex(std::string_view bytes);
std::string Sha256(std::string_view bytes);  // 32 bytes
// 128 bits in hexadecimal, that nobody can guess.
std::string RandomId();
bool EqualInConstantTime(std::string_view a, std::string_view b);

}  // namespace teal::http

#endif

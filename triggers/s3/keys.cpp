#include "triggers/s3/keys.hpp"

#include <algorithm>

#include <teal/plugin.hpp>

namespace teal::s3 {
namespace {

constexpr char kHex[] = "0123456789ABCDEF";
constexpr std::string_view kGoesOn = "%~";
constexpr std::size_t kWrittenMax = 12;  // of one character: four bytes, each %XX

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool IsControl(std::string_view character) {
  const auto byte = static_cast<unsigned char>(character.front());
  if (character.size() == 1) return byte < 0x20 || byte == 0x7F;
  return character.size() == 2 && byte == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;  // U+0080 … U+009F
}

void WriteByte(char c, std::string* out) {
  const auto byte = static_cast<unsigned char>(c);
  *out += '%';
  *out += kHex[byte >> 4];
  *out += kHex[byte & 15];
}

// The pieces of `component` as written, one for each character, so that a cut falls between two.
std::vector<std::string> WriteCharacters(std::string_view component) {
  std::vector<std::string> written;
  for (std::string_view rest = component; !rest.empty();) {
    const std::size_t size = plugin::internal::CharacterSize(rest);
    const std::string_view character = rest.substr(0, size == 0 ? 1 : size);
    std::string& piece = written.emplace_back();
    if (size == 0 || IsControl(character) || character == "%") {
      for (const char c : character) WriteByte(c, &piece);
    } else {
      piece = character;
    }
    rest.remove_prefix(character.size());
  }
  return written;
}

// What `name` was written from; the name itself if nothing is written so.
std::string ReadName(std::string_view name) {
  std::string read;
  for (std::size_t at = 0; at < name.size(); ++at) {
    const int high = at + 2 < name.size() ? HexDigit(name[at + 1]) : -1;
    const int low = high < 0 ? -1 : HexDigit(name[at + 2]);
    if (name[at] == '%' && low >= 0) {
      read += static_cast<char>(high << 4 | low);
      at += 2;
    } else {
      read += name[at];
    }
  }
  const bool whole = read.find('/') == std::string::npos && WriteComponent(read) == name;
  return whole ? read : std::string(name);
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = plugin::internal::CharacterSize(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::optional<std::string> WrongKey(std::string_view key) {
  if (key.empty()) return "the key is empty";
  if (key.size() > kKeyBytesMax)
    return "the key has " + std::to_string(key.size()) + " bytes; at most 1024 are allowed";
  if (!IsUtf8(key)) return "the key is no UTF-8";
  if (key.find('\0') != std::string_view::npos) return "the key holds a zero byte";
  return std::nullopt;
}

std::optional<std::string> WrongBucket(std::string_view bucket) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  bool good = bucket.size() >= 3 && bucket.size() <= 63 && letter(bucket.front()) && letter(bucket.back());
  for (const char c : bucket) good = good && (letter(c) || c == '.' || c == '-');
  if (good) return std::nullopt;
  return "\"" + std::string(bucket) +
         "\" is no name of a bucket: 3 to 63 small letters, digits, dots and hyphens, at both ends a letter or a digit";
}

std::string WriteComponent(std::string_view component) {
  if (component.empty()) return "%";
  if (component == ".") return "%2E";
  if (component == "..") return "%2E%2E";
  std::string written;
  for (const std::string& piece : WriteCharacters(component)) written += piece;
  return written;
}

std::vector<std::string> PathOfKey(std::string_view key) {
  std::vector<std::string> path;
  for (std::size_t at = 0;;) {
    const std::size_t end = std::min(key.find('/', at), key.size());
    const std::string_view component = key.substr(at, end - at);
    std::string name = WriteComponent(component);
    if (name.size() > kNameBytesMax) {
      name.clear();
      for (const std::string& piece : WriteCharacters(component)) {
        if (name.size() + piece.size() > kNameBytesMax) {
          path.push_back(name.append(kGoesOn));
          name.clear();
        }
        name += piece;
      }
      if (name == "." || name == "..") name = WriteComponent(name);  // the last piece
    }
    path.push_back(std::move(name));
    if (end == key.size()) return path;
    at = end + 1;
  }
}

std::string KeyOfFolder(std::string_view before, std::string_view name) {
  const std::string prefix(before);
  if (name == "%") return prefix + "/";
  if (name.ends_with(kGoesOn)) {
    const std::string_view piece = name.substr(0, name.size() - kGoesOn.size());
    if (piece.size() <= kNameBytesMax && piece.size() + kWrittenMax > kNameBytesMax) return prefix + ReadName(piece);
  }
  if (name.ends_with('%')) return prefix + ReadName(name.substr(0, name.size() - 1)) + "/";
  return prefix + ReadName(name) + "/";
}

std::string KeyOfFile(std::string_view before, std::string_view name) {
  if (name == "%" && !before.empty()) return std::string(before);
  return std::string(before) + ReadName(name);
}

}  // namespace teal::s3

#include "plugins/aws/encoding.hpp"

#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/sha2.h>
#include <sys/random.h>

#include <charconv>
#include <chrono>
#include <stdexcept>

namespace teal::aws {
namespace {

const uint8_t* Data(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

bool Number(std::string_view text, int& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Sha256Digest Sha256(std::string_view text) {
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, text.size(), Data(text));
  Sha256Digest digest;
  sha256_digest(&context, digest.size(), digest.data());
  return digest;
}

Sha256Digest HmacSha256(std::string_view key, std::string_view text) {
  hmac_sha256_ctx context;
  hmac_sha256_set_key(&context, key.size(), Data(key));
  hmac_sha256_update(&context, text.size(), Data(text));
  Sha256Digest digest;
  hmac_sha256_digest(&context, digest.size(), digest.data());
  return digest;
}

std::string Hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

void AppendBase64(std::string& out, std::string_view bytes) {
  const std::size_t begin = out.size();
  out.resize(begin + BASE64_ENCODE_RAW_LENGTH(bytes.size()));
  base64_encode_raw(out.data() + begin, bytes.size(), Data(bytes));
}

std::optional<std::string> FromBase64(std::string_view text) {
  base64_decode_ctx context;
  base64_decode_init(&context);
  std::string out(BASE64_DECODE_LENGTH(text.size()), '\0');
  std::size_t size = out.size();
  if (!base64_decode_update(&context, &size, reinterpret_cast<uint8_t*>(out.data()), text.size(), text.data()) ||
      !base64_decode_final(&context)) {
    return std::nullopt;
  }
  out.resize(size);
  return out;
}

std::string UriEncode(std::string_view text, bool keep_slash) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  for (const char c : text) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~' || (c == '/' && keep_slash);
    if (plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    out += '%';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

void RandomBytes(uint8_t* out, std::size_t size) {
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got = getrandom(out + have, size - have, 0);
    if (got <= 0 && errno != EINTR) throw std::runtime_error("the operating system gives no random numbers");
    if (got > 0) have += static_cast<std::size_t>(got);
  }
}

std::optional<uint64_t> ParseTimestamp(std::string_view text) {
  int year, month, day, hour, minute, second;
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' ||
      !Number(text.substr(0, 4), year) || !Number(text.substr(5, 2), month) || !Number(text.substr(8, 2), day) ||
      !Number(text.substr(11, 2), hour) || !Number(text.substr(14, 2), minute) || !Number(text.substr(17, 2), second)) {
    return std::nullopt;
  }
  const std::string_view rest = text.substr(19);
  if (rest.back() != 'Z' && rest != "+00:00") return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || year < 1970) return std::nullopt;
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  return static_cast<uint64_t>(days) * 86400 + static_cast<uint64_t>(hour * 3600 + minute * 60 + second);
}

}  // namespace teal::aws

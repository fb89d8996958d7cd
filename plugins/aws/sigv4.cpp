#include "plugins/aws/sigv4.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <map>
#include <utility>

#include "plugins/aws/encoding.hpp"

namespace teal::aws {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// Without white space around it; runs of it inside become one space.
std::string Trimmed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!space) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string PercentDecode(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// Dot segments resolved, empty segments dropped (RFC 3986, section 5.2.4, as the standard words it).
std::string Normalized(std::string_view path) {
  std::vector<std::string_view> kept;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    begin = end + 1;
    if (segment.empty() || segment == ".") continue;
    if (segment != "..") {
      kept.push_back(segment);
    } else if (!kept.empty()) {
      kept.pop_back();
    }
  }
  std::string out;
  for (const std::string_view segment : kept) out.append("/").append(segment);
  if (out.empty() || path.back() == '/') out += '/';
  return out;
}

std::string CanonicalPath(std::string_view path, const SigningOptions& options) {
  if (path.empty()) return "/";
  const std::string normal = options.normalize_path ? Normalized(path) : std::string(path);
  if (options.double_encode_path) return UriEncode(normal, true);
  std::string out;
  for (const char c : normal) {
    if (static_cast<unsigned char>(c) >= 0x80 || c == ' ') {
      out += UriEncode({&c, 1}, true);
    } else {
      out += c;
    }
  }
  return out;
}

std::string CanonicalQuery(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  std::size_t begin = 0;
  while (begin < query.size()) {
    const std::size_t end = std::min(query.find('&', begin), query.size());
    const std::string_view parameter = query.substr(begin, end - begin);
    begin = end + 1;
    if (parameter.empty()) continue;
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    const std::string_view value = equals < parameter.size() ? parameter.substr(equals + 1) : std::string_view();
    parameters.emplace_back(UriEncode(PercentDecode(parameter.substr(0, equals)), false),
                            UriEncode(PercentDecode(value), false));
  }
  std::sort(parameters.begin(), parameters.end());
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out += '&';
    out.append(name).append("=").append(value);
  }
  return out;
}

struct CanonicalHeaders {
  std::string lines;
  std::string names;  // with ';' between
};

CanonicalHeaders Canonical(const std::vector<SigningHeader>& headers) {
  std::map<std::string, std::string> by_name;
  for (const SigningHeader& header : headers) {
    const auto [at, is_new] = by_name.try_emplace(Lower(header.name), Trimmed(header.value));
    if (!is_new) at->second.append(",").append(Trimmed(header.value));
  }
  CanonicalHeaders out;
  for (const auto& [name, value] : by_name) {
    out.lines.append(name).append(":").append(value).append("\n");
    out.names.append(out.names.empty() ? "" : ";").append(name);
  }
  return out;
}

std::string IsoTime(uint64_t unix_s) {
  const std::chrono::sys_seconds time{std::chrono::seconds(unix_s)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[32];
  std::snprintf(text, sizeof text, "%04d%02u%02uT%02d%02d%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

std::string Scope(const SigningOptions& options, const std::string& time) {
  return time.substr(0, 8) + "/" + options.region + "/" + options.service + "/aws4_request";
}

void Finish(Signature& out, const SigningRequest& request, const CanonicalHeaders& headers, std::string_view query,
            const SigningKeys& keys, const SigningOptions& options, const std::string& time) {
  out.canonical_request.append(request.method).append("\n");
  out.canonical_request.append(CanonicalPath(request.path, options)).append("\n");
  out.canonical_request.append(CanonicalQuery(query)).append("\n");
  out.canonical_request.append(headers.lines).append("\n");
  out.canonical_request.append(headers.names).append("\n");
  out.canonical_request.append(request.payload_hash);
  out.string_to_sign.append(kAlgorithm).append("\n").append(time).append("\n");
  out.string_to_sign.append(Scope(options, time)).append("\n");
  out.string_to_sign.append(Hex(AsText(Sha256(out.canonical_request))));
  Sha256Digest key = HmacSha256("AWS4" + keys.secret_access_key, time.substr(0, 8));
  key = HmacSha256(AsText(key), options.region);
  key = HmacSha256(AsText(key), options.service);
  key = HmacSha256(AsText(key), "aws4_request");
  out.signature = Hex(AsText(HmacSha256(AsText(key), out.string_to_sign)));
}

}  // namespace

Signature SignHeaders(SigningRequest request, const SigningKeys& keys, const SigningOptions& options) {
  Signature out;
  const std::string time = IsoTime(options.time_unix_s);
  out.headers.push_back({"X-Amz-Date", time});
  if (options.add_payload_hash) out.headers.push_back({"X-Amz-Content-Sha256", request.payload_hash});
  const SigningHeader token{"X-Amz-Security-Token", keys.session_token};
  const bool has_token = !keys.session_token.empty();
  if (has_token && options.sign_session_token) out.headers.push_back(token);
  request.headers.insert(request.headers.end(), out.headers.begin(), out.headers.end());
  if (has_token && !options.sign_session_token) out.headers.push_back(token);
  const CanonicalHeaders headers = Canonical(request.headers);
  Finish(out, request, headers, request.query, keys, options, time);
  out.headers.push_back({"Authorization", std::string(kAlgorithm) + " Credential=" + keys.access_key_id + "/" +
                                              Scope(options, time) + ", SignedHeaders=" + headers.names +
                                              ", Signature=" + out.signature});
  return out;
}

Signature SignQuery(SigningRequest request, const SigningKeys& keys, const SigningOptions& options) {
  Signature out;
  const std::string time = IsoTime(options.time_unix_s);
  const CanonicalHeaders headers = Canonical(request.headers);
  out.query = std::string(request.query) + (request.query.empty() ? "" : "&");
  out.query.append("X-Amz-Algorithm=").append(kAlgorithm);
  out.query.append("&X-Amz-Credential=").append(UriEncode(keys.access_key_id + "/" + Scope(options, time), false));
  out.query.append("&X-Amz-Date=").append(time);
  out.query.append("&X-Amz-SignedHeaders=").append(UriEncode(headers.names, false));
  out.query.append("&X-Amz-Expires=").append(std::to_string(options.expires_s));
  const std::string token = "&X-Amz-Security-Token=" + UriEncode(keys.session_token, false);
  const bool has_token = !keys.session_token.empty();
  if (has_token && options.sign_session_token) out.query += token;
  Finish(out, request, headers, out.query, keys, options, time);
  if (has_token && !options.sign_session_token) out.query += token;
  out.query.append("&X-Amz-Signature=").append(out.signature);
  return out;
}

}  // namespace teal::aws

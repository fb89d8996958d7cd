#include "request.hpp"

#include <algorithm>
#include <string_view>

#include "text.hpp"

namespace teal::http {
namespace {

void AppendKey(std::string_view key, std::string* out) {
  if (out->back() != '{') *out += ',';
  AppendJsonString(key, out);
  *out += ':';
}

// A name that comes again has a list of its values.
void AppendLists(const Parameters& pairs, std::string* out) {
  *out += '{';
  std::vector<std::string_view> done;
  for (const auto& [name, value] : pairs) {
    if (std::find(done.begin(), done.end(), name) != done.end()) continue;
    done.push_back(name);
    AppendKey(name, out);
    const std::string& wanted = name;
    if (std::count_if(pairs.begin(), pairs.end(), [&](const auto& pair) { return pair.first == wanted; }) == 1) {
      AppendJsonString(value, out);
      continue;
    }
    *out += '[';
    for (const auto& pair : pairs) {
      if (pair.first != name) continue;
      if (out->back() != '[') *out += ',';
      AppendJsonString(pair.second, out);
    }
    *out += ']';
  }
  *out += '}';
}

// Of two cookies of one name the first counts: browsers send the one of the longer path first (RFC 6265, section 5.4).
void AppendCookies(const std::string& header, std::string* out) {
  *out += '{';
  std::vector<std::string> done;
  for (const std::string_view part : Split(header, ';')) {
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    std::string name = ToUtf8(Trim(part.substr(0, equals)));
    if (name.empty() || std::find(done.begin(), done.end(), name) != done.end()) continue;
    AppendKey(name, out);
    AppendJsonString(ToUtf8(Trim(part.substr(equals + 1))), out);
    done.push_back(std::move(name));
  }
  *out += '}';
}

bool IsProof(std::string_view header, Auth auth) {
  return header == "x-teal-key" || (auth == Auth::kJwt && header == "authorization");
}

void AppendHeaders(const Request& request, Auth auth, std::string* out) {
  *out += '{';
  std::vector<std::string_view> done;
  for (const auto& [name, value] : request.headers) {
    if (IsProof(name, auth) || std::find(done.begin(), done.end(), name) != done.end()) continue;
    done.push_back(name);
    AppendKey(ToUtf8(name), out);
    AppendJsonString(ToUtf8(request.Header(name)), out);
  }
  *out += '}';
}

}  // namespace

std::optional<Parameters> QueryOf(const std::string& query) {
  Parameters pairs;
  if (query.empty()) return pairs;
  for (const std::string_view part : Split(query, '&')) {
    if (part.empty()) continue;
    const size_t equals = part.find('=');
    std::optional<std::string> name = PercentDecode(part.substr(0, equals), true);
    std::optional<std::string> value =
        PercentDecode(equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1), true);
    if (!name || !value) return std::nullopt;
    pairs.emplace_back(std::move(*name), std::move(*value));
  }
  return pairs;
}

std::optional<std::string> RequestJson(const Request& request, const Parameters& parameters, const Caller& caller,
                                       Auth auth, const std::string& source_ip, const std::string& request_id) {
  const std::optional<Parameters> query = QueryOf(request.query);
  const std::optional<std::string> path = PercentDecode(request.path, false);
  if (!query || !path) return std::nullopt;
  std::string out = "{";
  const auto text = [&](std::string_view key, std::string_view value) {
    AppendKey(key, &out);
    AppendJsonString(value, &out);
  };
  text("method", request.method);
  text("path", *path);
  AppendKey("params", &out);
  AppendLists(parameters, &out);
  AppendKey("query", &out);
  AppendLists(*query, &out);
  AppendKey("headers", &out);
  AppendHeaders(request, auth, &out);
  AppendKey("cookies", &out);
  AppendCookies(request.Header("cookie"), &out);
  AppendKey("body", &out);
  if (IsUtf8(request.body)) {
    AppendJsonString(request.body, &out);
  } else {
    out += "null";
  }
  AppendKey("json", &out);
  // As it was written: numbers keep all their digits.
  const bool is_json = IsJsonType(MediaType(request.Header("content-type"))) && IsJson(request.body);
  out += is_json ? std::string_view(request.body) : "null";
  text("raw_base64", Base64(request.body));
  text("source_ip", source_ip);
  text("request_id", request_id);
  if (!caller.principal.empty()) text("principal", caller.principal);
  if (!caller.claims_json.empty()) {
    AppendKey("claims", &out);
    out += caller.claims_json;
  }
  out += '}';
  return out;
}

}  // namespace teal::http

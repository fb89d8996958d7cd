#include "message.hpp"

#include <algorithm>
#include <teal/bytes.hpp>

#include "text.hpp"

namespace teal::http {

std::string Request::Header(std::string_view name) const {
  std::string all;
  bool any = false;
  for (const auto& [key, value] : headers) {
    if (key != name) continue;
    if (any) all += name == "cookie" ? "; " : ", ";
    all += value;
    any = true;
  }
  return all;
}

bool Request::Has(std::string_view name) const {
  return std::any_of(headers.begin(), headers.end(), [&](const auto& header) { return header.first == name; });
}

bool ReadHead(const teal_arrival& arrival, Request* out) {
  out->token = arrival.token;
  out->method = Copy(arrival.method);
  out->peer = Copy(arrival.source_address);
  for (uint64_t i = 0; i < arrival.header_count; ++i) {
    out->headers.emplace_back(Copy(arrival.headers[i].name), Copy(arrival.headers[i].value));
  }
  std::string_view target = View(arrival.target);
  if (target == "*") {
    out->path = "/";
    return out->method == "OPTIONS";
  }
  // The absolute form, which every server takes (RFC 9112, section 3.2.2).
  if (!target.starts_with('/')) {
    const size_t scheme = target.find("://");
    if (scheme == std::string_view::npos) return false;
    target.remove_prefix(std::min(target.find_first_of("/?", scheme + 3), target.size()));
  }
  target = target.substr(0, target.find('#'));
  const size_t query = target.find('?');
  out->path = target.substr(0, query);
  if (out->path.empty()) out->path = "/";
  if (query != std::string_view::npos) out->query = target.substr(query + 1);
  return true;
}

Answer ErrorAnswer(int status, std::string_view kind, std::string_view message) {
  Answer answer;
  answer.status = status;
  answer.headers = {{"content-type", "application/json"}, {"cache-control", "no-store"}};
  answer.body = "{\"error\":{\"kind\":" + JsonString(kind) + ",\"message\":" + JsonString(message) + "}}";
  return answer;
}

}  // namespace teal::http

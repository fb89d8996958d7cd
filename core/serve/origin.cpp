#include "core/serve/origin.h"

#include <algorithm>

namespace teal::serve {
namespace {

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

struct HostAndPort {
  std::string host;  // an IPv6 address without its brackets
  std::string port;  // empty: none
  bool good = false;
};

HostAndPort Split(std::string_view text) {
  HostAndPort parts;
  std::string_view rest;
  if (!text.empty() && text.front() == '[') {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return parts;
    parts.host = Lower(text.substr(1, end - 1));
    rest = text.substr(end + 1);
  } else {
    const size_t colon = text.find(':');
    parts.host = Lower(text.substr(0, colon));
    rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
  }
  if (!rest.empty()) {
    if (rest.front() != ':' || rest.size() < 2 || rest.size() > 6) return parts;
    parts.port = rest.substr(1);
    if (!std::all_of(parts.port.begin(), parts.port.end(), [](char c) { return c >= '0' && c <= '9'; })) return parts;
  }
  if (!parts.host.empty() && parts.host.back() == '.') parts.host.pop_back();
  parts.good = !parts.host.empty();
  return parts;
}

}  // namespace

HostCheck::HostCheck(const std::vector<std::string>& allowed) : allowed_{"localhost", "127.0.0.1", "::1"} {
  for (const std::string& name : allowed) {
    const HostAndPort parts = Split(name);
    allowed_.insert(parts.good ? parts.host + (parts.port.empty() ? "" : ":" + parts.port) : Lower(name));
  }
}

bool HostCheck::AllowsHost(std::string_view host, std::string_view local_address) const {
  const HostAndPort parts = Split(host);
  if (!parts.good) return false;
  return parts.host == local_address || allowed_.contains(parts.host) ||
         (!parts.port.empty() && allowed_.contains(parts.host + ":" + parts.port));
}

bool HostCheck::AllowsOrigin(std::string_view origin, std::string_view local_address) const {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme)) return AllowsHost(origin.substr(scheme.size()), local_address);
  }
  return false;
}

}  // namespace teal::serve

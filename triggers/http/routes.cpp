#include "routes.hpp"

#include <algorithm>
#include <mutex>
#include <set>

#include "text.hpp"

namespace teal::http {
namespace {

constexpr std::string_view kAnyMethod = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";

bool IsParameter(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}
bool IsRest(std::string_view segment) {
  return IsParameter(segment) && segment[segment.size() - 2] == '+';
}

bool BothTake(const Route& a, const Route& b) {
  if (a.methods.empty() || b.methods.empty()) return true;
  return std::any_of(a.methods.begin(), a.methods.end(), [&](const std::string& method) {
    return std::find(b.methods.begin(), b.methods.end(), method) != b.methods.end();
  });
}

bool IsName(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

std::optional<std::vector<std::string>> SegmentsOf(std::string_view path) {
  std::vector<std::string> segments;
  if (path == "/" || path.empty()) return segments;
  for (const std::string_view raw : Split(path.substr(1), '/')) {
    std::optional<std::string> segment = PercentDecode(raw, false);
    if (!segment) return std::nullopt;
    segments.push_back(std::move(*segment));
  }
  return segments;
}

std::optional<std::string> WrongPattern(std::string_view pattern) {
  if (!pattern.starts_with('/')) return "the path does not begin with /";
  if (pattern == "/") return std::nullopt;
  if (pattern == "/teal" || pattern.starts_with("/teal/")) return "paths under /teal/ are the host's own";
  std::set<std::string_view> names;
  const std::vector<std::string_view> segments = Split(pattern.substr(1), '/');
  if (segments.size() > kSegmentsMax) return "the path has more than 64 segments";
  for (size_t i = 0; i < segments.size(); ++i) {
    const std::string_view segment = segments[i];
    if (segment.empty()) return "the path has an empty segment, or ends with /";
    if (!IsParameter(segment)) {
      if (segment.find_first_of("{}?#% ") == std::string_view::npos && IsUtf8(segment)) continue;
      return "a segment of the path holds one of { } ? # % or a space";
    }
    if (IsRest(segment) && i + 1 < segments.size()) return "a {rest+} stands at the end of the path only";
    const std::string_view name = segment.substr(1, segment.size() - (IsRest(segment) ? 3 : 2));
    if (!IsName(name)) return "a parameter of the path has a bad name";
    if (!names.insert(name).second) return "two parameters of the path have one name";
  }
  return std::nullopt;
}

bool Route::Takes(std::string_view method) const {
  if (methods.empty()) return method != "TRACE" && method != "CONNECT";
  const auto has = [&](std::string_view wanted) {
    return std::find(methods.begin(), methods.end(), wanted) != methods.end();
  };
  return has(method) || (method == "HEAD" && has("GET"));
}

std::vector<RoutePtr>& Routes::Place(Route& route) {
  Node* node = &root_;
  route.parameter_names.clear();
  if (route.pattern == "/") return node->here;
  for (const std::string_view segment : Split(std::string_view(route.pattern).substr(1), '/')) {
    if (IsRest(segment)) {
      route.parameter_names.emplace_back(segment.substr(1, segment.size() - 3));
      route.rest = true;
      return node->rest;
    }
    if (IsParameter(segment)) {
      route.parameter_names.emplace_back(segment.substr(1, segment.size() - 2));
      if (node->parameter == nullptr) node->parameter = std::make_unique<Node>();
      node = node->parameter.get();
    } else {
      std::unique_ptr<Node>& next = node->literals[std::string(segment)];
      if (next == nullptr) next = std::make_unique<Node>();
      node = next.get();
    }
  }
  return node->here;
}

bool Routes::Add(const RoutePtr& route) {
  const std::unique_lock lock(mutex_);
  std::vector<RoutePtr>& place = Place(*route);
  if (std::any_of(place.begin(), place.end(), [&](const RoutePtr& other) { return BothTake(*other, *route); })) {
    return false;
  }
  place.push_back(route);
  return true;
}

void Routes::Remove(const RoutePtr& route) {
  const std::unique_lock lock(mutex_);
  std::erase(Place(*route), route);
}

struct Routes::Search {
  std::string_view method;
  const std::vector<std::string>& segments;
  Match match;
  std::vector<size_t> taken;  // the segments that are parameters
  std::set<std::string> allowed;
  bool any_method = false;

  // True: found one that takes the method.
  bool Look(const std::vector<RoutePtr>& routes, size_t at) {
    for (const RoutePtr& route : routes) {
      if (match.any_route == nullptr) match.any_route = route;
      if (!route->Takes(method)) {
        any_method = any_method || route->methods.empty();
        allowed.insert(route->methods.begin(), route->methods.end());
        continue;
      }
      match.route = route;
      for (size_t i = 0; i < taken.size(); ++i) {
        match.parameters.emplace_back(route->parameter_names[i], segments[taken[i]]);
      }
      if (!route->rest) return true;
      std::string rest;
      for (size_t i = at; i < segments.size(); ++i) rest += (i == at ? "" : "/") + segments[i];
      match.parameters.emplace_back(route->parameter_names.back(), std::move(rest));
      return true;
    }
    return false;
  }

  bool Walk(const Node& node, size_t at) {
    if (at == segments.size()) return Look(node.here, at);
    const std::string& segment = segments[at];
    const auto literal = node.literals.find(segment);
    if (literal != node.literals.end() && Walk(*literal->second, at + 1)) return true;
    if (node.parameter != nullptr && !segment.empty()) {
      taken.push_back(at);
      if (Walk(*node.parameter, at + 1)) return true;
      taken.pop_back();
    }
    // One empty segment alone is the slash at the end of a path: nothing for {rest+} to take.
    return (at + 1 < segments.size() || !segment.empty()) && Look(node.rest, at);
  }
};

Match Routes::Find(std::string_view method, const std::vector<std::string>& segments) const {
  Search search{method, segments, {}, {}, {}, false};
  if (segments.size() > kSegmentsMax) return {};
  {
    const std::shared_lock lock(mutex_);
    search.Walk(root_, 0);
  }
  if (search.match.route == nullptr && search.match.any_route != nullptr) {
    if (search.allowed.contains("GET")) search.allowed.insert("HEAD");
    search.allowed.insert("OPTIONS");
    std::string& allow = search.match.allow;
    if (search.any_method) allow = kAnyMethod;
    if (!search.any_method) {
      for (const std::string& one : search.allowed) allow += (allow.empty() ? "" : ", ") + one;
    }
  }
  return std::move(search.match);
}

}  // namespace teal::http

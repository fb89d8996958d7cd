#include "core/serve/route.h"

#include <algorithm>
#include <array>

#include "core/serve/answer.h"
#include "core/serve/limits.h"
#include "core/serve/text.h"

namespace teal::serve {
namespace {

struct Known {
  Method method;
  std::string_view path;  // {} stands for any one part
  Action action;
  std::vector<std::string> parameters;
};

const std::vector<Known>& KnownRoutes() {
  static const std::vector<Known> routes = {
      {Method::kGet, "health", Action::kHealth, {}},
      {Method::kGet, "ready", Action::kReady, {}},
      {Method::kGet, "metrics", Action::kMetrics, {}},
      {Method::kGet, "programs", Action::kPrograms, {}},
      {Method::kPost, "programs", Action::kAddProgram, {}},
      {Method::kPost, "programs/{}/activate", Action::kActivateProgram, {}},
      {Method::kDelete, "programs/{}", Action::kRemoveProgram, {}},
      {Method::kPost, "backup", Action::kBackUp, {}},
      {Method::kPost, "sessions", Action::kStart, {}},
      {Method::kGet, "sessions", Action::kList, {"status", "label", "since", "limit", "cursor"}},
      {Method::kGet, "sessions/{}", Action::kGet, {"t"}},
      {Method::kGet, "sessions/{}/wait", Action::kWait, {"timeout", "t"}},
      {Method::kGet, "sessions/{}/output", Action::kOutput, {"after", "limit"}},
      {Method::kGet, "sessions/{}/log", Action::kLog, {"after", "limit"}},
      {Method::kGet, "sessions/{}/history", Action::kHistory, {"after", "limit"}},
      {Method::kGet, "sessions/{}/threads", Action::kThreads, {"after"}},
      {Method::kGet, "sessions/{}/state", Action::kState, {"after"}},
      {Method::kPost, "sessions/{}/events/{}", Action::kSend, {"wait"}},
      {Method::kPost, "sessions/{}/cancel", Action::kCancel, {}},
      {Method::kPost, "sessions/{}/terminate", Action::kTerminate, {}},
      {Method::kPost, "sessions/{}/pause", Action::kPause, {}},
      {Method::kPost, "sessions/{}/resume", Action::kResume, {}},
      {Method::kPost, "sessions/{}/rerun", Action::kRerun, {}},
      {Method::kGet, "dead", Action::kDeadList, {"limit", "cursor"}},
      {Method::kGet, "dead/{}", Action::kDeadShow, {}},
      {Method::kPost, "dead/{}/retry", Action::kDeadRetry, {}},
      {Method::kDelete, "dead/{}", Action::kDeadDrop, {}},
      {Method::kGet, "triggers", Action::kTriggers, {"limit", "cursor"}},
      {Method::kPost, "triggers/{}/fire", Action::kFire, {}},
  };
  return routes;
}

std::vector<std::string_view> PartsOf(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// The parts that stand for {}; nullopt: it is another path.
std::optional<std::vector<std::string_view>> Match(std::string_view pattern, std::string_view path) {
  const std::vector<std::string_view> wanted = PartsOf(pattern, '/');
  const std::vector<std::string_view> given = PartsOf(path, '/');
  if (wanted.size() != given.size()) return std::nullopt;
  std::vector<std::string_view> free;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == "{}") {
      if (given[i].empty()) return std::nullopt;
      free.push_back(given[i]);
    } else if (wanted[i] != given[i]) {
      return std::nullopt;
    }
  }
  return free;
}

Answer Undecodable(std::string_view what) {
  return ErrorAnswer(400, "invalid", "the " + std::string(what) + " of the address cannot be decoded",
                     "write %XX with two hexadecimal digits, of UTF-8 without zero bytes");
}

std::variant<Route, Answer> Fill(const Known& known, const std::vector<std::string_view>& free,
                                 std::string_view query) {
  Route route;
  route.action = known.action;
  for (size_t i = 0; i < free.size(); ++i) {
    const std::optional<std::string> decoded = PercentDecode(free[i], false);
    if (!decoded) return Undecodable("path");
    if (decoded->size() > kNameBytesMax) {
      return ErrorAnswer(400, "invalid",
                         "a part of the path is longer than " + std::to_string(kNameBytesMax) + " bytes", "");
    }
    (i == 0 ? route.sid : route.event) = *decoded;
  }
  if (query.empty()) return route;
  for (const std::string_view part : PartsOf(query, '&')) {
    if (part.empty()) continue;
    const size_t equals = part.find('=');
    const std::optional<std::string> name = PercentDecode(part.substr(0, equals), true);
    const std::optional<std::string> value =
        PercentDecode(equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1), true);
    if (!name || !value) return Undecodable("query");
    if (std::find(known.parameters.begin(), known.parameters.end(), *name) == known.parameters.end()) {
      std::string hint = DidYouMean(*name, known.parameters);
      if (hint.empty()) {
        for (const std::string& other : known.parameters) hint += (hint.empty() ? "there is " : ", ") + other;
      }
      return ErrorAnswer(400, "invalid", "there is no parameter \"" + *name + "\" here", hint);
    }
    const bool twice = *name != "label" && std::any_of(route.query.begin(), route.query.end(),
                                                       [&](const auto& other) { return other.first == *name; });
    if (twice) return ErrorAnswer(400, "invalid", "the parameter \"" + *name + "\" is given twice", "give it once");
    route.query.emplace_back(*name, *value);
  }
  return route;
}

}  // namespace

std::variant<Route, Answer> RouteOf(Method method, std::string_view target) {
  const size_t question = target.find('?');
  std::string_view path = target.substr(0, question);
  const std::string_view query = question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
  const std::string_view root = kApiRoot;
  if (!path.starts_with(root) || (path.size() > root.size() && path[root.size()] != '/')) {
    return ErrorAnswer(404, "not_found", "there is nothing at this path",
                       "the control API is under " + std::string(root));
  }
  path.remove_prefix(std::min(path.size(), root.size() + 1));
  bool other_method = false;
  for (const Known& known : KnownRoutes()) {
    const auto free = Match(known.path, path);
    if (!free) continue;
    if (known.method == method) return Fill(known, *free, query);
    other_method = true;
  }
  if (other_method) {
    return ErrorAnswer(404, "not_found", "this path does not take this method",
                       "reading is GET, starting, sending and changing is POST, removing and dropping is DELETE");
  }
  return ErrorAnswer(404, "not_found", "there is nothing at this path", "see docs/control-api.md");
}

Role RoleFor(Action action) {
  switch (action) {
    case Action::kStart:
    case Action::kSend:
    case Action::kCancel:
    case Action::kTerminate:
    case Action::kPause:
    case Action::kResume:
    case Action::kRerun:
    case Action::kDeadRetry:
    case Action::kDeadDrop:
    case Action::kFire:
      return Role::kOperate;
    case Action::kAddProgram:
    case Action::kActivateProgram:
    case Action::kRemoveProgram:
    case Action::kBackUp:
      return Role::kAdmin;
    default:
      return Role::kRead;
  }
}

}  // namespace teal::serve

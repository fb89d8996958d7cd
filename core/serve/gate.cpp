#include "core/serve/gate.h"

#include <chrono>

#include "core/serve/answer.h"

namespace teal::serve {

std::optional<Answer> Gate::WhyForeign(const RequestHead& head) const {
  if (head.hosts.size() != 1) {
    return ErrorAnswer(400, "invalid", "a request has one Host header", "send Host: 127.0.0.1");
  }
  if (!hosts_.AllowsHost(head.hosts.front(), head.local_address)) {
    return ErrorAnswer(403, "forbidden", "this host is not known by the name in the Host header",
                       "ask by 127.0.0.1 or localhost, or start teal serve with --allow-host");
  }
  for (const std::string& origin : head.origins) {
    if (!hosts_.AllowsOrigin(origin, head.local_address)) {
      return ErrorAnswer(403, "forbidden", "pages of this origin may not ask this host",
                         "start teal serve with --allow-host to let them");
    }
  }
  return std::nullopt;
}

std::optional<Principal> Gate::ByToken(const Route& route) const {
  if (!TakesToken(route.action)) return std::nullopt;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto now_s = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
  for (const auto& [name, value] : route.query) {
    if (name == "t" && keys_.tokens().Allows(value, route.sid, now_s)) return Principal{"a token", Role::kRead, true};
  }
  return std::nullopt;
}

std::variant<Passed, Answer> Gate::Pass(const RequestHead& head) const {
  if (std::optional<Answer> foreign = WhyForeign(head)) return std::move(*foreign);
  std::variant<Route, Answer> route = RouteOf(head.method, head.target);
  Route* const found = std::get_if<Route>(&route);
  const bool open =
      found != nullptr && (IsOpen(found->action) || (head.peer_is_loopback && IsOpenOnLoopback(found->action)));
  if (open) return Passed{std::move(*found), {}};
  std::optional<Principal> principal = keys_.Find(head.key);
  if (!principal && head.key.empty() && found != nullptr) principal = ByToken(*found);
  if (!principal) {
    return ErrorAnswer(401, "unauthorized", head.key.empty() ? "a key is needed" : "nobody has this key",
                       "send it as x-teal-key or Authorization: Bearer; the host's own is in .teal/key of its project");
  }
  if (found == nullptr) return std::move(std::get<Answer>(route));
  if (principal->role < RoleFor(found->action)) {
    return ErrorAnswer(
        403, "forbidden",
        "the key " + principal->name + " has the role " + std::string(NameOf(principal->role)) + ", and this needs " +
            std::string(NameOf(RoleFor(found->action))),
        "use a key with that role: teal keys new NAME --role " + std::string(NameOf(RoleFor(found->action))));
  }
  return Passed{std::move(*found), *principal};
}

}  // namespace teal::serve

// What every request must pass before its body is read: names and origins, the key, the role.
#pragma once

#include <optional>
#include <string_view>

#include "core/serve/keys.h"
#include "core/serve/message.h"
#include "core/serve/origin.h"
#include "core/serve/route.h"

namespace teal::serve {

struct Passed {
  Route route;
  Principal principal;
};

// Thread-safe.
class Gate {
 public:
  // keys: outlives this.
  Gate(KeyRing* keys, HostCheck hosts) : keys_(*keys), hosts_(std::move(hosts)) {}

  // A refusal tells nothing of what lies behind it: without a key, all paths look the same.
  std::variant<Passed, Answer> Pass(const RequestHead& head) const;

 private:
  std::optional<Answer> WhyForeign(const RequestHead& head) const;
  std::optional<Principal> ByToken(const Route& route) const;

  KeyRing& keys_;
  const HostCheck hosts_;
};

}  // namespace teal::serve

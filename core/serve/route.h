// From a request's first line to what it asks for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/serve/message.h"

namespace teal::serve {

inline constexpr char kApiRoot[] = "/teal/v1";

enum class Action : uint8_t {
  kHealth,
  kReady,
  kMetrics,
  kPrograms,
  kAddProgram,
  kActivateProgram,
  kRemoveProgram,
  kBackUp,
  kStart,
  kList,
  kGet,
  kWait,
  kOutput,
  kLog,
  kHistory,
  kThreads,
  kState,
  kSend,
  kCancel,
  kTerminate,
  kPause,
  kResume,
  kRerun,
  kDeadList,
  kDeadShow,
  kDeadRetry,
  kDeadDrop,
  kTriggers,
  kFire,
};

struct Route {
  Action action = Action::kHealth;
  std::string sid;    // also the id of what is dead; of a program: its hash; of a trigger: its name
  std::string event;  // kSend
  std::vector<std::pair<std::string, std::string>> query;  // in the order of the request, decoded
};

// 404 for what is not there, or not with this method; 400 for what cannot be decoded or for an unknown parameter.
std::variant<Route, Answer> RouteOf(Method method, std::string_view target);

// Whether it can be asked without a key: by anyone; from this machine.
inline bool IsOpen(Action action) {
  return action == Action::kHealth;
}
inline bool IsOpenOnLoopback(Action action) {
  return action == Action::kHealth || action == Action::kReady || action == Action::kMetrics;
}
// Whether a token of the session does instead of a key.
inline bool TakesToken(Action action) {
  return action == Action::kGet || action == Action::kWait;
}
Role RoleFor(Action action);

}  // namespace teal::serve

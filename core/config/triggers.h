// The triggers that `functions` of teal.yaml declares, their short forms and aliases resolved, and what is wrong among
// them. Expressions of schedules are not looked into here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/config/tree.h"

namespace teal::config {

struct HttpTrigger {
  std::vector<std::string> methods;  // capitals; empty: any
  std::string path;                  // begins with a slash
  std::string auth = "key";          // anonymous, key, hmac, jwt
};

struct S3Trigger {
  std::string bucket;               // may hold a reference
  std::vector<std::string> events;  // as S3 names them; never empty
  std::string prefix;
  std::string suffix;
};

struct ScheduleTrigger {
  std::string expression;  // of cron, or rate(…), cron(…), at(…)
  std::string timezone = "UTC";
};

// Of another kind: its plugin knows what its options mean.
struct PluginTrigger {
  std::string kind;
};

struct Trigger {
  std::string function;
  Place function_place;           // of its name in `functions`
  Place place;                    // of the trigger
  const Node* options = nullptr;  // the mapping, for what is not read here; null for a short form. Lives in the tree.
  std::variant<HttpTrigger, S3Trigger, ScheduleTrigger, PluginTrigger> what;
};

// `tree` has passed CheckSchema and outlives the triggers. Those that are wrong are left out and told in *errors: bad
// routes, missing keys, kinds that look mistyped, both a key and its alias, two triggers on one route, rules of one
// bucket that overlap.
std::vector<Trigger> ReadTriggers(const Node& tree, std::vector<Error>* errors);

// The id of its plugin.
std::string KindOf(const Trigger& trigger);

// What the trigger passes, for messages: "(request)". `parameters`: what a function must take.
struct Passed {
  size_t least;
  size_t most;
  const char* names;
};
Passed PassedBy(const Trigger& trigger);

// What is wrong with the pattern of a path; nullopt: nothing. `/orders/{id}`, `/files/{rest+}` at the end.
std::optional<std::string> WrongRoute(std::string_view path);

}  // namespace teal::config

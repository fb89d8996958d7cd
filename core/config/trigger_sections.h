// What plugins of triggers get of teal.yaml: the section of each trigger, and the config of each plugin's instance,
// with short forms and aliases resolved and references read.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/config/reference.h"
#include "core/config/triggers.h"
#include "core/host/json.h"

namespace teal::config {

inline constexpr size_t kTriggerNameBytesMax = 100;

struct TriggerSection {
  std::string name;  // as `teal triggers` shows it
  std::string kind;  // the plugin
  std::string function;
  std::string config_json;  // with secrets in it: never to be shown
  uint64_t timeout_ns = 0;  // of the function; 0: none
  Place place;
};

// `tree` has passed CheckSchema. A trigger's name is that of its option `name`, else FUNCTION.KIND, with .N behind,
// from 1, if the function has several of the kind. What is wrong is told in *errors, also what ReadTriggers tells.
// resolver: null: references stay as they are written, for looking only.
std::vector<TriggerSection> ReadTriggerSections(const Node& tree, Resolver* resolver, std::vector<Error>* errors);

// The config of the instance of `kind`: what of `own` its plugin's schema knows, `keys` of the tree if it knows them,
// and the section triggers.KIND over it.
host::Json InstanceConfigOf(const Node& tree, const std::string& kind, const std::string& schema_json,
                            const host::Json& own, Resolver* resolver, std::vector<Error>* errors);

}  // namespace teal::config

// A plugin's section of teal.yaml, as JSON: parsed, and refused by name where a key is unknown. (LIFE-6)
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <teal/plugin.hpp>
#include <vector>

namespace teal::plugin {

// Fills `out` with an object that has no key but `known`. The error names what is wrong. Empty text is an empty object.
inline std::optional<Error> ParseConfig(std::string_view text, const std::vector<std::string_view>& known,
                                        nlohmann::json& out) {
  out = text.empty() ? nlohmann::json::object() : nlohmann::json::parse(text, nullptr, false);
  if (out.is_discarded()) return Error{TEAL_INVALID, "the configuration is no JSON"};
  if (!out.is_object()) return Error{TEAL_INVALID, "the configuration is no object"};
  for (const auto& [key, value] : out.items()) {
    bool found = false;
    for (const std::string_view name : known) found = found || name == key;
    if (found) continue;
    std::string message = "unknown key \"" + key + "\" in the configuration; known:";
    for (const std::string_view name : known) message += " " + std::string(name);
    if (known.empty()) message = "unknown key \"" + key + "\" in the configuration; this plugin takes none";
    return Error{TEAL_INVALID, message};
  }
  return std::nullopt;
}

}  // namespace teal::plugin

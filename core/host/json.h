// JSON as the host reads it: strictly. An object with a key twice, text that is not UTF-8 and nesting past the limit
// are errors, since readers that differ about them would see different documents.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace teal::host {

using Json = nlohmann::json;

inline constexpr int kJsonDepthMax = 64;

// kInvalid, the message without a prefix: "line 3, column 7: …" or "the key \"id\" is there twice".
Result<Json> ParseJson(std::string_view text);
// Compact; bytes that are no UTF-8 are replaced.
std::string ToText(const Json& json);
// "a string", "an object", … for messages.
std::string KindOf(const Json& json);

// The nearest of `candidates` to `name`: at most a third of its letters differ. Empty: none is near.
std::string NearestName(const std::string& name, const std::vector<std::string>& candidates);

}  // namespace teal::host

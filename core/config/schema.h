// The JSON Schema of teal.yaml (teal.schema.json) and what in a tree is against it. The tree is checked by a walk of
// its own and not by Valijson: each error needs its line and column, and the branch of a short form is chosen by the
// kind of the value, so that the error is about what was meant. Tests hold the two to the same verdicts.
//
// Of the schema's keywords these are looked at: $ref, oneOf (branches of different types), type, enum, pattern,
// minimum, maximum, properties, additionalProperties, required, minProperties, maxProperties, items, minItems; title
// and examples make the messages. Messages never hold a value of the file: it may be a secret.
#pragma once

#include <string_view>
#include <vector>

#include "core/config/tree.h"
#include "core/host/json.h"

namespace teal::config {

inline constexpr size_t kErrorsMax = 20;
inline constexpr size_t kPatternSubjectBytesMax = 1024;  // std::regex recurses for each character

extern const std::string_view kSchemaText;  // teal.schema.json

// Parsed once. Thread-safe.
const host::Json& ProjectSchema();

// At most kErrorsMax, in the order of the tree.
std::vector<Error> CheckSchema(const Node& root, const host::Json& schema);

// "unknown key `evnts`: did you mean `events`?", with what is known as the hint.
Error UnknownName(const Place& place, const std::string& what, const std::string& name,
                  const std::vector<std::string>& known);

// The value as JSON, for checks by a plugin's schema.
host::Json ToJson(const Node& node);

}  // namespace teal::config

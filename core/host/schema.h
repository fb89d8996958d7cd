// A plugin's section of teal.yaml against the JSON Schema in its manifest. No foreign code runs.
//
// The validator is Valijson (JSON Schema draft 7); three things are added: a keyword the draft does not know is an
// error, since Valijson passes over it; messages say which key, what it must be, and for an unknown key the nearest
// known one; and `default`s of absent keys are filled in, so that plugin and user read the same value. `$ref` outside
// the document is refused. An object of a schema with `properties` and no `additionalProperties` takes no others.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace teal::host {

inline constexpr size_t kConfigBytesMax = 1024 * 1024;
inline constexpr size_t kPatternSubjectBytesMax = 8 * 1024;  // of a string a `pattern` looks at

// Whether it can be used as a schema; kInvalid names the place in it.
Status CheckSchema(std::string_view schema_json);
// The section with defaults filled in, as JSON. kInvalid: every message names the key as the user writes it, with
// `prefix` before it ("backends.local"), and all that is wrong, a line each.
Result<std::string> ValidateConfig(std::string_view schema_json, std::string_view config_json,
                                   const std::string& prefix);

}  // namespace teal::host

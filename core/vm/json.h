// Values as JSON and back, by the rules of the language:
//   symbol -> its name, bytes -> Base64, error -> {"kind","message","data"}, secret -> "***"; 1.0 stays a float.
// Thread-safe as far as the values are.
#pragma once

#include <string>
#include <string_view>

#include "core/vm/value.h"

namespace teal::vm {

inline constexpr uint32_t kJsonDepthMax = 100;  // lists and hashes within one another

// Appends v to *out: no white space, keys in order of insertion; the same value always gives the same bytes.
// False, with the error value to raise in *error (and a part of the text in *out): `type` for functions, futures, nan,
// infinities and keys that are no strings, naming the path ("at [2].x"); `limit` past kJsonDepthMax or kValueBytesMax.
bool EncodeJson(const Value& v, std::string* out, Value* error);

// The value of one JSON text (RFC 8259). Of a key that comes twice, the last value, in the place of the first.
// False, with the error value to raise in *error: `value` for what is no JSON (line and column), `overflow` for
// integers past 64 bits and floats past a double, `type` for a lone surrogate, `limit` past kJsonDepthMax or a
// container's limit.
bool DecodeJson(std::string_view text, Value* out, Value* error);

}  // namespace teal::vm

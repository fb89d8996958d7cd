// Teal values to what travels to Python and back (docs/formats/worker-protocol.md, "Values").
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/runtime/worker_marshal.h"
#include "core/vm/value.h"

namespace teal::runtime {

struct WorkerArguments {
  std::string arguments;             // for CallRequest::arguments
  std::string keywords;              // for CallRequest::keywords
  std::vector<std::string> secrets;  // for WorkerCallContext::secrets: the texts handed over
};

// Gives the text of the secret `name`; false and the reason in `*text` if there is none.
using SecretText = std::function<bool(std::string_view name, std::string* text)>;

// Encodes the arguments of a foreign call; with `has_keywords` the last one is a hash of keyword arguments. A symbol
// becomes a str, an error a dict of kind, message and data, a secret its text, a list within a key a tuple. False if
// something cannot travel (a function, a future, keys that Python cannot tell apart, more than 64 MiB, deeper than
// 100): `*problem` is the error of the language, its message names the path ("argument 1[2].x").
// Thread-safe for values that are not changed meanwhile. No recursion on the C stack but within one key (at most 100).
bool EncodeWorkerArguments(const std::vector<vm::Value>& arguments, bool has_keywords, const SecretText& secret_text,
                           WorkerArguments* out, UncarryableValue* problem);

// The value of a payload, owned by the caller alone. False if the bytes are no payload; a payload that the pool has
// given out always is one. A tuple becomes a list.
bool DecodeWorkerPayload(std::string_view payload, vm::Value* value);

}  // namespace teal::runtime

// What the files that implement the pure builtins share.
#pragma once

#include <string>
#include <string_view>

#include "core/vm/builtins.h"
#include "core/vm/value.h"

namespace teal::vm {

// One function for each pure builtin of builtins.def, named after it: the signature of PureBuiltin.
#define TEAL_DECLARE_Pure(name) bool Builtin_##name(Value* args, uint32_t count, Value* result);
#define TEAL_DECLARE_Host(name)
#define TEAL_DECLARE_Inner(name)
#define X(id, name, least, most, kind) TEAL_DECLARE_##kind(name)
#include "core/vm/builtins.def"
#undef X
#undef TEAL_DECLARE_Pure
#undef TEAL_DECLARE_Host
#undef TEAL_DECLARE_Inner

// Puts an error of that kind into *result; gives false, so that a builtin can return it.
bool FailWith(Value* result, std::string_view kind, std::string message);

// "split: the string must be a string, got integer 5". `builtin` and `argument` name what was asked, `wanted` the type.
bool FailType(Value* result, std::string_view builtin, std::string_view argument, std::string_view wanted,
              const Value& got);

// What v is, for messages: its type, and its text where that is short.
std::string Describe(const Value& v);

// "f: the result would be larger than 64 MiB, the limit of one value", kind `limit`.
bool FailLimit(Value* result, std::string_view builtin);

// "sort: takes more than 16 GiB of comparing, the limit of one operation", kind `limit`; see kWorkBytesMax.
bool FailWork(Value* result, std::string_view operation);

// ---- reading arguments: false and an error in *result when the argument is something else ----
bool WantInt(std::string_view builtin, std::string_view argument, const Value& v, int64_t* out, Value* result);
bool WantNumber(std::string_view builtin, std::string_view argument, const Value& v, Value* result);
bool WantString(std::string_view builtin, std::string_view argument, const Value& v, Value* result);
bool WantList(std::string_view builtin, std::string_view argument, const Value& v, Value* result);
bool WantHash(std::string_view builtin, std::string_view argument, const Value& v, Value* result);
bool WantKey(std::string_view builtin, const Value& v, Value* result);

// A number as a float; precondition: IsNumber().
inline double ToDouble(const Value& v) {
  return v.IsInt() ? static_cast<double>(v.AsInt()) : v.AsFloat();
}

// Puts `value` into *result; gives true.
inline bool Give(Value* result, Value value) {
  *result = std::move(value);
  return true;
}

}  // namespace teal::vm

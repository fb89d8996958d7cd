// What the compiler and the machine must know of each builtin. The list itself is builtins.def.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/vm/value.h"

namespace teal::vm {

enum class BuiltinKind : uint8_t { kPure, kHost, kInner };

struct BuiltinInfo {
  std::string_view name;  // empty: no builtin has this id
  uint8_t least = 0;
  uint8_t most = 0;  // 255: any number
  BuiltinKind kind = BuiltinKind::kPure;
};

enum BuiltinId : uint16_t {
#define X(id, name, least, most, kind) kBuiltin_##name = id,
#include "core/vm/builtins.def"
#undef X
};
inline constexpr uint16_t kBuiltinIdEnd = 256;

// The entry of an unknown id has an empty name. Never fails.
const BuiltinInfo& BuiltinOf(uint16_t id);
std::optional<uint16_t> FindBuiltin(std::string_view name);

// A pure builtin over args[0 .. count): it may move out of them (a sole owner is changed in place). The number of
// arguments has been checked. Gives true and *result, or false and in *result the error value to raise (no trace yet).
using PureBuiltin = bool (*)(Value* args, uint32_t count, Value* result);
PureBuiltin PureBuiltinOf(uint16_t id);  // null when the id names no pure builtin

}  // namespace teal::vm

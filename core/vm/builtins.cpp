// The table of builtins, and what their implementations share.
#include "core/vm/builtins.h"

#include <array>

#include "core/vm/builtins_internal.h"
#include "core/vm/display.h"

namespace teal::vm {
namespace {

struct Entry {
  BuiltinInfo info;
  PureBuiltin pure = nullptr;
};

constexpr std::array<Entry, kBuiltinIdEnd> MakeTable() {
  std::array<Entry, kBuiltinIdEnd> table{};
#define TEAL_ENTRY_Pure(name) &Builtin_##name
#define TEAL_ENTRY_Host(name) nullptr
#define TEAL_ENTRY_Inner(name) nullptr
#define X(id, name, least, most, kind) \
  table[id] = {{#name, least, most, BuiltinKind::k##kind}, TEAL_ENTRY_##kind(name)};
#include "core/vm/builtins.def"
#undef X
#undef TEAL_ENTRY_Pure
#undef TEAL_ENTRY_Host
#undef TEAL_ENTRY_Inner
  return table;
}

constexpr std::array<Entry, kBuiltinIdEnd> kTable = MakeTable();
constexpr BuiltinInfo kUnknown{};

inline constexpr size_t kDescribedBytesMax = 60;

}  // namespace

const BuiltinInfo& BuiltinOf(uint16_t id) {
  return id < kBuiltinIdEnd ? kTable[id].info : kUnknown;
}

PureBuiltin PureBuiltinOf(uint16_t id) {
  return id < kBuiltinIdEnd ? kTable[id].pure : nullptr;
}

std::optional<uint16_t> FindBuiltin(std::string_view name) {
  if (name.empty()) return std::nullopt;
  for (uint16_t id = 0; id < kBuiltinIdEnd; id++) {
    if (kTable[id].info.name == name) return id;
  }
  return std::nullopt;
}

bool FailWith(Value* result, std::string_view kind, std::string message) {
  *result = MakeError(kind, message);
  return false;
}

std::string Describe(const Value& v) {
  std::string description(TypeName(v));
  if (v.IsNull() || v.IsCallable() || v.tag() == Tag::kSecret) return description;
  std::string text;
  if (AppendText(v, true, kDescribedBytesMax, &text)) description.append(" ").append(text);
  return description;
}

bool FailType(Value* result, std::string_view builtin, std::string_view argument, std::string_view wanted,
              const Value& got) {
  std::string message(builtin);
  message.append(": ").append(argument).append(" must be ").append(wanted).append(", got ").append(Describe(got));
  return FailWith(result, "type", std::move(message));
}

bool FailLimit(Value* result, std::string_view builtin) {
  return FailWith(result, "limit",
                  std::string(builtin) + ": the result would be larger than 64 MiB, the limit of one value");
}

bool FailWork(Value* result, std::string_view operation) {
  return FailWith(result, "limit",
                  std::string(operation) + ": takes more than 16 GiB of comparing, the limit of one operation");
}

bool WantInt(std::string_view builtin, std::string_view argument, const Value& v, int64_t* out, Value* result) {
  if (!v.IsInt()) return FailType(result, builtin, argument, "an integer", v);
  *out = v.AsInt();
  return true;
}
bool WantNumber(std::string_view builtin, std::string_view argument, const Value& v, Value* result) {
  return v.IsNumber() || FailType(result, builtin, argument, "a number", v);
}
bool WantString(std::string_view builtin, std::string_view argument, const Value& v, Value* result) {
  return v.tag() == Tag::kString || FailType(result, builtin, argument, "a string", v);
}
bool WantList(std::string_view builtin, std::string_view argument, const Value& v, Value* result) {
  return v.tag() == Tag::kList || FailType(result, builtin, argument, "a list", v);
}
bool WantHash(std::string_view builtin, std::string_view argument, const Value& v, Value* result) {
  return v.tag() == Tag::kHash || FailType(result, builtin, argument, "a hash", v);
}
bool WantKey(std::string_view builtin, const Value& v, Value* result) {
  if (IsKey(v)) return true;
  std::string message(builtin);
  message.append(": a key can hold no function, future, secret or nan, got ").append(Describe(v));
  return FailWith(result, "type", std::move(message));
}

}  // namespace teal::vm

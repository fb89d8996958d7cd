// Short names for values in tests.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "core/vm/value.h"

namespace teal::vm {

inline Value I(int64_t i) {
  return Value::Int(i);
}
inline Value F(double d) {
  return Value::Float(d);
}
inline Value S(std::string_view s) {
  return MakeString(s);
}
inline Value L(std::vector<Value> items) {
  Value list = MakeList();
  for (Value& v : items) list = ListAppend(std::move(list), std::move(v));
  return list;
}
inline Value H(std::vector<std::pair<Value, Value>> entries) {
  Value hash = MakeHash();
  for (auto& [k, v] : entries) hash = HashSet(std::move(hash), std::move(k), std::move(v));
  return hash;
}

}  // namespace teal::vm

// The constants of an executable, each once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/proto/executable.pb.h"
#include "core/vm/value.h"

namespace teal::lang {

// Can the value be written as a constant: no function, future, error or secret in it?
bool IsStorable(const vm::Value& value);
// Precondition: IsStorable.
void WriteConstant(const vm::Value& value, proto::Constant* out);

class ConstantPool {
 public:
  uint32_t Integer(int64_t value);
  uint32_t Text(std::string_view text);
  // Precondition: IsStorable.
  uint32_t Add(const vm::Value& value);

  // In order of index. The pool is used up.
  void MoveTo(proto::Executable* executable);
  size_t size() const { return constants_.size(); }

 private:
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  google::protobuf::RepeatedPtrField<proto::Constant> constants_;
  std::unordered_map<int64_t, uint32_t> integers_;
  std::unordered_map<std::string, uint32_t, TextHash, std::equal_to<>> texts_;
  std::unordered_map<std::string, uint32_t> others_;  // by their bytes
};

}  // namespace teal::lang

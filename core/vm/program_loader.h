// From the bytes of an executable to a Program. Used by Program::Load only.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/proto/executable.pb.h"
#include "core/vm/program.h"

namespace teal::vm {

// Decodes without checking anything; false: these bytes are no such message.
bool ParseExecutable(std::string_view bytes, proto::Executable* executable);

class ProgramLoader {
 public:
  static Result<std::shared_ptr<const Program>> Load(std::string_view executable);

 private:
  explicit ProgramLoader(Program& program) : program_(program) {}

  // Each gives false with the problem in problem_, and leaves what it has made in program_.
  bool Decode(const proto::Executable& from);
  bool DecodeConstant(const proto::Constant& from, size_t functions, uint32_t depth, Value* to);
  bool DecodeList(const proto::Constant::List& from, size_t functions, uint32_t depth, Value* to);
  bool DecodeHash(const proto::Constant::Hash& from, size_t functions, uint32_t depth, Value* to);
  bool DecodeFunction(const proto::Function& from, const proto::Executable& executable, Function* to);
  bool DecodeLiveMaps(const proto::Function& from, Function* to);
  bool DecodePositions(const proto::Function& from, Function* to);
  bool DecodeAttribute(const proto::Attribute& from, const std::vector<Value>* parameters, size_t functions,
                       Attribute* to);
  bool DecodeImport(const proto::Import& from, size_t functions, Import* to);
  bool DecodeEntries(const proto::Executable& from);
  bool CheckReferences();
  bool CheckReference(const Value& constant, size_t own_functions);
  bool Verify();
  void AddApply();
  void Finish();
  void Own(const Value& value);

  bool Bad(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  Program& program_;
  std::string problem_;
};

}  // namespace teal::vm

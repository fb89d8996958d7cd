#include "core/lang/codegen.h"

#include <algorithm>
#include <cassert>

#include "core/base/mutant.h"
#include "core/vm/builtins.h"

namespace teal::lang {

using vm::Value;

Codegen::Codegen(Program& program, FunctionScope& scope, std::vector<Reg>& registers_of, bool wide)
    : program_(program),
      scope_(scope),
      registers_of_(registers_of),
      wide_(wide),
      optimize_(program.options.optimize),
      folder_(program, *scope.unit, this) {
  if (registers_of_.size() < program.names.size()) registers_of_.resize(program.names.size(), kNoReg);
}

bool Codegen::Run(Code* code) {
  Declare();
  if (scope_.role == FunctionRole::kPlain || scope_.role == FunctionRole::kClosure) {
    Body();
  } else {
    Wrapper();
  }
  for (const OpenLocal& local : open_locals_) code_.AddLocal(local.name, local.reg, local.from, code_.pc());
  const auto forget = [&](const std::vector<NameId>& names) {
    for (const NameId name : names) registers_of_[name] = kNoReg;
  };
  forget(scope_.parameters);
  forget(scope_.captures);
  forget(scope_.locals);
  if (scope_.self != kNoName) registers_of_[scope_.self] = kNoReg;
  assert(block_names_.empty() && regions_.empty() && protected_ == 0);
  if (!problem_.empty()) return false;
  if (!code_.Finish(std::max<Reg>(highest_, 1), optimize_, code)) {
    needs_wide_ = true;
    return false;
  }
  return true;
}

bool Codegen::NeedsSelfRegister(const FunctionScope& scope) {
  if (!scope.self_used) return false;
  const bool assigned = std::find(scope.locals.begin(), scope.locals.end(), scope.self) != scope.locals.end();
  return assigned || !scope.captures.empty();
}

void Codegen::Declare() {
  const auto bind = [&](NameId name) {
    std::string text(program_.names.Text(name));
    const Reg reg = NewTemp();
    registers_of_[name] = reg;
    open_locals_.push_back({std::move(text), reg, 0});
  };
  for (const NameId name : scope_.parameters) bind(name);
  for (const NameId name : scope_.captures) bind(name);
  if (NeedsSelfRegister(scope_)) {
    bind(scope_.self);
  } else if (scope_.self_used) {
    registers_of_[scope_.self] = kSelfFunction;
  }
  for (const NameId name : scope_.locals) {
    if (registers_of_[name] == kNoReg) bind(name);
  }
}

void Codegen::Body() {
  const BlockExpr& body = scope_.Body();
  Block(body, Dest::Tail());
  if (code_.reachable()) Null(Dest::Tail());
}

// retry: __retry(inner, [parameters], max, first, factor, cap, on); timeout: await timeout(async inner(parameters), d);
// a library function as a value: inner(parameters, null, …).
void Codegen::Wrapper() {
  code_.At(scope_.item->span.begin);
  const auto count = static_cast<uint32_t>(scope_.parameters.size());
  const auto arguments = [&](Reg first) {
    for (uint32_t i = 0; i < count; ++i) code_.Emit(vm::kMove, first + i, i);
  };
  const auto attribute = [&](std::string_view name) {
    const auto& all = scope_.item->attributes;
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Attribute& each) { return each.name.text == name; });
    assert(found != all.end());
    return AttributeValues(program_, *scope_.unit, *found);
  };
  if (scope_.role == FunctionRole::kShort) {
    const auto wanted = static_cast<uint32_t>(scope_.inner->parameters.size());
    const Reg base = NewTemp(wanted);
    arguments(base);
    for (uint32_t i = count; i < wanted; ++i) code_.Emit(vm::kLoadNull, base + i);
    code_.Emit(vm::kTailCallFunction, base, scope_.inner->index);
    return;
  }
  if (scope_.role == FunctionRole::kTimeout) {
    const Reg base = NewTemp(count + 2);
    code_.Emit(vm::kLoadFunction, base, scope_.inner->index);
    arguments(base + 1);
    code_.Emit(vm::kSpawn, base, count, base);
    LoadValue(attribute("timeout")[0], base + 1);
    code_.Emit(vm::kHost, base, 2, vm::kBuiltin_timeout);
    code_.Emit(vm::kAwait, base, base);
    code_.Emit(vm::kReturn, base);
    return;
  }
  assert(scope_.role == FunctionRole::kRetry);
  const std::vector<Value> values = attribute("retry");
  const auto found = program_.library.globals.find(program_.names.Intern("__retry"));
  assert(found != program_.library.globals.end());
  const auto extra = static_cast<uint32_t>(values.size());
  const Reg base = NewTemp(2 + std::max(extra, count));
  code_.Emit(vm::kLoadFunction, base, scope_.inner->index);
  arguments(base + 1);
  code_.Emit(vm::kNewList, base + 1, base + 1, count);
  for (uint32_t i = 0; i < extra; ++i) LoadValue(values[i], base + 2 + i);
  code_.Emit(vm::kCallFunction, base, found->second.function->index, base);
  code_.Emit(vm::kReturn, base);
}

// Within the block that follows, the name stands for `reg`.
void Codegen::BindBlockName(const Ident& ident, Reg reg) {
  const NameId name = program_.names.Intern(ident.text);
  if (name >= registers_of_.size()) registers_of_.resize(name + 64, kNoReg);
  block_names_.emplace_back(name, registers_of_[name]);
  registers_of_[name] = reg;
  open_locals_.push_back({ident.text, reg, code_.pc()});
}

void Codegen::UnbindBlockNames(size_t count) {
  for (; count > 0; --count) {
    if (!TEAL_MUTANT("loop_variable_stays")) registers_of_[block_names_.back().first] = block_names_.back().second;
    block_names_.pop_back();
    OpenLocal& local = open_locals_.back();
    code_.AddLocal(std::move(local.name), local.reg, local.from, code_.pc());
    open_locals_.pop_back();
  }
}

Reg Codegen::LocalOf(const std::string& name) const {
  const NameId id = program_.names.Intern(name);
  return id < registers_of_.size() ? registers_of_[id] : kNoReg;
}

bool Codegen::IsLocal(const std::string& name) const {
  return LocalOf(name) != kNoReg;
}

Reg Codegen::NewTemp(uint32_t count) {
  const Reg reg = next_;
  if (next_ + count > vm::kRegistersMax) {
    Fail("this function is too large: it needs more than " + std::to_string(vm::kRegistersMax) + " registers");
    return 0;
  }
  next_ += count;
  highest_ = std::max(highest_, next_);
  return reg;
}

void Codegen::Fail(std::string problem) {
  if (problem_.empty()) problem_ = std::move(problem);
}

void Codegen::Deliver(Dest dest, Reg from) {
  if (dest.IsReg()) code_.Move(dest.reg, from);
  if (dest.kind == Dest::Kind::kTail) code_.Emit(vm::kReturn, from);
}

void Codegen::Null(Dest dest) {
  if (dest.IsReg()) code_.Emit(vm::kLoadNull, dest.reg);
  if (dest.kind == Dest::Kind::kTail) code_.Emit(vm::kReturnNull, 0);
}

void Codegen::LoadConstant(uint32_t index, Reg to) {
  code_.EmitWide(vm::kLoadConst, to, static_cast<int32_t>(index));
}

void Codegen::LoadValue(const Value& value, Reg to) {
  if (value.IsNull()) return code_.Emit(vm::kLoadNull, to);
  if (value.tag() == vm::Tag::kBool) return code_.Emit(value.AsBool() ? vm::kLoadTrue : vm::kLoadFalse, to);
  if (value.IsInt() && value.AsInt() >= INT32_MIN && value.AsInt() <= INT32_MAX) {
    return code_.EmitWide(vm::kLoadInt, to, static_cast<int32_t>(value.AsInt()));
  }
  // Nothing is put into the pool for code that is not kept.
  if (code_.reachable()) LoadConstant(program_.constants.Add(value), to);
}

// A register for a value that has to be whole at the end: the destination's, or a new temporary.
Reg Codegen::WholeReg(Dest dest) {
  return dest.IsReg() ? dest.reg : NewTemp();
}

bool Codegen::Folded(const Expr& expr, Value* value) {
  return optimize_ && folder_.Fold(expr, value) && IsStorable(*value);
}

}  // namespace teal::lang

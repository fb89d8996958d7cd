// Calls: of functions of the program, builtins, imports and values.
#include <algorithm>
#include <cassert>

#include "core/base/mutant.h"
#include "core/lang/codegen.h"
#include "core/vm/builtins.h"

namespace teal::lang {

Codegen::Callee Codegen::Resolve(const Expr& callee) {
  Global* global = nullptr;
  if (callee.kind == ExprKind::kName) {
    const std::string& name = As<NameExpr>(callee).name;
    const Reg local = LocalOf(name);
    if (local == kSelfFunction) return {Callee::Kind::kFunction, &scope_, 0};
    if (local != kNoReg) return {};
    global = FindGlobal(program_, *scope_.unit, program_.names.Intern(name));
  } else if (callee.kind == ExprKind::kField) {
    Unit* module = nullptr;
    global = FindMember(program_, *scope_.unit, As<FieldExpr>(callee), &module);
  }
  if (global == nullptr) return {};
  switch (global->kind) {
    case GlobalKind::kFunction:
      if (global == program_.raise) return {Callee::Kind::kRaise, global->function, 0};
      return {Callee::Kind::kFunction, global->function, 0};
    case GlobalKind::kForeign:
      return {Callee::Kind::kForeign, nullptr, global->index};
    case GlobalKind::kBuiltin:
      return {Callee::Kind::kBuiltin, nullptr, global->index};
    case GlobalKind::kApply:
      return {Callee::Kind::kApply, nullptr, 0};
    default:
      return {};
  }
}

namespace {

// One of two values: `a < b < c` compares a truth value.
bool IsComparison(const Expr& expr) {
  if (expr.kind != ExprKind::kBinary) return false;
  const auto& binary = As<BinaryExpr>(expr);
  return binary.ops.size() == 1 && binary.ops[0] >= BinaryOp::kEq && binary.ops[0] <= BinaryOp::kGe;
}

}  // namespace

// Is it `x = f(x, …)` of a variable that the other arguments leave alone?
bool Codegen::UpdatesVariable(const CallParts& call, Dest dest) const {
  if (call.piped || dest.kind != Dest::Kind::kVariable) return false;
  const Expr& variable = call.first != nullptr ? *call.first : *call.arguments[0].value;
  return VariableOf(variable) == dest.reg && !Reassigned(variable, variable.span.end, call.End());
}

// Calls of builtins that have an instruction of their own.
bool Codegen::Special(const Callee& callee, const CallParts& call, Dest dest, Reg base) {
  if (!optimize_ || callee.kind != Callee::Kind::kBuiltin || dest.kind == Dest::Kind::kNone) return false;
  const Reg to = dest.IsReg() ? dest.reg : base;
  if (callee.index == vm::kBuiltin_append) {
    if (next_ == base) NewTemp();
    const size_t given = call.Count() - call.arguments.size();
    const Reg list = call.piped ? *call.piped : Any(given > 0 ? *call.first : *call.arguments[0].value, call.End());
    const Reg item = Any(*call.arguments[1 - given].value);
    code_.At(call.offset);
    code_.Emit(vm::kAppend, to, list, item);
    Deliver(dest, to);
    return true;
  }
  if (callee.index == vm::kBuiltin_set && UpdatesVariable(call, dest)) {
    const size_t given = call.Count() - call.arguments.size();
    const Reg key = Any(*call.arguments[1 - given].value, call.End());
    const Reg item = Any(*call.arguments[2 - given].value);
    code_.At(call.offset);
    code_.Emit(vm::kUpdate, to, key, item);
    return true;
  }
  if (callee.index == vm::kBuiltin_set) {
    const size_t pending = pending_.size();
    next_ = base;
    Positional(call);
    CloseWindow(pending);
    code_.At(call.offset);
    code_.Emit(vm::kSetItem, to, base);
    Deliver(dest, to);
    return true;
  }
  return false;
}

void Codegen::Call(const CallParts& call, Dest dest) {
  TempScope scope(*this);
  const Callee callee = Resolve(*call.callee);
  code_.At(call.offset);
  // The window may begin in the destination itself when that is the highest temporary.
  Reg base = next_;
  if (call.piped) {
    assert(*call.piped + 1 == next_);
    base = *call.piped;
  } else if (dest.kind == Dest::Kind::kTemp && dest.reg + 1 == next_) {
    base = dest.reg;
  }
  if (Special(callee, call, dest, base)) return;
  if (callee.kind == Callee::Kind::kBuiltin && callee.index == vm::kBuiltin_assert && call.Count() == 1 &&
      !call.arguments.empty() && IsComparison(*call.arguments[0].value)) {
    return AssertComparison(As<BinaryExpr>(*call.arguments[0].value), call.offset, dest);
  }
  next_ = base;
  const size_t pending = pending_.size();
  // Where the answer goes when the instruction can put it anywhere.
  const Reg into = dest.IsReg() ? dest.reg : base;
  const bool tail = dest.kind == Dest::Kind::kTail;
  switch (callee.kind) {
    case Callee::Kind::kFunction:
      FunctionArguments(*callee.function, call);
      CloseWindow(pending);
      code_.At(call.offset);
      if (next_ == base) NewTemp();
      if (tail) return code_.Emit(vm::kTailCallFunction, base, callee.function->index);
      code_.Emit(vm::kCallFunction, base, callee.function->index, into);
      return;
    case Callee::Kind::kRaise:
      return RaiseNew(call);
    case Callee::Kind::kApply: {
      const Reg function = Any(*call.arguments[0].value, call.End());
      const Reg list = Any(*call.arguments[1].value);
      code_.At(call.offset);
      if (!dest.IsReg()) NewTemp();
      code_.Emit(vm::kApply, dest.IsReg() ? dest.reg : next_ - 1, function, list);
      return Deliver(dest, dest.IsReg() ? dest.reg : next_ - 1);
    }
    case Callee::Kind::kBuiltin: {
      uint32_t count = Positional(call);
      if (Keywords(call)) ++count;  // start(): a trailing hash
      CloseWindow(pending);
      if (count == 0) NewTemp();
      code_.At(call.offset);
      const bool pure = vm::BuiltinOf(static_cast<uint16_t>(callee.index)).kind == vm::BuiltinKind::kPure;
      code_.Emit(pure ? vm::kCallBuiltin : vm::kHost, base, count, callee.index);
      return Deliver(dest, base);
    }
    case Callee::Kind::kForeign: {
      uint32_t count = Positional(call);
      const bool keywords = Keywords(call);
      CloseWindow(pending);
      if (keywords) ++count;
      if (count == 0) NewTemp();
      code_.At(call.offset);
      code_.Emit(vm::kCallForeign, base, count, callee.index, keywords ? vm::kKeywords : 0);
      return Deliver(dest, base);
    }
    case Callee::Kind::kValue: {
      CallParts rest = call;
      const Reg function = NewTemp();
      if (call.piped) {
        // The value stands where the callee has to.
        const Reg value = NewTemp();
        code_.Move(value, base);
        Gen(*call.callee, Dest::Temp(function));
        rest.piped = value;
        next_ = value;
      } else {
        Operand(*call.callee, function, call.End());
      }
      uint32_t count = Positional(rest);
      const bool keywords = Keywords(rest);
      CloseWindow(pending);
      if (keywords) ++count;
      code_.At(call.offset);
      const uint8_t flags = keywords ? vm::kKeywords : 0;
      if (tail) {
        code_.Emit(vm::kTailCall, base, count, 0, flags);
        return code_.Emit(vm::kReturn, base);
      }
      return code_.Emit(vm::kCall, base, count, into, flags);
    }
  }
}

void Codegen::Spawn(const CallParts& call, Dest dest) {
  TempScope scope(*this);
  const Callee callee = Resolve(*call.callee);
  Reg base = next_;
  if (dest.kind == Dest::Kind::kTemp && dest.reg + 1 == next_) base = dest.reg;
  next_ = base;
  const size_t pending = pending_.size();
  LoadCallee(callee, call, NewTemp());
  uint32_t count = 0;
  bool keywords = false;
  if (callee.kind == Callee::Kind::kFunction || callee.kind == Callee::Kind::kRaise) {
    FunctionArguments(*callee.function, call);
    count = static_cast<uint32_t>(callee.function->parameters.size());
  } else {
    count = Positional(call);
    keywords = Keywords(call);
    if (keywords) ++count;
    if (callee.kind == Callee::Kind::kBuiltin) keywords = false;
  }
  CloseWindow(pending);
  code_.At(call.offset);
  code_.Emit(vm::kSpawn, base, count, dest.IsReg() ? dest.reg : base, keywords ? vm::kKeywords : 0);
  if (dest.kind == Dest::Kind::kTail) Deliver(dest, base);
}

void Codegen::LoadCallee(const Callee& callee, const CallParts& call, Reg to) {
  switch (callee.kind) {
    case Callee::Kind::kFunction:
    case Callee::Kind::kRaise:
      return code_.Emit(vm::kLoadFunction, to, callee.function->index);
    case Callee::Kind::kBuiltin:
      return code_.Emit(vm::kLoadBuiltin, to, callee.index);
    case Callee::Kind::kForeign:
      return code_.Emit(vm::kLoadForeign, to, callee.index);
    case Callee::Kind::kValue:
      return Operand(*call.callee, to, call.End());
    case Callee::Kind::kApply:
      assert(false && "only called");
      return;
  }
}

// Positional arguments into new temporaries, from next_ on; the piped one first. Before the call: CloseWindow.
uint32_t Codegen::Positional(const CallParts& call) {
  uint32_t count = 0;
  if (call.piped) {
    assert(next_ == *call.piped);
    NewTemp();
    ++count;
  }
  if (call.first != nullptr) {
    Operand(*call.first, NewTemp(), call.End());
    ++count;
  }
  for (const Argument& argument : call.arguments) {
    if (argument.keyword) break;  // they come last
    Operand(*argument.value, NewTemp(), call.End());
    ++count;
  }
  return count;
}

// The keyword arguments as a hash in one new temporary; false: there are none.
bool Codegen::Keywords(const CallParts& call) {
  const Reg to = next_;
  const size_t pending = pending_.size();
  uint32_t count = 0;
  for (const Argument& argument : call.arguments) {
    if (!argument.keyword) continue;
    LoadValue(vm::MakeString(argument.keyword->text), NewTemp());
    Operand(*argument.value, NewTemp(), call.End());
    ++count;
  }
  if (count == 0) return false;
  CloseWindow(pending);
  code_.At(call.offset);
  code_.Emit(vm::kNewHash, to, to, count);
  next_ = to + 1;
  return true;
}

// All arguments of a known function, from next_ on: keywords at their parameters' places, null for optional ones.
void Codegen::FunctionArguments(const FunctionScope& function, const CallParts& call) {
  const Reg first = next_;
  const size_t wanted = function.parameters.size();
  uint32_t given = Positional(call);
  assert(given <= wanted);
  if (given == wanted) return;
  const size_t positional = given;
  NewTemp(static_cast<uint32_t>(wanted) - given);
  std::vector<bool> bound(wanted, false);
  for (const Argument& argument : call.arguments) {
    if (!argument.keyword) continue;
    size_t at = FindParameter(function, argument.keyword->text, program_.names);
    if (TEAL_MUTANT("keywords_bind_in_order"))
      at = positional + static_cast<size_t>(std::count(bound.begin(), bound.end(), true));
    assert(at < wanted && !bound[at]);
    bound[at] = true;
    Operand(*argument.value, first + static_cast<Reg>(at), call.End());
  }
  for (size_t i = positional; i < wanted; ++i) {
    if (!bound[i]) code_.Emit(vm::kLoadNull, first + static_cast<Reg>(i));
  }
}

void Codegen::RaiseNew(const CallParts& call) {
  const Reg base = next_;
  const size_t pending = pending_.size();
  FunctionArguments(*program_.raise->function, call);
  CloseWindow(pending);
  // A message left out is empty, not null.
  bool has_message = call.Count() >= 2;
  for (const Argument& argument : call.arguments) {
    if (argument.keyword && argument.keyword->text == "message") has_message = true;
    if (argument.keyword && argument.keyword->text == "data" && call.arguments.size() == 2) has_message = false;
  }
  code_.At(call.offset);
  if (!has_message) LoadValue(vm::MakeString(""), base + 1);
  if (TEAL_MUTANT("raise_drops_data")) code_.Emit(vm::kLoadNull, base + 2);
  code_.Emit(vm::kRaiseNew, base);
}

}  // namespace teal::lang

// Operators, literals, access.
#include <algorithm>
#include <cassert>

#include "core/base/mutant.h"
#include "core/lang/codegen.h"
#include "core/vm/builtins.h"

namespace teal::lang {

using vm::Value;

namespace {

// More items than this are built in several steps, so that long literals need few registers.
constexpr size_t kBatch = 64;
constexpr uint32_t kNarrowConstants = 65536;

bool FitsImm(const Value& value) {
  return value.IsInt() && value.AsInt() >= INT16_MIN && value.AsInt() <= INT16_MAX;
}
uint32_t Imm(int64_t value) {
  return static_cast<uint16_t>(static_cast<int16_t>(value));
}

vm::Opcode RegisterOp(BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd:
      return vm::kAdd;
    case BinaryOp::kSub:
      return vm::kSub;
    case BinaryOp::kMul:
      return vm::kMul;
    case BinaryOp::kDiv:
      return vm::kDiv;
    case BinaryOp::kMod:
      return vm::kMod;
    case BinaryOp::kEq:
      return vm::kEqual;
    case BinaryOp::kNe:
      return vm::kNotEqual;
    case BinaryOp::kLt:
    case BinaryOp::kGt:
      return vm::kLess;
    default:
      return vm::kLessEqual;
  }
}

vm::Opcode ConstantOp(BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd:
      return vm::kAddConst;
    case BinaryOp::kSub:
      return vm::kSubConst;
    case BinaryOp::kMul:
      return vm::kMulConst;
    case BinaryOp::kDiv:
      return vm::kDivConst;
    case BinaryOp::kMod:
      return vm::kModConst;
    default:
      return vm::kNop;
  }
}

}  // namespace

void Codegen::Gen(const Expr& expr, Dest dest) {
  if (!code_.reachable()) return;  // dropped as a whole, so that it leaves no constants behind
  code_.At(expr.span.begin);
  switch (expr.kind) {
    case ExprKind::kFormat:
    case ExprKind::kList:
    case ExprKind::kHash:
    case ExprKind::kUnary:
    case ExprKind::kBinary:
    case ExprKind::kPipe:
    case ExprKind::kCall:
    case ExprKind::kIndex:
    case ExprKind::kSlice:
    case ExprKind::kField: {
      // An empty literal is better made anew: a constant would have to be copied to be changed.
      const bool empty = (expr.kind == ExprKind::kList && As<ListExpr>(expr).items.empty()) ||
                         (expr.kind == ExprKind::kHash && As<HashExpr>(expr).entries.empty());
      Value value;
      if (empty || !Folded(expr, &value)) return GenInto(expr, dest);
      if (dest.kind == Dest::Kind::kNone) return;
      TempScope scope(*this);
      const Reg reg = WholeReg(dest);
      LoadValue(value, reg);
      return Deliver(dest, reg);
    }
    default:
      return GenInto(expr, dest);
  }
}

void Codegen::GenInto(const Expr& expr, Dest dest) {
  switch (expr.kind) {
    case ExprKind::kNull:
      return Null(dest);
    case ExprKind::kBool:
    case ExprKind::kInt:
    case ExprKind::kFloat:
    case ExprKind::kString:
    case ExprKind::kSymbol:
    case ExprKind::kDuration: {
      if (dest.kind == Dest::Kind::kNone) return;
      TempScope scope(*this);
      Value value;
      [[maybe_unused]] const auto outcome = folder_.Evaluate(expr, &value);
      assert(outcome == Folder::Outcome::kValue);
      const Reg reg = WholeReg(dest);
      LoadValue(value, reg);
      return Deliver(dest, reg);
    }
    case ExprKind::kFormat:
      return Format(As<FormatExpr>(expr), dest);
    case ExprKind::kName:
      return Name(As<NameExpr>(expr), dest);
    case ExprKind::kList:
      return List(As<ListExpr>(expr), dest);
    case ExprKind::kHash:
      return Hash(As<HashExpr>(expr), dest);
    case ExprKind::kUnary:
      return Unary(As<UnaryExpr>(expr), dest);
    case ExprKind::kBinary:
      return Binary(As<BinaryExpr>(expr), dest);
    case ExprKind::kPipe:
      return Pipe(As<PipeExpr>(expr), dest);
    case ExprKind::kAssign:
      return Assign(As<AssignExpr>(expr), dest);
    case ExprKind::kCall: {
      const auto& call = As<CallExpr>(expr);
      return Call({.callee = call.callee.get(), .arguments = call.arguments, .offset = expr.span.begin}, dest);
    }
    case ExprKind::kIndex:
      return Index(As<IndexExpr>(expr), dest);
    case ExprKind::kSlice:
      return Slice(As<SliceExpr>(expr), dest);
    case ExprKind::kField:
      return Field(As<FieldExpr>(expr), dest);
    case ExprKind::kFunction:
      return Closure(As<FunctionExpr>(expr), dest);
    case ExprKind::kBlock:
      return Block(As<BlockExpr>(expr), dest);
    case ExprKind::kIf:
      return If(As<IfExpr>(expr), dest);
    case ExprKind::kFor:
      return For(As<ForExpr>(expr), dest);
    case ExprKind::kWhile:
      return While(As<WhileExpr>(expr), dest);
    case ExprKind::kTry:
      return Try(As<TryExpr>(expr), dest);
    case ExprKind::kBreak:
      return LeaveLoop(true, expr.span.begin);
    case ExprKind::kContinue:
      return LeaveLoop(false, expr.span.begin);
    case ExprKind::kReturn:
      return Return(As<ReturnExpr>(expr));
  }
}

// The register of a local variable; kNoReg: the expression is none.
Reg Codegen::VariableOf(const Expr& expr) const {
  if (expr.kind != ExprKind::kName) return kNoReg;
  const Reg reg = LocalOf(As<NameExpr>(expr).name);
  return reg == kSelfFunction ? kNoReg : reg;
}

// Do operands in [from, until) of the source assign the variable?
bool Codegen::Reassigned(const Expr& name, uint32_t from, uint32_t until) const {
  if (from >= until || scope_.operand_assigns.empty() || TEAL_MUTANT("operand_not_copied")) return false;
  return scope_.AssignedWithin(program_.names.Intern(As<NameExpr>(name).name), from, until);
}

// The value in some register: a variable's own, or a new temporary. The operands that follow, before the value is used,
// end at `until`: a variable that they assign is copied.
Reg Codegen::Any(const Expr& expr, uint32_t until) {
  const Expr& variable = expr.kind == ExprKind::kAssign ? *As<AssignExpr>(expr).target : expr;
  const Reg reg = VariableOf(variable);
  if (reg != kNoReg && !Reassigned(variable, expr.span.end, until)) {
    if (expr.kind == ExprKind::kAssign) Gen(expr, Dest::None());
    return reg;
  }
  const Reg temp = NewTemp();
  Gen(expr, Dest::Temp(temp));
  return temp;
}

// An operand of a window, whose last operand ends at `until`. A variable may have to wait for CloseWindow.
void Codegen::Operand(const Expr& expr, Reg to, uint32_t until) {
  if (optimize_ && VariableOf(expr) != kNoReg && !Reassigned(expr, expr.span.end, until)) {
    pending_.emplace_back(&expr, to);
  } else {
    Gen(expr, Dest::Temp(to));
  }
}

// All operands are evaluated; `pending` is the size that pending_ had when the window was begun.
void Codegen::CloseWindow(size_t pending) {
  for (size_t i = pending; i < pending_.size(); ++i) Gen(*pending_[i].first, Dest::Temp(pending_[i].second));
  pending_.resize(pending);
}

void Codegen::Name(const NameExpr& name, Dest dest) {
  if (dest.kind == Dest::Kind::kNone) return;
  const Reg reg = LocalOf(name.name);
  if (reg == kSelfFunction) {
    TempScope scope(*this);
    const Reg to = WholeReg(dest);
    code_.Emit(vm::kLoadFunction, to, scope_.index);
    return Deliver(dest, to);
  }
  if (reg != kNoReg) return Deliver(dest, reg);
  Global* global = FindGlobal(program_, *scope_.unit, program_.names.Intern(name.name));
  assert(global != nullptr);
  GlobalValue(name, *global, dest);
}

void Codegen::GlobalValue(const Expr& expr, Global& global, Dest dest) {
  if (dest.kind == Dest::Kind::kNone) return;
  TempScope scope(*this);
  const Reg to = WholeReg(dest);
  code_.At(expr.span.begin);
  switch (global.kind) {
    case GlobalKind::kFunction:
      code_.Emit(vm::kLoadFunction, to, ValueForm(program_, global)->index);
      break;
    case GlobalKind::kConstant:
      LoadValue(global.value, to);
      break;
    case GlobalKind::kForeign:
      code_.Emit(vm::kLoadForeign, to, global.index);
      break;
    case GlobalKind::kBuiltin:
      code_.Emit(vm::kLoadBuiltin, to, global.index);
      break;
    case GlobalKind::kModule:
    case GlobalKind::kApply:
      assert(false && "no value");
      break;
  }
  Deliver(dest, to);
}

void Codegen::Assign(const AssignExpr& assign, Dest dest) {
  const Reg reg = LocalOf(As<NameExpr>(*assign.target).name);
  assert(reg != kNoReg && reg != kSelfFunction);
  Gen(*assign.value, Dest::Variable(reg));
  if (dest.kind != Dest::Kind::kNone) Deliver(dest, reg);
}

void Codegen::Unary(const UnaryExpr& unary, Dest dest) {
  TempScope scope(*this);
  if (unary.op == UnaryOp::kAsync) {
    assert(unary.operand->kind == ExprKind::kCall);
    const auto& call = As<CallExpr>(*unary.operand);
    return Spawn({.callee = call.callee.get(), .arguments = call.arguments, .offset = unary.op_span.begin}, dest);
  }
  const Reg to = WholeReg(dest);
  if (unary.op == UnaryOp::kNegate && unary.operand->kind == ExprKind::kInt &&
      As<IntExpr>(*unary.operand).magnitude == uint64_t{1} << 63) {
    // The one literal that is written with an operator: without it, it fits no integer.
    LoadValue(Value::Int(INT64_MIN), to);
    return Deliver(dest, to);
  }
  Reg operand;
  if (dest.kind == Dest::Kind::kVariable) {
    operand = Any(*unary.operand);
  } else if (unary.operand->kind == ExprKind::kName) {
    operand = Any(*unary.operand);
  } else {
    operand = to;
    Gen(*unary.operand, Dest::Temp(to));
  }
  code_.At(unary.op_span.begin);
  const vm::Opcode op = unary.op == UnaryOp::kNegate ? vm::kNegate : unary.op == UnaryOp::kNot ? vm::kNot : vm::kAwait;
  code_.Emit(op, to, operand);
  Deliver(dest, to);
}

// to = left op right, where right is evaluated first.
void Codegen::Step(BinaryOp op, Reg to, Reg left, const Expr& right) {
  const uint32_t at = code_.offset();
  Value value;
  if (Folded(right, &value) && ConstantOp(op) != vm::kNop) {
    code_.At(at);
    if (op == BinaryOp::kAdd && FitsImm(value)) return code_.Emit(vm::kAddImm, to, left, Imm(value.AsInt()));
    if (op == BinaryOp::kSub && FitsImm(value)) {
      // Not as the addition of its negative: -0.0 - 0 is -0.0, but -0.0 + 0 is 0.0, and errors name what was written.
      if (TEAL_MUTANT("minus_zero_is_plus_zero")) return code_.Emit(vm::kAddImm, to, left, Imm(-value.AsInt()));
      return code_.Emit(vm::kSubImm, to, left, Imm(value.AsInt()));
    }
    const uint32_t index = program_.constants.Add(value);
    if (index < kNarrowConstants) return code_.Emit(ConstantOp(op), to, left, index);
  }
  TempScope scope(*this);
  Reg other = Any(right);
  code_.At(at);
  if ((op == BinaryOp::kGt || op == BinaryOp::kGe) && !TEAL_MUTANT("greater_not_swapped")) std::swap(left, other);
  code_.Emit(RegisterOp(op), to, left, other);
}

void Codegen::Binary(const BinaryExpr& binary, Dest dest) {
  if (binary.ops[0] == BinaryOp::kAnd || binary.ops[0] == BinaryOp::kOr) return Logical(binary, dest);
  TempScope scope(*this);
  const Reg to = WholeReg(dest);
  // Values on the way to a variable must not show in it.
  const Reg between = dest.kind == Dest::Kind::kVariable && binary.ops.size() > 1 ? NewTemp() : to;
  // As much of the chain as is constant is computed here.
  size_t i = 0;
  Value value;
  Reg left;
  if (Folded(*binary.operands[0], &value)) {
    for (; i < binary.ops.size(); ++i) {
      Value right, result;
      if (!Folded(*binary.operands[i + 1], &right) || !Folder::Apply(binary.ops[i], value, right, &result)) break;
      value = std::move(result);
    }
    left = between != to || dest.kind != Dest::Kind::kVariable ? between : NewTemp();
    LoadValue(value, left);
  } else if (binary.operands[0]->kind == ExprKind::kName || binary.operands[0]->kind == ExprKind::kAssign ||
             dest.kind == Dest::Kind::kVariable) {
    left = Any(*binary.operands[0], binary.operands[1]->span.end);
  } else {
    left = between;
    Gen(*binary.operands[0], Dest::Temp(left));
  }
  for (; i < binary.ops.size(); ++i) {
    const bool last = i + 1 == binary.ops.size();
    const Reg into = last ? to : between;
    code_.At(binary.op_spans[i].begin);
    Step(binary.ops[i], into, left, *binary.operands[i + 1]);
    left = into;
  }
  Deliver(dest, left);
}

// assert(left op right): both values are kept until it is clear that no error has to name them.
void Codegen::AssertComparison(const BinaryExpr& comparison, uint32_t offset, Dest dest) {
  TempScope scope(*this);
  const BinaryOp op = comparison.ops[0];
  const Reg holds = NewTemp(3);
  const Reg left = holds + 1, right = holds + 2;
  const size_t pending = pending_.size();
  Operand(*comparison.operands[0], left, comparison.span.end);
  Operand(*comparison.operands[1], right, comparison.span.end);
  CloseWindow(pending);
  code_.At(comparison.op_spans[0].begin);
  const bool swapped = op == BinaryOp::kGt || op == BinaryOp::kGe;
  code_.Emit(RegisterOp(op), holds, swapped ? right : left, swapped ? left : right);
  const Label good = code_.NewLabel();
  code_.JumpIf(vm::kJumpIfTrue, holds, good);
  code_.At(offset);
  LoadValue(vm::MakeString(kBinaryTexts[static_cast<size_t>(op)]), holds);
  code_.Emit(vm::kCallBuiltin, holds, 3, vm::kBuiltin___unmet);
  code_.Bind(good);
  Deliver(dest, holds);
}

void Codegen::Logical(const BinaryExpr& binary, Dest dest) {
  const vm::Opcode leave = binary.ops[0] == BinaryOp::kAnd ? vm::kJumpIfFalse : vm::kJumpIfTrue;
  TempScope scope(*this);
  // A variable keeps its old value until the whole is decided.
  const Reg to =
      dest.kind == Dest::Kind::kTemp || (dest.IsReg() && TEAL_MUTANT("and_shows_in_variable")) ? dest.reg : NewTemp();
  const Label end = code_.NewLabel();
  for (size_t i = 0; i < binary.operands.size(); ++i) {
    if (i + 1 == binary.operands.size() && dest.kind == Dest::Kind::kTail) {
      // The last operand may be a tail call.
      Gen(*binary.operands[i], Dest::Tail());
      break;
    }
    Gen(*binary.operands[i], Dest::Temp(to));
    if (i + 1 < binary.operands.size()) code_.JumpIf(leave, to, end);
  }
  code_.Bind(end);
  Deliver(dest, to);
}

void Codegen::List(const ListExpr& list, Dest dest) {
  TempScope scope(*this);
  const size_t count = list.items.size();
  const bool long_one = count > kBatch;
  const Reg to = long_one && dest.kind == Dest::Kind::kVariable ? NewTemp() : WholeReg(dest);
  for (size_t done = 0; done < count || done == 0;) {
    TempScope batch(*this);
    const size_t size = std::min(kBatch, count - done);
    const Reg first = next_;
    const size_t pending = pending_.size();
    const uint32_t until = size == 0 ? 0 : list.items[done + size - 1]->span.end;
    for (size_t i = 0; i < size; ++i) Operand(*list.items[done + i], NewTemp(), until);
    CloseWindow(pending);
    code_.At(list.span.begin);
    if (done == 0) {
      code_.Emit(vm::kNewList, to, size == 0 ? to : first, static_cast<uint32_t>(size));
    } else {
      code_.Emit(vm::kNewList, first, first, static_cast<uint32_t>(size));
      code_.Emit(vm::kAdd, to, TEAL_MUTANT("long_list_backwards") ? first : to,
                 TEAL_MUTANT("long_list_backwards") ? to : first);
    }
    done += size;
    if (count == 0) break;
  }
  Deliver(dest, to);
}

void Codegen::Hash(const HashExpr& hash, Dest dest) {
  TempScope scope(*this);
  const size_t count = hash.entries.size();
  const bool long_one = count > kBatch;
  // merge() takes both of its arguments from neighbouring registers and gives the first.
  const Reg to = long_one ? NewTemp() : WholeReg(dest);
  for (size_t done = 0; done < count || done == 0;) {
    TempScope batch(*this);
    const size_t size = std::min(kBatch, count - done);
    const Reg first = next_;
    const size_t pending = pending_.size();
    const uint32_t until = size == 0 ? 0 : hash.entries[done + size - 1].second->span.end;
    for (size_t i = 0; i < size; ++i) {
      Operand(*hash.entries[done + i].first, NewTemp(), until);
      Operand(*hash.entries[done + i].second, NewTemp(), until);
    }
    CloseWindow(pending);
    code_.At(hash.span.begin);
    if (done == 0) {
      code_.Emit(vm::kNewHash, to, size == 0 ? to : first, static_cast<uint32_t>(size));
    } else {
      assert(first == to + 1);
      code_.Emit(vm::kNewHash, first, first, static_cast<uint32_t>(size));
      code_.Emit(vm::kCallBuiltin, to, 2, vm::kBuiltin_merge);
    }
    done += size;
    if (count == 0) break;
  }
  Deliver(dest, to);
}

void Codegen::Format(const FormatExpr& format, Dest dest) {
  TempScope scope(*this);
  const Reg to = WholeReg(dest);
  const Reg first = next_;
  const auto join = [&] {
    code_.At(format.span.begin);
    code_.Emit(vm::kFormat, first, first, next_ - first);
    next_ = first + 1;
  };
  const auto literal = [&](const std::string& text) {
    if (text.empty()) return;
    if (next_ - first >= kBatch) join();
    LoadValue(vm::MakeString(text), NewTemp());
  };
  literal(format.literals[0]);
  for (size_t i = 0; i < format.parts.size(); ++i) {
    if (next_ - first >= kBatch) join();
    Gen(*format.parts[i], Dest::Temp(NewTemp()));
    literal(format.literals[i + 1]);
  }
  code_.At(format.span.begin);
  code_.Emit(vm::kFormat, to, next_ == first ? to : first, next_ - first);
  Deliver(dest, to);
}

void Codegen::Index(const IndexExpr& index, Dest dest) {
  TempScope scope(*this);
  const Reg to = WholeReg(dest);
  const Reg object = Any(*index.object, index.index->span.end);
  Value value;
  if (Folded(*index.index, &value) && FitsImm(value)) {
    code_.At(index.span.begin);
    code_.Emit(vm::kIndexImm, to, object, Imm(value.AsInt()));
  } else {
    const Reg at = Any(*index.index);
    code_.At(index.span.begin);
    code_.Emit(vm::kIndex, to, object, at);
  }
  Deliver(dest, to);
}

void Codegen::Slice(const SliceExpr& slice, Dest dest) {
  TempScope scope(*this);
  const Reg to = WholeReg(dest);
  const Reg base = next_;
  const size_t pending = pending_.size();
  for (const ExprPtr* part : {&slice.object, &slice.from, &slice.to}) {
    const Reg reg = NewTemp();
    if (*part != nullptr) {
      Operand(**part, reg, slice.span.end);
    } else {
      code_.Emit(vm::kLoadNull, reg);
    }
  }
  CloseWindow(pending);
  code_.At(slice.span.begin);
  code_.Emit(vm::kSlice, to, base);
  Deliver(dest, to);
}

void Codegen::Field(const FieldExpr& field, Dest dest) {
  Unit* module = nullptr;
  Global* member = FindMember(program_, *scope_.unit, field, &module);
  if (module != nullptr) {
    assert(member != nullptr);
    GlobalValue(field, *member, dest);
    return;
  }
  TempScope scope(*this);
  const Reg to = WholeReg(dest);
  const Reg object = Any(*field.object);
  code_.At(field.field.span.begin);
  if (!code_.reachable()) return;
  const uint32_t name = program_.constants.Text(field.field.text);
  if (name >= kNarrowConstants) return Fail("this program has too many different constants");
  code_.Emit(vm::kField, to, object, name);
  Deliver(dest, to);
}

void Codegen::Closure(const FunctionExpr& function, Dest dest) {
  FunctionScope* made = nullptr;
  for ([[maybe_unused]] size_t tried = 0; made == nullptr; ++tried) {
    assert(tried < scope_.closures.size());
    FunctionScope* next = scope_.closures[closures_];
    closures_ = (closures_ + 1) % scope_.closures.size();
    if (next->closure == &function) made = next;
  }
  TempScope scope(*this);
  const Reg to = WholeReg(dest);
  if (made->captures.empty() && !NeedsSelfRegister(*made)) {
    code_.Emit(vm::kLoadFunction, to, made->index);
    return Deliver(dest, to);
  }
  const Reg first = next_;
  for (const NameId name : made->captures) {
    const Reg from = registers_of_[name];
    assert(from != kNoReg);
    const Reg temp = NewTemp();
    if (from == kSelfFunction) {
      code_.Emit(vm::kLoadFunction, temp, scope_.index);
    } else {
      code_.Move(temp, from);
    }
  }
  code_.At(function.span.begin);
  code_.Emit(vm::kClosure, to, made->index, made->captures.empty() ? to : first);
  Deliver(dest, to);
}

void Codegen::Pipe(const PipeExpr& pipe, Dest dest) {
  TempScope scope(*this);
  const Reg value = dest.kind == Dest::Kind::kTemp && dest.reg + 1 == next_ ? dest.reg : NewTemp();
  const Expr& start = *pipe.stages[0];
  size_t i = 1;
  if (optimize_ && VariableOf(start) != kNoReg && pipe.stages[1]->kind == ExprKind::kCall) {
    // x |> f(y) is f(x, y): the variable takes part in the call's window as any other argument.
    const auto& call = As<CallExpr>(*pipe.stages[1]);
    next_ = value + 1;
    Call({.callee = call.callee.get(), .arguments = call.arguments, .first = &start, .offset = call.span.begin},
         pipe.stages.size() == 2 ? dest : Dest::Temp(value));
    i = 2;
  } else {
    Gen(start, Dest::Temp(value));
  }
  for (; i < pipe.stages.size(); ++i) {
    const bool last = i + 1 == pipe.stages.size();
    const Dest stage_dest = last ? dest : Dest::Temp(value);
    const Expr& stage = *pipe.stages[i];
    next_ = value + 1;
    if (stage.kind == ExprKind::kCall) {
      const auto& call = As<CallExpr>(stage);
      Call({.callee = call.callee.get(), .arguments = call.arguments, .piped = value, .offset = stage.span.begin},
           stage_dest);
    } else if (stage.kind == ExprKind::kUnary && As<UnaryExpr>(stage).op == UnaryOp::kAwait &&
               As<UnaryExpr>(stage).operand == nullptr) {
      code_.At(stage.span.begin);
      code_.Emit(vm::kAwait, value, value);
      if (last) Deliver(stage_dest, value);
    } else {
      Call({.callee = &stage, .arguments = {}, .piped = value, .offset = stage.span.begin}, stage_dest);
    }
  }
}

}  // namespace teal::lang

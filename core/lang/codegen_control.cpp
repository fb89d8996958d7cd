// Blocks, conditions, loops, return.
#include <cassert>

#include "core/base/mutant.h"
#include "core/lang/codegen.h"
#include "core/vm/builtins.h"

namespace teal::lang {

using vm::Value;

namespace {

bool FitsImm(const Value& value) {
  return value.IsInt() && value.AsInt() >= INT16_MIN && value.AsInt() <= INT16_MAX;
}

bool IsComparison(const Expr& expr) {
  return expr.kind == ExprKind::kBinary && As<BinaryExpr>(expr).ops.size() == 1 &&
         As<BinaryExpr>(expr).ops[0] >= BinaryOp::kEq && As<BinaryExpr>(expr).ops[0] <= BinaryOp::kGe;
}

// a op b == b Mirrored(op) a
BinaryOp Mirrored(BinaryOp op) {
  switch (op) {
    case BinaryOp::kLt:
      return BinaryOp::kGt;
    case BinaryOp::kLe:
      return BinaryOp::kGe;
    case BinaryOp::kGt:
      return BinaryOp::kLt;
    case BinaryOp::kGe:
      return BinaryOp::kLe;
    default:
      return op;
  }
}

}  // namespace

void Codegen::Block(const BlockExpr& block, Dest dest) {
  const size_t count = block.statements.size();
  for (size_t i = 0; i + 1 < count; ++i) {
    TempScope scope(*this);
    Gen(*block.statements[i], Dest::None());
  }
  if (count == 0) return Null(dest);
  Gen(*block.statements.back(), dest);
}

void Codegen::If(const IfExpr& expr, Dest dest) {
  const Label end = code_.NewLabel();
  bool decided = false;  // a clause holds always
  for (size_t i = 0; i < expr.clauses.size() && !decided; ++i) {
    const IfExpr::Clause& clause = expr.clauses[i];
    Value value;
    if (Folded(*clause.condition, &value)) {
      if (!value.Truthy()) continue;
      Block(*clause.body, dest);
      decided = true;
      break;
    }
    const Label next = code_.NewLabel();
    Branch(*clause.condition, false, next);
    {
      TempScope scope(*this);
      Block(*clause.body, dest);
    }
    const bool last = i + 1 == expr.clauses.size() && expr.otherwise == nullptr && dest.kind == Dest::Kind::kNone;
    if (!last) code_.Jump(end);
    code_.Bind(next);
  }
  if (!decided) {
    TempScope scope(*this);
    if (expr.otherwise != nullptr) {
      Block(*expr.otherwise, dest);
    } else {
      code_.At(expr.span.begin);
      if (!TEAL_MUTANT("missing_else_keeps_value") || !dest.IsReg()) Null(dest);
    }
  }
  code_.Bind(end);
}

// Jumps to label when the condition is `when`, else goes on.
void Codegen::Branch(const Expr& condition, bool when, Label label) {
  TempScope scope(*this);
  Value value;
  if (Folded(condition, &value)) {
    if (value.Truthy() == when) code_.Jump(label);
    return;
  }
  if (optimize_ && condition.kind == ExprKind::kUnary && As<UnaryExpr>(condition).op == UnaryOp::kNot) {
    return Branch(*As<UnaryExpr>(condition).operand, !when, label);
  }
  if (condition.kind == ExprKind::kBinary && As<BinaryExpr>(condition).ops[0] <= BinaryOp::kAnd) {
    const auto& chain = As<BinaryExpr>(condition);
    // The value of an operand that ends the chain: true for ||, false for &&.
    const bool ends_on = chain.ops[0] == BinaryOp::kOr;
    const Label skip = code_.NewLabel();
    for (size_t i = 0; i + 1 < chain.operands.size(); ++i) {
      Branch(*chain.operands[i], ends_on, ends_on == when || TEAL_MUTANT("branch_skips_wrongly") ? label : skip);
    }
    Branch(*chain.operands.back(), when, label);
    code_.Bind(skip);
    return;
  }
  if (optimize_ && !wide_ && IsComparison(condition) && BranchCompare(As<BinaryExpr>(condition), when, label)) return;
  const Reg reg = Any(condition);
  code_.At(condition.span.begin);
  code_.JumpIf(when ? vm::kJumpIfTrue : vm::kJumpIfFalse, reg, label);
}

bool Codegen::BranchCompare(const BinaryExpr& binary, bool when, Label label) {
  if (!code_.reachable()) return true;
  const Expr* left = binary.operands[0].get();
  const Expr* right = binary.operands[1].get();
  BinaryOp op = binary.ops[0];
  const uint32_t at = binary.op_spans[0].begin;
  Value value;
  bool constant = Folded(*right, &value);
  if (!constant && Folded(*left, &value)) {
    constant = true;
    std::swap(left, right);
    if (!TEAL_MUTANT("compare_not_mirrored")) op = Mirrored(op);
  }
  const bool equality = op == BinaryOp::kEq || op == BinaryOp::kNe;
  const bool equal_jump = (op == BinaryOp::kEq) == when;
  if (constant && FitsImm(value) && (equality || op == BinaryOp::kLt || op == BinaryOp::kGt)) {
    const Reg reg = Any(*left);
    code_.At(at);
    const vm::Opcode code = equality              ? (equal_jump ? vm::kJumpEqualImm : vm::kJumpNotEqualImm)
                            : op == BinaryOp::kLt ? (when ? vm::kJumpLessImm : vm::kJumpNotLessImm)
                                                  : (when ? vm::kJumpGreaterImm : vm::kJumpNotGreaterImm);
    code_.JumpCompare(code, reg, static_cast<uint16_t>(static_cast<int16_t>(value.AsInt())), label);
    return true;
  }
  if (constant && equality) {
    const uint32_t index = program_.constants.Add(value);
    if (index <= UINT16_MAX) {
      const Reg reg = Any(*left);
      code_.At(at);
      code_.JumpCompare(equal_jump ? vm::kJumpEqualConst : vm::kJumpNotEqualConst, reg, index, label);
      return true;
    }
  }
  Reg a = Any(*binary.operands[0], binary.operands[1]->span.end);
  Reg b = Any(*binary.operands[1]);
  op = binary.ops[0];
  if (op == BinaryOp::kGt || op == BinaryOp::kGe) {
    std::swap(a, b);
    op = Mirrored(op);
  }
  code_.At(at);
  const vm::Opcode code = equality              ? (equal_jump ? vm::kJumpEqual : vm::kJumpNotEqual)
                          : op == BinaryOp::kLt ? (when ? vm::kJumpLess : vm::kJumpNotLess)
                                                : (when ? vm::kJumpLessEqual : vm::kJumpNotLessEqual);
  code_.JumpCompare(code, a, b, label);
  return true;
}

void Codegen::While(const WhileExpr& loop, Dest dest) {
  const Label body = code_.NewLabel();
  const Label test = code_.NewLabel();
  const Label end = code_.NewLabel();
  Value value;
  const bool constant = Folded(*loop.condition, &value);
  const bool entered = code_.reachable() && (!constant || value.Truthy());
  if (entered) {
    if (!constant) code_.Jump(test);
    // The head is known to be jumped to: the test below does, whatever the body does.
    code_.BindLoopHead(body, !constant);
    Region& region = regions_.emplace_back();
    region.loop = true;
    region.break_to = end;
    region.continue_to = constant ? body : test;
    {
      TempScope scope(*this);
      Block(*loop.body, Dest::None());
    }
    regions_.pop_back();
    code_.At(loop.condition->span.begin);
    if (constant) {
      code_.Jump(body);
    } else {
      code_.Bind(test);
      Branch(*loop.condition, true, body);
    }
  }
  code_.Bind(end);
  code_.At(loop.span.begin);
  Null(dest);
}

void Codegen::LoopBody(const ForExpr& loop, Reg first, Label continue_to, Label end) {
  Region& region = regions_.emplace_back();
  region.loop = true;
  region.break_to = end;
  region.continue_to = continue_to;
  BindBlockName(loop.first, first);
  if (loop.second) BindBlockName(*loop.second, first + 1);
  {
    TempScope scope(*this);
    Block(*loop.body, Dest::None());
  }
  UnbindBlockNames(loop.second ? 2 : 1);
  regions_.pop_back();
}

// for i in range(…), where range is the builtin: counts without a list.
bool Codegen::ForRange(const ForExpr& loop) {
  if (!optimize_ || loop.second || loop.subject->kind != ExprKind::kCall) return false;
  const auto& call = As<CallExpr>(*loop.subject);
  const Callee callee = Resolve(*call.callee);
  if (callee.kind != Callee::Kind::kBuiltin || callee.index != vm::kBuiltin_range) return false;
  const size_t count = call.arguments.size();
  if (count < 1 || count > 3) return false;
  const Reg base = NewTemp(4);
  next_ = base;
  const auto load = [&](int64_t value) { LoadValue(Value::Int(value), NewTemp()); };
  if (count == 1) load(0);
  for (const Argument& argument : call.arguments) Gen(*argument.value, Dest::Temp(NewTemp()));
  if (count < 3) load(1);
  next_ = base + 4;
  const Label body = code_.NewLabel();
  const Label again = code_.NewLabel();
  const Label end = code_.NewLabel();
  code_.At(call.span.begin);
  code_.JumpIf(vm::kRangePrepare, base, end);
  code_.BindLoopHead(body);
  LoopBody(loop, base + 3, again, end);
  code_.Bind(again);
  code_.At(loop.span.begin);
  code_.JumpIf(vm::kRangeLoop, base, body);
  code_.Bind(end);
  return true;
}

void Codegen::For(const ForExpr& loop, Dest dest) {
  TempScope scope(*this);
  if (!ForRange(loop)) {
    const Reg base = NewTemp(loop.second ? 4 : 3);
    const Reg above = next_;
    next_ = base + 1;
    Gen(*loop.subject, Dest::Temp(base));
    next_ = above;
    if (!code_.reachable()) return;
    const Label body = code_.NewLabel();
    const Label next = code_.NewLabel();
    const Label end = code_.NewLabel();
    code_.At(loop.subject->span.begin);
    code_.Emit(vm::kIterPrepare, base, loop.second ? 2 : 1);
    code_.Jump(next);
    code_.BindLoopHead(body, true);
    LoopBody(loop, base + 2, next, end);
    code_.Bind(next);
    code_.At(loop.subject->span.begin);
    code_.JumpIf(loop.second ? vm::kIterNext2 : vm::kIterNext1, base, body);
    code_.Bind(end);
    // A reference left behind would make the next change of the collection copy it.
    if (optimize_) code_.Emit(vm::kLoadNull, base);
  }
  code_.At(loop.span.begin);
  Null(dest);
}

void Codegen::Return(const ReturnExpr& expr) {
  size_t finally = regions_.size();
  while (finally > 0 && regions_[finally - 1].loop) --finally;
  if (finally == 0 && (protected_ == 0 || TEAL_MUTANT("tail_call_inside_try"))) {
    if (expr.value == nullptr) return Null(Dest::Tail());
    return Gen(*expr.value, Dest::Tail());
  }
  TempScope scope(*this);
  // The value waits in the register of the innermost finally.
  Reg value = 0;
  if (finally > 0) {
    value = regions_[finally - 1].value;
    if (expr.value != nullptr) {
      Gen(*expr.value, Dest::Variable(value));
    } else {
      code_.Emit(vm::kLoadNull, value);
    }
  } else if (expr.value != nullptr) {
    value = Any(*expr.value);
  } else {
    return code_.Emit(vm::kReturnNull, 0);
  }
  code_.At(expr.span.begin);
  Exit({Region::Exit::Kind::kReturn, 0}, regions_.size(), value);
}

void Codegen::LeaveLoop(bool is_break, uint32_t offset) {
  size_t loop = regions_.size();
  while (loop > 0 && !regions_[loop - 1].loop) --loop;
  assert(loop > 0);
  code_.At(offset);
  Exit({is_break ? Region::Exit::Kind::kBreak : Region::Exit::Kind::kContinue, loop - 1}, regions_.size(), 0);
}

// Leaves the innermost `depth` regions: by way of the next finally, else directly. value: what is returned; where there
// is a finally, it is that finally's register already.
void Codegen::Exit(Region::Exit exit, size_t depth, Reg value) {
  if (!code_.reachable()) return;
  const bool returns = exit.kind == Region::Exit::Kind::kReturn;
  const size_t stop = returns ? 0 : exit.loop + 1;
  for (size_t i = depth; i > stop; --i) {
    Region& region = regions_[i - 1];
    if (region.loop) continue;
    if (TEAL_MUTANT("break_skips_finally") && exit.kind == Region::Exit::Kind::kBreak) continue;
    if (TEAL_MUTANT("return_skips_finally") && returns) continue;
    if (returns) code_.Move(region.value, value);
    size_t number = 0;
    while (number < region.exits.size() &&
           (region.exits[number].kind != exit.kind || region.exits[number].loop != exit.loop)) {
      ++number;
    }
    if (number == region.exits.size()) region.exits.push_back(exit);
    LoadValue(Value::Int(static_cast<int64_t>(number) + kFirstExit), region.reason);
    return code_.Jump(region.entry);
  }
  if (returns) return code_.Emit(vm::kReturn, value);
  const Region& loop = regions_[exit.loop];
  code_.Jump(exit.kind == Region::Exit::Kind::kBreak ? loop.break_to : loop.continue_to);
}

}  // namespace teal::lang

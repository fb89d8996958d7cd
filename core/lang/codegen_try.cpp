// try, catch, finally.
//
// A finally body exists once. Whoever leaves the protected code says why in the `reason` register (kReasonNormal,
// kReasonError, or the number of an exit) and jumps to it; a pending error or return value waits in `value`. Behind the
// body the reason decides where to go on. An error in the body itself comes to a handler of its own, which notes the
// pending error in the new one.
#include <cassert>

#include "core/base/mutant.h"
#include "core/lang/codegen.h"

namespace teal::lang {
namespace {

constexpr int64_t kReasonNormal = 0;
constexpr int64_t kReasonError = 1;

// Does a guard name the kind `cancelled`, as a string or a symbol? Only then does its clause catch a cancellation.
bool NamesCancelled(const Expr* expr) {
  if (expr == nullptr) return false;
  switch (expr->kind) {
    case ExprKind::kString:
      return As<StringExpr>(*expr).value == "cancelled";
    case ExprKind::kSymbol:
      return As<SymbolExpr>(*expr).name == "cancelled";
    case ExprKind::kUnary:
      return NamesCancelled(As<UnaryExpr>(*expr).operand.get());
    case ExprKind::kBinary:
      for (const ExprPtr& operand : As<BinaryExpr>(*expr).operands) {
        if (NamesCancelled(operand.get())) return true;
      }
      return false;
    case ExprKind::kList:
      for (const ExprPtr& item : As<ListExpr>(*expr).items) {
        if (NamesCancelled(item.get())) return true;
      }
      return false;
    case ExprKind::kHash:
      for (const auto& [key, value] : As<HashExpr>(*expr).entries) {
        if (NamesCancelled(key.get()) || NamesCancelled(value.get())) return true;
      }
      return false;
    case ExprKind::kCall: {
      const auto& call = As<CallExpr>(*expr);
      for (const Argument& argument : call.arguments) {
        if (NamesCancelled(argument.value.get())) return true;
      }
      return NamesCancelled(call.callee.get());
    }
    case ExprKind::kPipe:
      for (const ExprPtr& stage : As<PipeExpr>(*expr).stages) {
        if (NamesCancelled(stage.get())) return true;
      }
      return false;
    case ExprKind::kIndex:
      return NamesCancelled(As<IndexExpr>(*expr).object.get()) || NamesCancelled(As<IndexExpr>(*expr).index.get());
    case ExprKind::kField:
      return NamesCancelled(As<FieldExpr>(*expr).object.get());
    case ExprKind::kAssign:
      return NamesCancelled(As<AssignExpr>(*expr).value.get());
    default:
      return false;
  }
}

}  // namespace

void Codegen::Try(const TryExpr& expr, Dest dest) {
  if (!code_.reachable()) return;
  TempScope scope(*this);
  const bool has_finally = expr.finally != nullptr;
  // The value is made in a temporary and delivered when nothing can go wrong any more.
  Dest inner = Dest::None();
  if (dest.kind != Dest::Kind::kNone) inner = Dest::Temp(dest.kind == Dest::Kind::kTemp ? dest.reg : NewTemp());
  if (!has_finally) {
    Clauses(expr, dest, inner);
  } else {
    Region& region = regions_.emplace_back();
    region.entry = code_.NewLabel();
    region.value = NewTemp(2);  // kSuppress wants the new error beside it
    region.reason = NewTemp();
    ++protected_;
    const uint32_t from = code_.pc();
    Clauses(expr, Dest::None(), inner);
    const uint32_t to = code_.pc();
    --protected_;
    const Region done = std::move(regions_.back());
    regions_.pop_back();
    Finally(expr, done, from, to);
  }
  if (dest.kind != Dest::Kind::kNone) Deliver(dest, inner.reg);
}

// The body and its clauses. Values go to `inner`; dest: a clause's value may be returned by a tail call instead.
void Codegen::Clauses(const TryExpr& expr, Dest dest, Dest inner) {
  if (expr.clauses.empty()) {
    TempScope scope(*this);
    return Block(*expr.body, inner);
  }
  TempScope scope(*this);
  const Reg error = NewTemp();
  const Label after = code_.NewLabel();
  const uint32_t from = code_.pc();
  ++protected_;
  {
    TempScope body(*this);
    Block(*expr.body, inner);
  }
  --protected_;
  const uint32_t to = code_.pc();
  code_.Jump(after);
  code_.Handle(from, to - (TEAL_MUTANT("handler_one_short") && to > from ? 1 : 0), error);
  const bool tail = dest.kind == Dest::Kind::kTail && protected_ == 0;
  for (const TryExpr::Clause& clause : expr.clauses) {
    if (!code_.reachable()) break;
    TempScope names(*this);
    const Label next = code_.NewLabel();
    code_.At(clause.span.begin);
    if (!NamesCancelled(clause.guard.get()) && !TEAL_MUTANT("catch_takes_cancelled"))
      code_.JumpIf(vm::kJumpCancelled, error, next);
    if (clause.name) {
      Reg name = error;
      if (clause.guard != nullptr) {
        // The guard may assign the name; the error is still needed when it fails.
        name = NewTemp();
        code_.Emit(vm::kMove, name, error);
      }
      BindBlockName(*clause.name, name);
    }
    if (clause.guard != nullptr && !TEAL_MUTANT("guards_ignored")) Branch(*clause.guard, false, next);
    Block(*clause.body, tail ? Dest::Tail() : inner);
    if (clause.name) UnbindBlockNames(1);
    code_.Jump(after);
    code_.Bind(next);
  }
  code_.At(expr.span.begin);
  code_.Emit(vm::kRaise, error);
  code_.Bind(after);
}

void Codegen::Finally(const TryExpr& expr, const Region& region, uint32_t from, uint32_t to) {
  const uint32_t at = expr.finally->span.begin;
  code_.At(at);
  LoadValue(vm::Value::Int(kReasonNormal), region.reason);
  code_.Jump(region.entry);
  code_.Handle(from, to, region.value);
  LoadValue(vm::Value::Int(kReasonError), region.reason);
  code_.Bind(region.entry);
  if (!code_.reachable()) return;
  const uint32_t body_from = code_.pc();
  ++protected_;
  {
    TempScope body(*this);
    Block(*expr.finally, Dest::None());
  }
  --protected_;
  const uint32_t body_to = code_.pc();
  const Label end = code_.NewLabel();
  code_.At(at);
  code_.JumpCompare(vm::kJumpEqualImm, region.reason, kReasonNormal, end);
  for (size_t i = 0; i < region.exits.size(); ++i) {
    const Label skip = code_.NewLabel();
    code_.JumpCompare(vm::kJumpNotEqualImm, region.reason, static_cast<uint32_t>(i) + kFirstExit, skip);
    Exit(region.exits[i], regions_.size(), region.value);
    code_.Bind(skip);
  }
  code_.Emit(vm::kRaise, region.value);
  code_.Handle(body_from, body_to, region.value + 1);
  const Label plain = code_.NewLabel();
  code_.JumpCompare(vm::kJumpNotEqualImm, region.reason, kReasonError, plain);
  code_.Emit(vm::kSuppress, region.value);
  code_.Bind(plain);
  code_.Emit(vm::kRaise, region.value + 1);
  code_.Bind(end);
}

}  // namespace teal::lang

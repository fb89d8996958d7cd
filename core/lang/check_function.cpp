#include "core/lang/check_function.h"

#include <cassert>
#include <cmath>

#include "core/base/mutant.h"
#include "core/lang/check.h"

namespace teal::lang {
namespace {

std::string KeyText(const Expr& key) {
  switch (key.kind) {
    case ExprKind::kNull:
      return "n";
    case ExprKind::kBool:
      return As<BoolExpr>(key).value ? "t" : "f";
    case ExprKind::kInt:
      return "i" + std::to_string(As<IntExpr>(key).magnitude);
    case ExprKind::kFloat: {
      // 1.0 and 1 are one key.
      const double value = As<FloatExpr>(key).value;
      if (value == std::floor(value) && value < 9e15) return "i" + std::to_string(static_cast<uint64_t>(value));
      return "d" + std::to_string(value);
    }
    case ExprKind::kString:
      return "s" + As<StringExpr>(key).value;
    case ExprKind::kSymbol:
      return ":" + As<SymbolExpr>(key).name;
    default:
      return "";
  }
}

}  // namespace

void FunctionChecker::Run(FunctionScope& top) {
  Function function;
  function.scope = &top;
  Walk(function);
  assert(now_ == nullptr);
}

void FunctionChecker::Closure([[maybe_unused]] const FunctionExpr& expr, [[maybe_unused]] NameId self) {
  FunctionScope& parent = *now_->scope;
  assert(now_->next_closure < parent.closures.size());
  FunctionScope& scope = *parent.closures[now_->next_closure++];
  assert(scope.closure == &expr && scope.self == self);
  Function function;
  function.scope = &scope;
  function.parent = now_;
  std::vector<Span> asyncs;
  asyncs.swap(asyncs_);
  const uint32_t awaits = awaits_;
  Walk(function);
  asyncs_.swap(asyncs);
  awaits_ = awaits;
}

void FunctionChecker::Walk(Function& function) {
  FunctionScope& scope = *function.scope;
  Function* const before = now_;
  now_ = &function;
  std::vector<std::pair<NameId, Variable*>> hidden;
  const auto bind = [&](NameId name) {
    Variable*& slot = Env(name);
    hidden.emplace_back(name, slot);
    Variable* variable = NewVariable(name, &function);
    variable->outer = slot;
    slot = variable;
    return variable;
  };
  const std::vector<Ident>& parameters = scope.ParameterIdents();
  for (size_t i = 0; i < parameters.size(); ++i) {
    CheckBinding(parameters[i]);
    for (size_t j = 0; j < i; ++j) {
      if (scope.parameters[j] != scope.parameters[i]) continue;
      Error(parameters[i].span, "duplicate parameter `" + parameters[i].text + "`", "give each parameter its own name");
      break;
    }
    Variable* variable = bind(scope.parameters[i]);
    variable->outer = nullptr;
    variable->seen = true;
  }
  if (scope.self != kNoName && (Env(scope.self) == nullptr || Env(scope.self)->owner != &function)) {
    Variable* variable = bind(scope.self);
    variable->outer = nullptr;
    variable->is_self = true;
    variable->seen = true;
  }
  int bits = 0;
  for (const NameId name : scope.locals) {
    if (Env(name) != nullptr && Env(name)->owner == &function) continue;  // itself
    bind(name)->bit = bits++;
  }
  function.flow.bits.assign(static_cast<size_t>(bits) / 64 + 1, 0);
  Block(scope.Body());
  while (!hidden.empty()) {
    Env(hidden.back().first) = hidden.back().second;
    hidden.pop_back();
  }
  now_ = before;
}

void FunctionChecker::Block(const BlockExpr& block) {
  bool told = false;
  for (const ExprPtr& statement : block.statements) {
    if (program_.diagnostics->Full()) return;
    Flow& flow = now_->flow;
    if (flow.ended_by != nullptr && !told && !TEAL_MUTANT("check_unreachable")) {
      const std::string word = flow.ended_by;
      Error(statement->span, "unreachable code after `" + word + "`",
            "remove it, or move it before the `" + word + "`");
      told = true;
      flow.ended_by = nullptr;
    }
    Visit(statement.get());
  }
}

void FunctionChecker::Visit(const Expr* expr) {
  if (expr == nullptr) return;
  switch (expr->kind) {
    case ExprKind::kNull:
    case ExprKind::kBool:
    case ExprKind::kFloat:
    case ExprKind::kString:
    case ExprKind::kSymbol:
    case ExprKind::kDuration:
      return;
    case ExprKind::kInt:
      if (As<IntExpr>(*expr).magnitude > static_cast<uint64_t>(INT64_MAX)) {
        Error(expr->span, "this integer does not fit in 64 bits",
              "integers go from -9223372036854775808 to 9223372036854775807; write a float, such as 1e19");
      }
      return;
    case ExprKind::kFormat:
      for (const ExprPtr& part : As<FormatExpr>(*expr).parts) Visit(part.get());
      return;
    case ExprKind::kName:
      return NameValue(As<NameExpr>(*expr));
    case ExprKind::kList:
      for (const ExprPtr& item : As<ListExpr>(*expr).items) Visit(item.get());
      return;
    case ExprKind::kHash:
      return HashKeys(As<HashExpr>(*expr));
    case ExprKind::kUnary:
      return Unary(As<UnaryExpr>(*expr));
    case ExprKind::kBinary: {
      const auto& binary = As<BinaryExpr>(*expr);
      if (binary.ops[0] == BinaryOp::kAnd || binary.ops[0] == BinaryOp::kOr) return Logical(binary);
      for (const ExprPtr& operand : binary.operands) Visit(operand.get());
      return;
    }
    case ExprKind::kPipe:
      return Pipe(As<PipeExpr>(*expr));
    case ExprKind::kAssign:
      return Assign(As<AssignExpr>(*expr));
    case ExprKind::kCall: {
      const auto& call = As<CallExpr>(*expr);
      return Call({call.callee.get(), call.arguments, false, expr->span});
    }
    case ExprKind::kIndex:
      Visit(As<IndexExpr>(*expr).object.get());
      return Visit(As<IndexExpr>(*expr).index.get());
    case ExprKind::kSlice:
      Visit(As<SliceExpr>(*expr).object.get());
      Visit(As<SliceExpr>(*expr).from.get());
      return Visit(As<SliceExpr>(*expr).to.get());
    case ExprKind::kField:
      return FieldValue(As<FieldExpr>(*expr));
    case ExprKind::kFunction:
      return Closure(As<FunctionExpr>(*expr), kNoName);
    case ExprKind::kBlock:
      return Block(As<BlockExpr>(*expr));
    case ExprKind::kIf:
      return If(As<IfExpr>(*expr));
    case ExprKind::kFor:
      return For(As<ForExpr>(*expr));
    case ExprKind::kWhile:
      return While(As<WhileExpr>(*expr));
    case ExprKind::kTry:
      return Try(As<TryExpr>(*expr));
    case ExprKind::kBreak:
      return Jump(*expr, "break");
    case ExprKind::kContinue:
      return Jump(*expr, "continue");
    case ExprKind::kReturn: {
      Visit(As<ReturnExpr>(*expr).value.get());
      if (now_->finally_depth > 0 && !TEAL_MUTANT("check_return_in_finally")) {
        Error(expr->span, "`return` in a `finally`",
              "a `finally` only cleans up: its value is dropped, and it cannot end the function");
        return;
      }
      now_->flow.End("return");
      return;
    }
  }
}

void FunctionChecker::Unary(const UnaryExpr& unary) {
  if (unary.operand == nullptr) {
    ++awaits_;
    return;
  }
  const Expr& operand = *unary.operand;
  switch (unary.op) {
    case UnaryOp::kNegate:
      if (operand.kind == ExprKind::kInt && As<IntExpr>(operand).magnitude == uint64_t{1} << 63) return;
      return Visit(&operand);
    case UnaryOp::kNot:
      return Visit(&operand);
    case UnaryOp::kAsync:
      asyncs_.push_back(unary.op_span);
      if (operand.kind == ExprKind::kCall) return Visit(&operand);
      if (NotCallable(operand)) return;
      Error(operand.span, "`async` needs a call",
            operand.kind == ExprKind::kName ? "write `async " + As<NameExpr>(operand).name + "(…)`"
                                            : "write `async f(…)`: the call is what the new thread runs");
      return Visit(&operand);
    case UnaryOp::kAwait:
      ++awaits_;
      if (operand.kind == ExprKind::kList && !As<ListExpr>(operand).items.empty()) {
        Warning(unary.op_span, "`await` of a list does not wait for the futures in it", "write `all([…])`");
      }
      return Visit(&operand);
  }
}

void FunctionChecker::Assign(const AssignExpr& assign) {
  const Expr& target = *assign.target;
  if (target.kind != ExprKind::kName) {
    std::string hint = "only a name can stand on the left of `=`; to compare, write `==`";
    if (target.kind == ExprKind::kIndex) hint = "values are immutable: write `xs = set(xs, i, v)`";
    if (target.kind == ExprKind::kField) {
      hint = "values are immutable: write `h = set(h, \"" + As<FieldExpr>(target).field.text + "\", v)`";
    }
    Error(target.span, "assignment to something that is no variable", hint);
    Visit(&target);
    return Visit(assign.value.get());
  }
  const NameId name = names_.Intern(As<NameExpr>(target).name);
  if (IsModule(name)) {
    Error(target.span, "`" + As<NameExpr>(target).name + "` is a module and cannot be assigned",
          "use another name for the variable, or for the module");
    return Visit(assign.value.get());
  }
  if (assign.value->kind == ExprKind::kFunction) {
    // The closure sees its own name from within, so that this is no use of a name before its assignment.
    Closure(As<FunctionExpr>(*assign.value), name);
  } else {
    Visit(assign.value.get());
  }
  Variable* variable = Env(name);
  if (variable == nullptr || variable->owner != now_) return;
  const bool from_outside = (variable->outer != nullptr && variable->outer->seen) || variable->is_self;
  if (from_outside && !variable->told && !TEAL_MUTANT("check_outer_unchanged")) {
    Warning(target.span, "outer_unchanged: this does not change the `" + As<NameExpr>(target).name + "` outside",
            "a closure captures by value; return the new value, or use another name");
    variable->told = true;
  }
  variable->seen = true;
  if (variable->bit >= 0) now_->flow.Set(variable->bit);
}

void FunctionChecker::Logical(const BinaryExpr& binary) {
  Visit(binary.operands[0].get());
  const Flow first = now_->flow;
  for (size_t i = 1; i < binary.operands.size(); ++i) Visit(binary.operands[i].get());
  if (!TEAL_MUTANT("check_null_after_and")) now_->flow.Meet(first);
}

void FunctionChecker::If(const IfExpr& expr) {
  std::optional<Flow> joined;
  const auto join = [&](Flow flow) {
    if (joined) {
      joined->Meet(flow);
      if (!flow.all || flow.ended_by == nullptr) joined->ended_by = joined->all ? joined->ended_by : nullptr;
    } else {
      joined = std::move(flow);
    }
  };
  for (const IfExpr::Clause& clause : expr.clauses) {
    Visit(clause.condition.get());
    const Flow decided = now_->flow;
    Block(*clause.body);
    join(std::move(now_->flow));
    now_->flow = decided;
  }
  if (expr.otherwise != nullptr) Block(*expr.otherwise);
  join(std::move(now_->flow));
  now_->flow = std::move(*joined);
}

void FunctionChecker::While(const WhileExpr& loop) {
  const size_t asyncs = asyncs_.size();
  const uint32_t awaits = awaits_;
  Visit(loop.condition.get());
  const bool endless = loop.condition->kind == ExprKind::kBool && As<BoolExpr>(*loop.condition).value;
  const Flow after = now_->flow;
  now_->loops.emplace_back();
  Block(*loop.body);
  const Loop done = std::move(now_->loops.back());
  now_->loops.pop_back();
  now_->flow = after;
  if (endless) {
    now_->flow.all = true;
    if (done.broken) now_->flow.Meet(done.breaks);
  }
  if (asyncs_.size() > asyncs && awaits_ == awaits) {
    Warning(asyncs_[asyncs], "`async` in a `while` without any `await` in the loop",
            "each turn starts a thread and none is waited for; collect the futures and await them in the loop, or use "
            "`pmap`");
  }
}

void FunctionChecker::For(const ForExpr& loop) {
  Visit(loop.subject.get());
  if (loop.second && loop.second->text == loop.first.text) {
    Error(loop.second->span, "duplicate loop variable `" + loop.second->text + "`",
          "give each loop variable its own name");
  }
  const Flow after = now_->flow;
  now_->loops.emplace_back();
  std::vector<std::pair<NameId, Variable*>> before;
  BindBlock(loop.first, &before);
  if (loop.second) BindBlock(*loop.second, &before);
  Block(*loop.body);
  UnbindBlock(&before);
  now_->loops.pop_back();
  now_->flow = after;
}

void FunctionChecker::Try(const TryExpr& expr) {
  const Flow start = now_->flow;
  Block(*expr.body);
  Flow joined = std::move(now_->flow);
  for (const TryExpr::Clause& clause : expr.clauses) {
    now_->flow = start;
    std::vector<std::pair<NameId, Variable*>> before;
    if (clause.name) BindBlock(*clause.name, &before);
    Visit(clause.guard.get());
    Block(*clause.body);
    UnbindBlock(&before);
    const bool ended = joined.ended_by != nullptr && now_->flow.ended_by != nullptr;
    joined.Meet(now_->flow);
    if (!ended && !joined.all) joined.ended_by = nullptr;
    if (!ended && joined.all) joined.ended_by = nullptr;
  }
  if (expr.finally == nullptr) {
    now_->flow = std::move(joined);
    return;
  }
  now_->flow = start;
  const size_t loops = now_->finally_loops;
  now_->finally_loops = now_->loops.size();
  ++now_->finally_depth;
  Block(*expr.finally);
  --now_->finally_depth;
  now_->finally_loops = loops;
  // After it holds what the body or clause assigned, and what the finally did.
  if (now_->flow.all) return;
  if (joined.all) {
    now_->flow.all = true;
    now_->flow.ended_by = joined.ended_by;
    return;
  }
  for (size_t i = 0; i < joined.bits.size(); ++i) joined.bits[i] |= now_->flow.bits[i];
  now_->flow = std::move(joined);
}

void FunctionChecker::Jump(const Expr& expr, const char* word) {
  const std::string name = word;
  if (now_->loops.empty()) {
    return Error(expr.span, "`" + name + "` outside a loop",
                 "`" + name + "` belongs in the body of a `for` or `while`");
  }
  if (now_->finally_depth > 0 && now_->loops.size() <= now_->finally_loops) {
    return Error(expr.span, "`" + name + "` out of a `finally`",
                 "a `finally` only cleans up; it cannot leave the loop around it");
  }
  Loop& loop = now_->loops.back();
  if (name == "break") {
    if (loop.broken) {
      loop.breaks.Meet(now_->flow);
    } else {
      loop.breaks = now_->flow;
    }
    loop.broken = true;
  }
  now_->flow.End(word);
}

void FunctionChecker::HashKeys(const HashExpr& hash) {
  std::unordered_set<std::string> seen;
  for (const auto& [key, value] : hash.entries) {
    const std::string text = KeyText(*key);
    if (!text.empty() && !seen.insert(text).second && !TEAL_MUTANT("check_duplicate_key")) {
      const std::string_view shown = unit_.file->text().substr(key->span.begin, key->span.end - key->span.begin);
      Error(key->span, "duplicate key " + std::string(shown.substr(0, 60)) + " in a hash",
            "a hash has each key once; remove one of the two");
    }
    Visit(key.get());
    Visit(value.get());
  }
}

void FunctionChecker::Pipe(const PipeExpr& pipe) {
  Visit(pipe.stages[0].get());
  for (size_t i = 1; i < pipe.stages.size(); ++i) {
    const Expr& stage = *pipe.stages[i];
    if (stage.kind == ExprKind::kCall) {
      const auto& call = As<CallExpr>(stage);
      Call({call.callee.get(), call.arguments, true, stage.span});
    } else if (stage.kind == ExprKind::kUnary && As<UnaryExpr>(stage).operand == nullptr) {
      Visit(&stage);
    } else {
      Call({&stage, {}, true, stage.span});
    }
  }
}

void CheckFunction(Program& program, FunctionScope& function) {
  if (function.role == FunctionRole::kPlain) FunctionChecker(program, *function.unit, true).Run(function);
}

}  // namespace teal::lang

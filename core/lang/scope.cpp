#include "core/lang/scope.h"

#include <algorithm>
#include <cassert>

namespace teal::lang {
namespace {

// Walks one function, without the closures in it: those are walked afterwards, so that one array of marks will do.
class Collector {
 public:
  Collector(FunctionScope& scope, NameTable& names, std::deque<FunctionScope>& all, std::vector<uint32_t>& marks,
            ConstantPool* constants, uint32_t serial)
      : scope_(scope), names_(names), all_(all), marks_(marks), constants_(constants), serial_(serial) {}

  void Run() {
    for (const Ident& parameter : scope_.ParameterIdents()) {
      const NameId name = names_.Intern(parameter.text);
      scope_.parameters.push_back(name);
      Mark(name) = serial_;
    }
    Block(&scope_.Body());
  }

 private:
  uint32_t& Mark(NameId name) {
    if (name >= marks_.size()) marks_.resize(names_.size() + 64, 0);
    return marks_[name];
  }

  void Bind(const Expr& target) {
    if (target.kind != ExprKind::kName) return Visit(&target);
    const NameId name = names_.Intern(As<NameExpr>(target).name);
    if (Mark(name) == serial_) return;
    Mark(name) = serial_;
    scope_.locals.push_back(name);
  }

  void Block(const BlockExpr* block) {
    if (block == nullptr) return;
    for (const ExprPtr& statement : block->statements) Visit(statement.get());
  }

  // Runs `walk` while `idents` are bound in a block of their own.
  template <typename Walk>
  void Within(const std::vector<const Ident*>& idents, const Walk& walk) {
    std::vector<std::pair<NameId, uint32_t>> before;
    for (const Ident* ident : idents) {
      const NameId name = names_.Intern(ident->text);
      before.emplace_back(name, Mark(name));
      Mark(name) = serial_;
    }
    walk();
    while (!before.empty()) {
      Mark(before.back().first) = before.back().second;
      before.pop_back();
    }
  }

  void Operand(const Expr* expr) {
    ++operands_;
    Visit(expr);
    --operands_;
  }

  void Closure(const FunctionExpr& function, NameId self) {
    FunctionScope& child = all_.emplace_back();
    child.role = FunctionRole::kClosure;
    child.unit = scope_.unit;
    child.item = scope_.item;
    child.closure = &function;
    child.parent = &scope_;
    child.self = self;
    scope_.closures.push_back(&child);
  }

  void Visit(const Expr* expr) {
    if (expr == nullptr) return;
    switch (expr->kind) {
      case ExprKind::kNull:
      case ExprKind::kBool:
      case ExprKind::kInt:
      case ExprKind::kFloat:
      case ExprKind::kString:
      case ExprKind::kSymbol:
      case ExprKind::kDuration:
      case ExprKind::kName:
      case ExprKind::kBreak:
      case ExprKind::kContinue:
        return;
      case ExprKind::kFormat:
        for (const ExprPtr& part : As<FormatExpr>(*expr).parts) Operand(part.get());
        return;
      case ExprKind::kList:
        for (const ExprPtr& item : As<ListExpr>(*expr).items) Operand(item.get());
        return;
      case ExprKind::kHash:
        for (const auto& [key, value] : As<HashExpr>(*expr).entries) {
          Operand(key.get());
          Operand(value.get());
        }
        return;
      case ExprKind::kUnary:
        return Operand(As<UnaryExpr>(*expr).operand.get());
      case ExprKind::kBinary:
        for (const ExprPtr& operand : As<BinaryExpr>(*expr).operands) Operand(operand.get());
        return;
      case ExprKind::kPipe:
        for (const ExprPtr& stage : As<PipeExpr>(*expr).stages) Operand(stage.get());
        return;
      case ExprKind::kAssign: {
        const auto& assign = As<AssignExpr>(*expr);
        if (operands_ > 0 && assign.target->kind == ExprKind::kName) {
          scope_.operand_assigns.push_back({expr->span.begin, names_.Intern(As<NameExpr>(*assign.target).name)});
        }
        Bind(*assign.target);
        if (assign.value->kind == ExprKind::kFunction && assign.target->kind == ExprKind::kName) {
          return Closure(As<FunctionExpr>(*assign.value), names_.Intern(As<NameExpr>(*assign.target).name));
        }
        return Visit(assign.value.get());
      }
      case ExprKind::kCall: {
        const auto& call = As<CallExpr>(*expr);
        Operand(call.callee.get());
        for (const Argument& argument : call.arguments) Operand(argument.value.get());
        return;
      }
      case ExprKind::kIndex:
        Operand(As<IndexExpr>(*expr).object.get());
        return Operand(As<IndexExpr>(*expr).index.get());
      case ExprKind::kSlice:
        Operand(As<SliceExpr>(*expr).object.get());
        Operand(As<SliceExpr>(*expr).from.get());
        return Operand(As<SliceExpr>(*expr).to.get());
      case ExprKind::kField:
        if (constants_ != nullptr) constants_->Text(As<FieldExpr>(*expr).field.text);
        return Operand(As<FieldExpr>(*expr).object.get());
      case ExprKind::kFunction:
        return Closure(As<FunctionExpr>(*expr), kNoName);
      case ExprKind::kBlock:
        return Block(&As<BlockExpr>(*expr));
      case ExprKind::kIf: {
        const auto& branch = As<IfExpr>(*expr);
        for (const IfExpr::Clause& clause : branch.clauses) {
          Visit(clause.condition.get());
          Block(clause.body.get());
        }
        return Block(branch.otherwise.get());
      }
      case ExprKind::kFor: {
        const auto& loop = As<ForExpr>(*expr);
        Visit(loop.subject.get());
        std::vector<const Ident*> bound{&loop.first};
        if (loop.second) bound.push_back(&*loop.second);
        return Within(bound, [&] { Block(loop.body.get()); });
      }
      case ExprKind::kWhile:
        Visit(As<WhileExpr>(*expr).condition.get());
        return Block(As<WhileExpr>(*expr).body.get());
      case ExprKind::kTry: {
        const auto& attempt = As<TryExpr>(*expr);
        Block(attempt.body.get());
        for (const TryExpr::Clause& clause : attempt.clauses) {
          std::vector<const Ident*> bound;
          if (clause.name) bound.push_back(&*clause.name);
          Within(bound, [&] {
            Visit(clause.guard.get());
            Block(clause.body.get());
          });
        }
        return Block(attempt.finally.get());
      }
      case ExprKind::kReturn:
        return Visit(As<ReturnExpr>(*expr).value.get());
    }
  }

  FunctionScope& scope_;
  NameTable& names_;
  std::deque<FunctionScope>& all_;
  std::vector<uint32_t>& marks_;
  ConstantPool* const constants_;
  const uint32_t serial_;  // marks_[name] == serial_: bound in this function, here
  int operands_ = 0;
};

}  // namespace

bool FunctionScope::AssignedWithin(NameId name, uint32_t from, uint32_t to) const {
  auto at = std::lower_bound(operand_assigns.begin(), operand_assigns.end(), from,
                             [](const OperandAssign& each, uint32_t offset) { return each.offset < offset; });
  for (; at != operand_assigns.end() && at->offset < to; ++at) {
    if (at->name == name) return true;
  }
  return false;
}

void CollectScopes(FunctionScope& top, NameTable& names, std::deque<FunctionScope>& all, ConstantPool* constants) {
  // Marks are kept between calls: a serial number is never used twice.
  thread_local std::vector<uint32_t> marks;
  thread_local uint32_t serial = 0;
  std::vector<FunctionScope*> waiting{&top};
  for (size_t i = 0; i < waiting.size(); ++i) {
    if (++serial == 0) {
      marks.clear();
      serial = 1;
    }
    Collector(*waiting[i], names, all, marks, constants, serial).Run();
    waiting.insert(waiting.end(), waiting[i]->closures.begin(), waiting[i]->closures.end());
  }
}

}  // namespace teal::lang

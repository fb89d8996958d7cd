#include "core/lang/fold.h"

#include <cassert>

#include "core/base/mutant.h"
#include "core/vm/builtins.h"
#include "core/vm/operators.h"
#include "core/vm/value_walk.h"

namespace teal::lang {

using vm::Value;
using Outcome = Folder::Outcome;

namespace {

// What folding may put into the executable in place of an expression.
constexpr uint64_t kFoldedBytesMax = 4096;
constexpr size_t kFoldedItemsMax = 256;
// Constants of the top level may refer to each other this deep.
constexpr int kConstantDepthMax = 200;
// What computing all constants of the top level of a program may allocate and go through (vm::CountWork), in bytes.
// More than the literals of the largest source take.
constexpr uint64_t kConstantWorkBytesMax = uint64_t{1} << 30;
// Builtins whose cost and result are bounded by their arguments: strings and numbers.
constexpr uint32_t kFoldedBuiltinFirst = vm::kBuiltin_split;
constexpr uint32_t kFoldedBuiltinLast = vm::kBuiltin_log;

bool IsSmall(const Value& value) {
  switch (value.tag()) {
    case vm::Tag::kString:
      return value.As<vm::String>()->size <= kFoldedBytesMax;
    case vm::Tag::kList:
      return value.As<vm::List>()->size <= kFoldedItemsMax;
    case vm::Tag::kHash:
      return value.As<vm::Hash>()->size <= kFoldedItemsMax;
    default:
      return true;
  }
}

}  // namespace

bool Folder::Apply(BinaryOp op, Value left, const Value& right, Value* out) {
  bool truth = false;
  bool ok = true;
  switch (op) {
    case BinaryOp::kAdd:
      return vm::Add(std::move(left), Value(right), out);
    case BinaryOp::kSub:
      return vm::Subtract(left, right, out);
    case BinaryOp::kMul:
      return vm::Multiply(left, right, out) || (TEAL_MUTANT("fold_overflow") && (*out = Value::Int(INT64_MAX), true));
    case BinaryOp::kDiv:
      return vm::Divide(left, right, out);
    case BinaryOp::kMod:
      if (TEAL_MUTANT("fold_mod_sign") && left.IsInt() && right.IsInt() && right.AsInt() > 0)
        return *out = Value::Int(left.AsInt() % right.AsInt()), true;
      return vm::Modulo(left, right, out);
    case BinaryOp::kEq:
      ok = vm::EqualTo(left, right, &truth, out);
      break;
    case BinaryOp::kNe:
      ok = vm::EqualTo(left, right, &truth, out);
      truth = !truth;
      break;
    case BinaryOp::kLt:
      ok = vm::LessThan(left, right, false, &truth, out);
      break;
    case BinaryOp::kLe:
      ok = vm::LessThan(left, right, true, &truth, out);
      break;
    case BinaryOp::kGt:
      ok = vm::LessThan(right, left, false, &truth, out);
      break;
    case BinaryOp::kGe:
      ok = vm::LessThan(right, left, true, &truth, out);
      break;
    case BinaryOp::kAnd:
    case BinaryOp::kOr:
      assert(false && "short-circuit");
      return false;
  }
  if (ok) *out = Value::Bool(truth);
  return ok;
}

Outcome Folder::Evaluate(const Expr& expr, Value* out) {
  folding_ = false;
  return Visit(expr, out);
}

Outcome Folder::EvaluateMetered(const Expr& expr, Value* out) {
  metered_ = true;
  return Evaluate(expr, out);
}

bool Folder::Fold(const Expr& expr, Value* out) {
  folding_ = true;
  return Visit(expr, out) == Outcome::kValue && IsSmall(*out);
}

Outcome Folder::Visit(const Expr& expr, Value* out) {
  // Operators and builtins are bounded each; this bounds how many of them a program's constants may use.
  if (metered_ && vm::allocated_bytes - program_.constants_begun > kConstantWorkBytesMax) {
    *out = vm::MakeError("limit",
                         "the constants of a program may take 1 GiB of values and work; compute this one in a "
                         "function");
    return Raise(expr);
  }
  switch (expr.kind) {
    case ExprKind::kNull:
      *out = Value();
      return Outcome::kValue;
    case ExprKind::kBool:
      *out = Value::Bool(As<BoolExpr>(expr).value);
      return Outcome::kValue;
    case ExprKind::kInt: {
      const uint64_t magnitude = As<IntExpr>(expr).magnitude;
      if (magnitude > static_cast<uint64_t>(INT64_MAX)) return Refuse(expr);
      *out = Value::Int(static_cast<int64_t>(magnitude));
      return Outcome::kValue;
    }
    case ExprKind::kFloat:
      *out = Value::Float(As<FloatExpr>(expr).value);
      return Outcome::kValue;
    case ExprKind::kDuration: {
      const auto& duration = As<DurationExpr>(expr);
      *out = duration.integral ? Value::Int(duration.whole_seconds) : Value::Float(duration.seconds);
      return Outcome::kValue;
    }
    case ExprKind::kString:
      *out = vm::MakeString(As<StringExpr>(expr).value);
      return Outcome::kValue;
    case ExprKind::kSymbol:
      *out = vm::MakeSymbol(As<SymbolExpr>(expr).name);
      return Outcome::kValue;
    case ExprKind::kFormat: {
      const auto& format = As<FormatExpr>(expr);
      std::string text = format.literals[0];
      for (size_t i = 0; i < format.parts.size(); ++i) {
        Value part;
        const Outcome outcome = Visit(*format.parts[i], &part);
        if (outcome != Outcome::kValue) return *out = std::move(part), outcome;
        text += vm::Display(part);
        text += format.literals[i + 1];
      }
      *out = vm::MakeString(text);
      return Outcome::kValue;
    }
    case ExprKind::kName:
      return Name(expr, As<NameExpr>(expr).name, out);
    case ExprKind::kList: {
      const auto& items = As<ListExpr>(expr).items;
      if (folding_ && items.size() > kFoldedItemsMax) return Refuse(expr);
      Value list = vm::MakeList(items.size());
      for (const ExprPtr& item : items) {
        Value value;
        const Outcome outcome = Visit(*item, &value);
        if (outcome != Outcome::kValue) return *out = std::move(value), outcome;
        list = vm::ListAppend(std::move(list), std::move(value));
      }
      *out = std::move(list);
      return Outcome::kValue;
    }
    case ExprKind::kHash:
      return Hash(As<HashExpr>(expr), out);
    case ExprKind::kUnary: {
      const auto& unary = As<UnaryExpr>(expr);
      if (unary.op == UnaryOp::kAsync || unary.op == UnaryOp::kAwait) return Refuse(expr);
      if (unary.op == UnaryOp::kNegate && unary.operand->kind == ExprKind::kInt &&
          As<IntExpr>(*unary.operand).magnitude == uint64_t{1} << 63) {
        *out = Value::Int(INT64_MIN);
        return Outcome::kValue;
      }
      Value operand;
      const Outcome outcome = Visit(*unary.operand, &operand);
      if (outcome != Outcome::kValue) return *out = std::move(operand), outcome;
      if (unary.op == UnaryOp::kNot) {
        *out = Value::Bool(!operand.Truthy());
        return Outcome::kValue;
      }
      return Done(vm::Negate(operand, out), expr);
    }
    case ExprKind::kBinary:
      return Binary(As<BinaryExpr>(expr), out);
    case ExprKind::kPipe:
      return Pipe(As<PipeExpr>(expr), out);
    case ExprKind::kCall:
      return Call(expr, *As<CallExpr>(expr).callee, As<CallExpr>(expr).arguments, nullptr, out);
    case ExprKind::kIndex: {
      Value object, index;
      Outcome outcome = Visit(*As<IndexExpr>(expr).object, &object);
      if (outcome != Outcome::kValue) return *out = std::move(object), outcome;
      outcome = Visit(*As<IndexExpr>(expr).index, &index);
      if (outcome != Outcome::kValue) return *out = std::move(index), outcome;
      return Done(vm::IndexValue(object, index, out), expr);
    }
    case ExprKind::kSlice: {
      const auto& slice = As<SliceExpr>(expr);
      Value parts[3];
      const Expr* exprs[3] = {slice.object.get(), slice.from.get(), slice.to.get()};
      for (int i = 0; i < 3; ++i) {
        if (exprs[i] == nullptr) continue;
        const Outcome outcome = Visit(*exprs[i], &parts[i]);
        if (outcome != Outcome::kValue) return *out = std::move(parts[i]), outcome;
      }
      return Done(vm::SliceValue(parts[0], parts[1], parts[2], out), expr);
    }
    case ExprKind::kField:
      return Field(As<FieldExpr>(expr), out);
    default:
      return Refuse(expr);
  }
}

Outcome Folder::Name(const Expr& expr, const std::string& name, Value* out) {
  if (locals_ != nullptr && locals_->IsLocal(name)) return Refuse(expr);
  Global* global = FindGlobal(program_, unit_, program_.names.Intern(name));
  if (global == nullptr || global->kind != GlobalKind::kConstant) return Refuse(expr);
  return Constant(*global, out);
}

Outcome Folder::Field(const FieldExpr& field, Value* out) {
  Unit* module = nullptr;
  Global* member = FindMember(program_, unit_, field, &module);
  if (module != nullptr) {
    if (member == nullptr || member->kind != GlobalKind::kConstant) return Refuse(field);
    return Constant(*member, out);
  }
  Value object;
  const Outcome outcome = Visit(*field.object, &object);
  if (outcome != Outcome::kValue) return *out = std::move(object), outcome;
  return Done(vm::FieldValue(object, vm::MakeString(field.field.text), out), field);
}

Outcome Folder::Constant(Global& global, Value* out) {
  const Value* value = ConstantValue(program_, global);
  if (value == nullptr) return Outcome::kReported;
  *out = *value;
  return Outcome::kValue;
}

Outcome Folder::Binary(const BinaryExpr& binary, Value* out) {
  Value left;
  Outcome outcome = Visit(*binary.operands[0], &left);
  for (size_t i = 0; i < binary.ops.size() && outcome == Outcome::kValue; ++i) {
    const BinaryOp op = binary.ops[i];
    if (op == BinaryOp::kAnd || op == BinaryOp::kOr) {
      if (left.Truthy() == (op == BinaryOp::kOr) && !TEAL_MUTANT("fold_or_gives_last")) break;
      outcome = Visit(*binary.operands[i + 1], &left);
      continue;
    }
    Value right, result;
    outcome = Visit(*binary.operands[i + 1], &right);
    if (outcome != Outcome::kValue) return *out = std::move(right), outcome;
    if (folding_ && (!IsSmall(left) || !IsSmall(right))) return Refuse(binary);
    outcome = Done(Apply(op, std::move(left), right, &result), binary);
    left = std::move(result);
  }
  *out = std::move(left);
  return outcome;
}

Outcome Folder::Hash(const HashExpr& expr, Value* out) {
  if (folding_ && expr.entries.size() > kFoldedItemsMax) return Refuse(expr);
  Value hash = vm::MakeHash(expr.entries.size());
  for (const auto& [key_expr, value_expr] : expr.entries) {
    Value key, value;
    Outcome outcome = Visit(*key_expr, &key);
    if (outcome != Outcome::kValue) return *out = std::move(key), outcome;
    outcome = Visit(*value_expr, &value);
    if (outcome != Outcome::kValue) return *out = std::move(value), outcome;
    if (!vm::IsKey(key)) {
      *out = vm::MakeError("type", "this value cannot be a key");
      return Raise(*key_expr);
    }
    hash = vm::HashSet(std::move(hash), std::move(key), std::move(value));
  }
  *out = std::move(hash);
  return Outcome::kValue;
}

Outcome Folder::Pipe(const PipeExpr& pipe, Value* out) {
  Value value;
  Outcome outcome = Visit(*pipe.stages[0], &value);
  for (size_t i = 1; i < pipe.stages.size() && outcome == Outcome::kValue; ++i) {
    const Expr& stage = *pipe.stages[i];
    Value result;
    if (stage.kind == ExprKind::kCall) {
      outcome = Call(stage, *As<CallExpr>(stage).callee, As<CallExpr>(stage).arguments, &value, &result);
    } else {
      outcome = Call(stage, stage, {}, &value, &result);
    }
    value = std::move(result);
  }
  *out = std::move(value);
  return outcome;
}

// first: the piped argument, or null.
Outcome Folder::Call(const Expr& at, const Expr& callee, std::span<const Argument> given, const Value* first,
                     Value* out) {
  if (callee.kind != ExprKind::kName) return Refuse(at);
  const std::string& name = As<NameExpr>(callee).name;
  if (locals_ != nullptr && locals_->IsLocal(name)) return Refuse(at);
  const Global* global = FindGlobal(program_, unit_, program_.names.Intern(name));
  if (global == nullptr) return Refuse(callee);
  if (global->kind != GlobalKind::kBuiltin) return Refuse(at);
  const vm::BuiltinInfo& info = vm::BuiltinOf(static_cast<uint16_t>(global->index));
  if (info.kind != vm::BuiltinKind::kPure) return Refuse(at);
  if (folding_ && (global->index < kFoldedBuiltinFirst || global->index > kFoldedBuiltinLast)) return Refuse(at);
  std::vector<Value> arguments;
  if (first != nullptr) arguments.push_back(*first);
  for (const Argument& argument : given) {
    if (argument.keyword) return Refuse(at);
    Value value;
    const Outcome outcome = Visit(*argument.value, &value);
    if (outcome != Outcome::kValue) return *out = std::move(value), outcome;
    if (folding_ && !IsSmall(value)) return Refuse(at);
    arguments.push_back(std::move(value));
  }
  const size_t count = arguments.size();
  if (count < info.least || (info.most != 255 && count > info.most)) return Refuse(at);
  const vm::PureBuiltin builtin = vm::PureBuiltinOf(static_cast<uint16_t>(global->index));
  if (builtin == nullptr) return Refuse(at);
  return Done(builtin(arguments.data(), static_cast<uint32_t>(count), out), at);
}

const Value* ConstantValue(Program& program, Global& global) {
  assert(global.kind == GlobalKind::kConstant);
  static thread_local int depth = 0;
  Diagnostics& diagnostics = *program.diagnostics;
  const SourceFile& file = *global.unit->file;
  const Ident& name = global.item->name;
  switch (global.state) {
    case ConstantState::kKnown:
      return &global.value;
    case ConstantState::kFailed:
      return nullptr;
    case ConstantState::kComputing:
      diagnostics.Error(file, name.span, "the constant `" + name.text + "` depends on itself",
                        "compute one of the constants in this ring without the others");
      global.state = ConstantState::kFailed;
      return nullptr;
    case ConstantState::kUnknown:
      break;
  }
  if (depth >= kConstantDepthMax) {
    diagnostics.Error(file, name.span, "constants refer to each other too deeply",
                      "at most " + std::to_string(kConstantDepthMax) + " constants may build on one another");
    global.state = ConstantState::kFailed;
    return nullptr;
  }
  global.state = ConstantState::kComputing;
  // What happens between two constants does not count.
  if (depth == 0) program.constants_begun += vm::allocated_bytes - program.constants_seen;
  ++depth;
  Folder folder(program, *global.unit, nullptr);
  Value value;
  const Outcome outcome = folder.EvaluateMetered(*global.item->value, &value);
  --depth;
  program.constants_seen = vm::allocated_bytes;
  if (global.state == ConstantState::kFailed) return nullptr;  // a ring came back to it
  global.state = ConstantState::kFailed;
  switch (outcome) {
    case Outcome::kValue:
      break;
    case Outcome::kReported:
      return nullptr;
    case Outcome::kNotConstant: {
      const Expr& culprit = *folder.culprit();
      if (culprit.kind == ExprKind::kName &&
          FindGlobal(program, *global.unit, program.names.Intern(As<NameExpr>(culprit).name)) == nullptr) {
        const std::string& unknown = As<NameExpr>(culprit).name;
        std::vector<std::string_view> near;
        for (const auto& [id, other] : global.unit->globals) near.push_back(program.names.Text(id));
        for (const auto& [id, other] : program.builtins) near.push_back(program.names.Text(id));
        const std::string_view nearest = Nearest(unknown, near);
        diagnostics.Error(file, culprit.span, "unknown name `" + unknown + "`",
                          nearest.empty() ? "a value at top level may use other constants and pure builtins"
                                          : "did you mean `" + std::string(nearest) + "`?");
        return nullptr;
      }
      diagnostics.Error(file, folder.culprit()->span, "`" + name.text + "` cannot be computed by the compiler",
                        "a value at top level consists of literals, operators, other constants and pure builtins; "
                        "compute anything else in a function");
      return nullptr;
    }
    case Outcome::kRaises: {
      std::string what = "an error";
      if (value.tag() == vm::Tag::kError) {
        const auto* error = value.As<vm::Error>();
        what = vm::Display(error->kind) + ": " + vm::Display(error->message);
      }
      diagnostics.Error(file, folder.culprit()->span, "computing `" + name.text + "` raises " + what,
                        "correct the expression; constants are computed when the program is compiled");
      return nullptr;
    }
  }
  if (!IsStorable(value)) {
    diagnostics.Error(file, global.item->value->span,
                      "`" + name.text + "` cannot be a constant: it holds a " + std::string(vm::TypeName(value)),
                      "call it in the function that needs it");
    return nullptr;
  }
  global.value = std::move(value);
  global.state = ConstantState::kKnown;
  return &global.value;
}

}  // namespace teal::lang

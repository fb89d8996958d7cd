// Calls: can the callee be called, and with these arguments?
#include <algorithm>

#include "core/base/mutant.h"
#include "core/lang/check_function.h"
#include "core/vm/builtins.h"

namespace teal::lang {
namespace {

std::string Count(size_t count) {
  return std::to_string(count) + (count == 1 ? " argument" : " arguments");
}

std::string Range(size_t least, size_t most, bool any) {
  if (any) return "at least " + Count(least);
  if (least == most) return Count(least);
  return std::to_string(least) + (most == least + 1 ? " or " : " to ") + Count(most);
}

// What a literal is, for messages; null: it may turn out callable.
const char* LiteralName(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kNull:
      return "`null`";
    case ExprKind::kBool:
      return "a boolean";
    case ExprKind::kInt:
    case ExprKind::kFloat:
    case ExprKind::kDuration:
      return "a number";
    case ExprKind::kString:
    case ExprKind::kFormat:
      return "a string";
    case ExprKind::kSymbol:
      return "a symbol";
    case ExprKind::kHash:
      return "a hash";
    default:
      return nullptr;
  }
}

}  // namespace

bool FunctionChecker::NotCallable(const Expr& expr) {
  const char* literal = expr.kind == ExprKind::kList ? "a list" : LiteralName(expr);
  if (literal == nullptr) return false;
  Error(expr.span, "`async` of " + std::string(literal) + ", which cannot be called",
        "write `async f(…)`: the call is what the new thread runs");
  Visit(&expr);
  return true;
}

void FunctionChecker::Arguments(const CallParts& call) {
  const Ident* keyword = nullptr;
  for (size_t i = 0; i < call.arguments.size(); ++i) {
    const Argument& argument = call.arguments[i];
    if (argument.keyword) {
      keyword = &*argument.keyword;
      for (size_t j = 0; j < i; ++j) {
        if (!call.arguments[j].keyword || call.arguments[j].keyword->text != keyword->text) continue;
        Error(keyword->span, "repeated keyword argument `:" + keyword->text + "`", "pass it once");
        break;
      }
    } else if (keyword != nullptr) {
      Error(argument.value->span, "a positional argument after the keyword argument `:" + keyword->text + "`",
            "keyword arguments come last");
    }
    Visit(argument.value.get());
  }
}

void FunctionChecker::Call(const CallParts& call) {
  const Expr& callee = *call.callee;
  if (callee.kind == ExprKind::kName) {
    const std::string& name = As<NameExpr>(callee).name;
    const NameId id = names_.Intern(name);
    if (Variable* variable = Env(id); variable != nullptr) {
      Read(*now_, *variable, callee.span);
      Arguments(call);
      const FunctionScope& scope = *now_->scope;
      const bool itself = variable->is_self && variable->owner == now_ &&
                          std::find(scope.locals.begin(), scope.locals.end(), id) == scope.locals.end();
      if (itself) FunctionCall(scope, name, call);
      return;
    }
    Global* global = FindGlobal(program_, unit_, id);
    if (global == nullptr) {
      Unknown(id, callee.span);
      return Arguments(call);
    }
    Arguments(call);
    return Known(*global, name, call);
  }
  if (callee.kind == ExprKind::kField) {
    Unit* module = nullptr;
    Global* member = FindMember(program_, unit_, As<FieldExpr>(callee), &module);
    if (member != nullptr) {
      Arguments(call);
      return Known(*member, As<NameExpr>(*As<FieldExpr>(callee).object).name + "." + As<FieldExpr>(callee).field.text,
                   call);
    }
  }
  const char* literal = LiteralName(callee);
  if (literal == nullptr && callee.kind == ExprKind::kList) literal = "a list";
  if (literal != nullptr) {
    Error(callee.span, std::string(literal) + " cannot be called", "only functions can be called");
  }
  Visit(&callee);
  Arguments(call);
}

void FunctionChecker::Known(Global& global, const std::string& shown, const CallParts& call) {
  switch (global.kind) {
    case GlobalKind::kFunction:
      Use(global);
      FunctionCall(*global.function, shown, call);
      if (&global == program_.raise) now_->flow.all = true;
      return;
    case GlobalKind::kConstant:
      return Error(call.callee->span, "`" + shown + "` is a constant, which cannot be called",
                   "only functions can be called");
    case GlobalKind::kForeign:
      return ForeignCall(global, shown, call);
    case GlobalKind::kModule:
      return Error(call.callee->span, "the module `" + shown + "` cannot be called",
                   "call a function of it: `" + shown + ".f(…)`");
    case GlobalKind::kBuiltin:
      return BuiltinCall(global.index, shown, call);
    case GlobalKind::kApply:
      return;  // the library knows how
  }
}

void FunctionChecker::FunctionCall(const FunctionScope& function, const std::string& shown, const CallParts& call) {
  const size_t wanted = function.parameters.size();
  const size_t required = RequiredParameters(function, names_);
  std::string signature = "it is `fn " + shown + "(";
  for (size_t i = 0; i < wanted; ++i)
    signature += (i == 0 ? "" : ", ") + std::string(names_.Text(function.parameters[i]));
  signature += ")`";
  // Positional arguments behind keywords have been reported: what was meant cannot be told.
  bool keywords = false;
  for (const Argument& argument : call.arguments) {
    if (keywords && !argument.keyword) return;
    keywords = keywords || argument.keyword;
  }
  std::vector<bool> bound(wanted, false);
  size_t given = call.piped ? 1 : 0;
  for (const Argument& argument : call.arguments) given += argument.keyword ? 0 : 1;
  for (size_t i = 0; i < std::min(given, wanted); ++i) bound[i] = true;
  size_t total = given;
  for (const Argument& argument : call.arguments) {
    if (!argument.keyword) continue;
    ++total;
    const size_t at = FindParameter(function, argument.keyword->text, names_);
    if (at == wanted) {
      std::vector<std::string_view> near(wanted);
      for (size_t i = 0; i < wanted; ++i) near[i] = names_.Text(function.parameters[i]);
      const std::string_view nearest = Nearest(argument.keyword->text, near);
      return Error(argument.keyword->span, "`" + shown + "` has no parameter `" + argument.keyword->text + "`",
                   nearest.empty() ? signature : "did you mean `:" + std::string(nearest) + "`?");
    }
    if (bound[at] && at < given) {
      return Error(argument.keyword->span,
                   "the parameter `" + argument.keyword->text + "` of `" + shown + "` is given twice", signature);
    }
    if (bound[at]) return;  // repeated; Arguments has said so
    bound[at] = true;
  }
  bool complete = total <= wanted || TEAL_MUTANT("check_too_many_arguments");
  for (size_t i = 0; i < required; ++i) complete = complete && bound[i];
  if (complete) return;
  Error(call.span, "`" + shown + "` takes " + Range(required, wanted, false) + ", not " + std::to_string(total),
        signature);
}

void FunctionChecker::BuiltinCall(uint32_t id, const std::string& shown, const CallParts& call) {
  const vm::BuiltinInfo& info = vm::BuiltinOf(static_cast<uint16_t>(id));
  size_t given = call.piped ? 1 : 0;
  for (const Argument& argument : call.arguments) {
    if (!argument.keyword) {
      ++given;
    } else if (id != vm::kBuiltin_start) {
      return Error(argument.keyword->span, "`" + shown + "` takes no keyword arguments",
                   "pass the value by position; `(:" + argument.keyword->text + ")` in parentheses is the symbol");
    }
  }
  const bool any = info.most == 255;
  if (given >= info.least && (any || given <= info.most)) return;
  Error(call.span, "`" + shown + "` takes " + Range(info.least, info.most, any) + ", not " + std::to_string(given),
        "`" + shown + "` is a builtin; a function of your own with that name takes its place");
}

void FunctionChecker::ForeignCall(const Global& global, const std::string& shown, const CallParts& call) {
  const Item::Foreign& foreign = *program_.imports[global.index].foreign;
  const size_t given = call.arguments.size() + (call.piped ? 1 : 0);
  if (!foreign.arity || *foreign.arity == given) return;
  Warning(call.span,
          "`" + shown + "` is imported with " + Count(*foreign.arity) + ", and called with " + std::to_string(given),
          "Python decides whether that works; correct the call, or the number in the import");
}

}  // namespace teal::lang

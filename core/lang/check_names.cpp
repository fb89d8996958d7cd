// Names in the functions that use them: variables, captures, globals.
#include <algorithm>
#include <cassert>

#include "core/lang/check_function.h"
#include "core/vm/builtins.h"

namespace teal::lang {

FunctionChecker::Variable* FunctionChecker::NewVariable(NameId name, Function* owner) {
  Variable& variable = variables_.emplace_back();
  variable.name = name;
  variable.owner = owner;
  return &variable;
}

FunctionChecker::Variable*& FunctionChecker::Env(NameId name) {
  if (name >= env_.size()) env_.resize(names_.size() + 64, nullptr);
  return env_[name];
}

bool FunctionChecker::IsModule(NameId name) const {
  const auto found = unit_.globals.find(name);
  return found != unit_.globals.end() && found->second.kind == GlobalKind::kModule;
}

void FunctionChecker::CheckBinding(const Ident& ident) {
  if (!IsModule(names_.Intern(ident.text))) return;
  Error(ident.span, "`" + ident.text + "` is a module and cannot be shadowed",
        "use another name here, or for the module");
}

void FunctionChecker::BindBlock(const Ident& ident, std::vector<std::pair<NameId, Variable*>>* before) {
  CheckBinding(ident);
  const NameId name = names_.Intern(ident.text);
  before->emplace_back(name, Env(name));
  Variable* variable = NewVariable(name, now_);
  variable->seen = true;
  Env(name) = variable;
}

void FunctionChecker::UnbindBlock(std::vector<std::pair<NameId, Variable*>>* before) {
  for (; !before->empty(); before->pop_back()) Env(before->back().first) = before->back().second;
}

FunctionChecker::Variable* FunctionChecker::CaptureOf(const Function& function, NameId name) const {
  for (Variable* capture : function.captures) {
    if (capture->name == name) return capture;
  }
  return nullptr;
}

bool FunctionChecker::ReadVariable(NameId name, Span span) {
  Variable* variable = Env(name);
  if (variable == nullptr) return false;
  Read(*now_, *variable, span);
  return true;
}

// `variable` is what a name means in `function`: its own, or one of a function around it.
void FunctionChecker::Read(Function& function, Variable& variable, Span span) {
  if (variable.owner != &function) return Capture(function, variable, span);
  if (variable.is_self) function.scope->self_used = true;
  if (variable.bit < 0 || variable.captured || function.flow.Has(variable.bit)) return;
  if (variable.outer != nullptr) {
    // Assigned here, but not before this: its first value is the captured one.
    variable.captured = true;
    function.captures.push_back(&variable);
    function.scope->captures.push_back(variable.name);
    return Read(*function.parent, *variable.outer, span);
  }
  if (variable.told) return;
  variable.told = true;
  const std::string name(names_.Text(variable.name));
  Warning(span, "`" + name + "` is not assigned on every path to here", "it is `null` until then; assign it before");
}

void FunctionChecker::Capture(Function& function, Variable& variable, Span span) {
  if (CaptureOf(function, variable.name) != nullptr) return;
  Variable* capture = NewVariable(variable.name, &function);
  function.captures.push_back(capture);
  function.scope->captures.push_back(variable.name);
  assert(function.parent != nullptr);
  Read(*function.parent, variable, span);
}

void FunctionChecker::Use(Global& global) {
  if (global.unit == nullptr || !global.unit->library || global.used) return;
  global.used = true;
}

void FunctionChecker::GlobalValue(Global& global, const Expr& at, const std::string& shown) {
  switch (global.kind) {
    case GlobalKind::kFunction:
      Use(global);
      ValueForm(program_, global);
      return;
    case GlobalKind::kModule:
      return Error(at.span, "the module `" + shown + "` is no value", "name what you need of it: `" + shown + ".f`");
    default:
      return;
  }
}

void FunctionChecker::NameValue(const NameExpr& name) {
  const NameId id = names_.Intern(name.name);
  if (ReadVariable(id, name.span)) return;
  Global* global = FindGlobal(program_, unit_, id);
  if (global == nullptr) return Unknown(id, name.span);
  GlobalValue(*global, name, name.name);
}

void FunctionChecker::FieldValue(const FieldExpr& field) {
  Unit* module = nullptr;
  Global* member = FindMember(program_, unit_, field, &module);
  if (member != nullptr) return GlobalValue(*member, field, field.field.text);
  if (module != nullptr) return UnknownMember(*module, As<NameExpr>(*field.object).name, field.field);
  if (field.object->kind == ExprKind::kName && IsModule(names_.Intern(As<NameExpr>(*field.object).name))) {
    return;  // a module that could not be loaded; reported
  }
  Visit(field.object.get());
}

void FunctionChecker::Unknown(NameId name, Span span) {
  if (!report_unknown_ || !now_->unknown.insert(name).second) return;
  std::vector<std::string_view> near;
  for (const Variable* variable : env_) {
    if (variable != nullptr) near.push_back(names_.Text(variable->name));
  }
  for (const auto& [id, global] : unit_.globals) near.push_back(names_.Text(id));
  for (const auto* table : {&program_.library.globals, &program_.builtins}) {
    for (const auto& [id, global] : *table) {
      if (!names_.Text(id).starts_with("__")) near.push_back(names_.Text(id));
    }
  }
  const std::string text(names_.Text(name));
  const std::string_view nearest = Nearest(text, near);
  Error(span, "unknown name `" + text + "`",
        nearest.empty() ? "assign it before, or define or import a function of that name"
                        : "did you mean `" + std::string(nearest) + "`?");
}

void FunctionChecker::UnknownMember(const Unit& module, const std::string& module_name, const Ident& member) {
  std::vector<std::string_view> near;
  for (const auto& [id, global] : module.globals) {
    if (global.kind != GlobalKind::kModule) near.push_back(names_.Text(id));
  }
  const std::string_view nearest = Nearest(member.text, near);
  Error(member.span, "the module `" + module_name + "` has no `" + member.text + "`",
        nearest.empty() ? "define it at top level in " + module.file->name()
                        : "did you mean `" + std::string(nearest) + "`?");
}

}  // namespace teal::lang

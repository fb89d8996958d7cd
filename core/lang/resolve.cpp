#include "core/lang/resolve.h"

#include <algorithm>
#include <cassert>

#include "core/vm/builtins.h"

namespace teal::lang {
namespace {

std::string PlaceOf(const Unit& unit, Span span) {
  return "line " + std::to_string(unit.file->At(span.begin).line);
}

class Declarer {
 public:
  Declarer(Program& program, Unit& unit) : program_(program), unit_(unit) {}

  void Run(const std::vector<Unit*>& modules) {
    size_t module = 0;
    for (const Item& item : unit_.tree->items) {
      switch (item.kind) {
        case ItemKind::kFunction:
          Function(item);
          break;
        case ItemKind::kConstant:
          Add(item.name, GlobalKind::kConstant, item);
          break;
        case ItemKind::kImportForeign:
          Foreign(item);
          break;
        case ItemKind::kImportModule: {
          Global* global = Add(item.name, GlobalKind::kModule, item);
          assert(module < modules.size());
          if (global != nullptr) global->unit = modules[module];
          ++module;
          break;
        }
        case ItemKind::kStray:
          break;
      }
    }
  }

 private:
  static const char* WhatIs(GlobalKind kind) {
    switch (kind) {
      case GlobalKind::kFunction:
        return "function";
      case GlobalKind::kConstant:
        return "constant";
      case GlobalKind::kForeign:
        return "import";
      case GlobalKind::kModule:
        return "module";
      default:
        return "name";
    }
  }

  Global* Add(const Ident& ident, GlobalKind kind, const Item& item) {
    if (ident.text.empty()) return nullptr;  // the parser has reported it
    const NameId name = program_.names.Intern(ident.text);
    const auto [at, added] = unit_.globals.try_emplace(name);
    Global& global = at->second;
    if (!added) {
      const std::string what = WhatIs(kind);
      const std::string other = WhatIs(global.kind);
      const Span first = spans_.at(name);
      program_.diagnostics->Error(
          *unit_.file, ident.span, "duplicate " + what + " `" + ident.text + "`",
          "the " + other + " `" + ident.text + "` is already on " + PlaceOf(unit_, first) + "; rename one of them");
      return nullptr;
    }
    spans_.emplace(name, ident.span);
    global.kind = kind;
    global.unit = &unit_;
    global.item = &item;
    return &global;
  }

  FunctionScope& NewScope(FunctionRole role, const Item& item) {
    FunctionScope& scope = program_.scopes.emplace_back();
    scope.role = role;
    scope.unit = &unit_;
    scope.item = &item;
    unit_.functions.push_back(&scope);
    return scope;
  }

  void Function(const Item& item) {
    Global* global = Add(item.name, GlobalKind::kFunction, item);
    const auto has = [&](std::string_view name) {
      return std::any_of(item.attributes.begin(), item.attributes.end(),
                         [&](const Attribute& attribute) { return attribute.name.text == name; });
    };
    // An attempt has the deadline, so that the wrapper that repeats is the outer one.
    FunctionScope* retry = has("retry") ? &NewScope(FunctionRole::kRetry, item) : nullptr;
    FunctionScope* timeout = has("timeout") ? &NewScope(FunctionRole::kTimeout, item) : nullptr;
    FunctionScope& body = NewScope(FunctionRole::kPlain, item);
    CollectScopes(body, program_.names, program_.scopes, unit_.library ? nullptr : &program_.constants);
    FunctionScope* outer = &body;
    for (FunctionScope* wrapper : {timeout, retry}) {
      if (wrapper == nullptr) continue;
      wrapper->parameters = body.parameters;
      wrapper->inner = outer;
      outer = wrapper;
    }
    if (global != nullptr) global->function = outer;
  }

  void Foreign(const Item& item) {
    for (const Item::Foreign& foreign : item.functions) {
      Global* global = Add(foreign.local, GlobalKind::kForeign, item);
      if (global == nullptr) continue;
      global->index = static_cast<uint32_t>(program_.imports.size());
      program_.imports.push_back({&item, &foreign, &unit_});
    }
  }

  Program& program_;
  Unit& unit_;
  std::unordered_map<NameId, Span> spans_;
};

}  // namespace

void DeclareBuiltins(Program& program) {
  for (uint16_t id = 0; id < vm::kBuiltinIdEnd; ++id) {
    const vm::BuiltinInfo& info = vm::BuiltinOf(id);
    if (info.name.empty()) continue;
    Global& global = program.builtins[program.names.Intern(info.name)];
    global.kind = GlobalKind::kBuiltin;
    global.index = id;
  }
  program.builtins[program.names.Intern("__apply")].kind = GlobalKind::kApply;
}

void DeclareUnit(Program& program, Unit& unit, const std::vector<Unit*>& modules) {
  Declarer(program, unit).Run(modules);
}

Global* FindGlobal(Program& program, Unit& unit, NameId name) {
  const auto own = unit.globals.find(name);
  if (own != unit.globals.end()) return &own->second;
  if (!unit.library) {
    const std::string_view text = program.names.Text(name);
    if (text.starts_with("__")) return nullptr;  // the library's inner names
    const auto shared = program.library.globals.find(name);
    if (shared != program.library.globals.end()) return &shared->second;
  }
  const auto builtin = program.builtins.find(name);
  return builtin != program.builtins.end() ? &builtin->second : nullptr;
}

Global* FindMember(Program& program, Unit& unit, const FieldExpr& field, Unit** module) {
  *module = nullptr;
  if (field.object->kind != ExprKind::kName) return nullptr;
  const auto found = unit.globals.find(program.names.Intern(As<NameExpr>(*field.object).name));
  if (found == unit.globals.end() || found->second.kind != GlobalKind::kModule) return nullptr;
  *module = found->second.unit;
  if (*module == nullptr) return nullptr;
  const auto member = (*module)->globals.find(program.names.Intern(field.field.text));
  if (member == (*module)->globals.end() || member->second.kind == GlobalKind::kModule) return nullptr;
  return &member->second;
}

bool IsOptional(const FunctionScope& function, size_t parameter, const NameTable& names) {
  return function.unit->library && names.Text(function.parameters[parameter]).ends_with('?');
}

size_t RequiredParameters(const FunctionScope& function, const NameTable& names) {
  size_t count = function.parameters.size();
  while (count > 0 && IsOptional(function, count - 1, names)) --count;
  return count;
}

size_t FindParameter(const FunctionScope& function, std::string_view keyword, const NameTable& names) {
  for (size_t i = 0; i < function.parameters.size(); ++i) {
    std::string_view name = names.Text(function.parameters[i]);
    if (IsOptional(function, i, names)) name.remove_suffix(1);
    if (name == keyword) return i;
  }
  return function.parameters.size();
}

FunctionScope* ValueForm(Program& program, Global& global) {
  assert(global.kind == GlobalKind::kFunction);
  FunctionScope& function = *global.function;
  const size_t required = RequiredParameters(function, program.names);
  if (required == function.parameters.size()) return &function;
  if (global.short_form == nullptr) {
    FunctionScope& made = program.scopes.emplace_back();
    made.role = FunctionRole::kShort;
    made.unit = function.unit;
    made.item = function.item;
    made.inner = &function;
    made.parameters.assign(function.parameters.begin(), function.parameters.begin() + static_cast<ptrdiff_t>(required));
    global.short_form = &made;
  }
  return global.short_form;
}

std::string_view Nearest(std::string_view name, const std::vector<std::string_view>& candidates) {
  constexpr size_t kLengthMax = 64;
  if (name.size() > kLengthMax) return {};
  std::string_view best;
  size_t best_distance = std::max<size_t>(1, name.size() / 3) + 1;
  std::vector<size_t> before2, before, row;
  for (const std::string_view candidate : candidates) {
    const size_t n = name.size();
    const size_t m = candidate.size();
    if (m > n + best_distance || n > m + best_distance || candidate == name) continue;
    before2.assign(m + 1, 0);
    before.resize(m + 1);
    row.assign(m + 1, 0);
    for (size_t j = 0; j <= m; ++j) before[j] = j;
    for (size_t i = 1; i <= n; ++i) {
      row[0] = i;
      for (size_t j = 1; j <= m; ++j) {
        const size_t change = name[i - 1] == candidate[j - 1] ? 0 : 1;
        row[j] = std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + change});
        const bool swapped = i > 1 && j > 1 && name[i - 1] == candidate[j - 2] && name[i - 2] == candidate[j - 1];
        if (swapped) row[j] = std::min(row[j], before2[j - 2] + 1);
      }
      before2.swap(before);
      before.swap(row);
    }
    // A tie goes to the first in the alphabet, whatever the order of the tables.
    if (before[m] < best_distance || (before[m] == best_distance && !best.empty() && candidate < best)) {
      best_distance = before[m];
      best = candidate;
    }
  }
  return best;
}

}  // namespace teal::lang

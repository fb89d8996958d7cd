// The walk over one top-level function and the closures in it. Used by check*.cpp only.
#pragma once

#include <deque>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/lang/check_flow.h"
#include "core/lang/resolve.h"

namespace teal::lang {

class FunctionChecker {
 public:
  FunctionChecker(Program& program, Unit& unit, bool report_unknown)
      : program_(program), unit_(unit), names_(program.names), report_unknown_(report_unknown) {}
  void Run(FunctionScope& top);

 private:
  struct Function;
  struct Variable {
    NameId name = kNoName;
    Function* owner = nullptr;
    int bit = -1;               // in the flow; -1: always has a value
    Variable* outer = nullptr;  // assigned here, and also a variable of a function around this one
    bool is_self = false;
    bool seen = false;      // bound somewhere before, in the order of the text
    bool captured = false;  // its first value comes from outside
    bool told = false;      // warned about
  };
  struct Loop {
    Flow breaks;
    bool broken = false;
  };
  struct Function {
    FunctionScope* scope = nullptr;
    Function* parent = nullptr;
    std::vector<Variable*> captures;
    std::unordered_set<NameId> unknown;  // reported
    std::vector<Loop> loops;
    size_t finally_loops = 0;  // loops around the innermost finally body
    int finally_depth = 0;     // finally bodies around
    size_t next_closure = 0;
    Flow flow;
  };

  // check_function.cpp
  void Closure(const FunctionExpr& function, NameId self);
  void Walk(Function& function);
  void Block(const BlockExpr& block);
  void Visit(const Expr* expr);
  void Unary(const UnaryExpr& unary);
  void Assign(const AssignExpr& assign);
  void If(const IfExpr& expr);
  void While(const WhileExpr& loop);
  void For(const ForExpr& loop);
  void Try(const TryExpr& expr);
  void Jump(const Expr& expr, const char* word);
  void Logical(const BinaryExpr& binary);
  void HashKeys(const HashExpr& hash);
  void Pipe(const PipeExpr& pipe);

  // check_names.cpp
  Variable* NewVariable(NameId name, Function* owner);
  Variable*& Env(NameId name);
  void BindBlock(const Ident& ident, std::vector<std::pair<NameId, Variable*>>* before);
  void UnbindBlock(std::vector<std::pair<NameId, Variable*>>* before);
  void CheckBinding(const Ident& ident);
  bool IsModule(NameId name) const;
  // True: the name is a variable here (and is now marked as read).
  bool ReadVariable(NameId name, Span span);
  void Read(Function& function, Variable& variable, Span span);
  void Capture(Function& function, Variable& variable, Span span);
  Variable* CaptureOf(const Function& function, NameId name) const;
  void NameValue(const NameExpr& name);
  void FieldValue(const FieldExpr& field);
  void GlobalValue(Global& global, const Expr& at, const std::string& shown);
  void Unknown(NameId name, Span span);
  void UnknownMember(const Unit& module, const std::string& module_name, const Ident& member);
  void Use(Global& global);

  // check_calls.cpp
  struct CallParts {
    const Expr* callee;
    std::span<const Argument> arguments;
    bool piped;  // one more argument, first
    Span span;
  };
  void Call(const CallParts& call);
  void Known(Global& global, const std::string& shown, const CallParts& call);
  void FunctionCall(const FunctionScope& function, const std::string& shown, const CallParts& call);
  void BuiltinCall(uint32_t id, const std::string& shown, const CallParts& call);
  void ForeignCall(const Global& global, const std::string& shown, const CallParts& call);
  void Arguments(const CallParts& call);
  bool NotCallable(const Expr& expr);

  void Error(Span span, std::string message, std::string hint) {
    program_.diagnostics->Error(*unit_.file, span, std::move(message), std::move(hint));
  }
  void Warning(Span span, std::string message, std::string hint) {
    program_.diagnostics->Warning(*unit_.file, span, std::move(message), std::move(hint));
  }

  Program& program_;
  Unit& unit_;
  NameTable& names_;
  const bool report_unknown_;
  std::deque<Variable> variables_;
  std::vector<Variable*> env_;  // by name: the variable it is here, null: none
  Function* now_ = nullptr;
  uint32_t awaits_ = 0;       // seen so far
  std::vector<Span> asyncs_;  // of the present function, in loops
  friend class UnitChecker;
};

}  // namespace teal::lang

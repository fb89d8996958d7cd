// Computing expressions at compile time: constants of the top level, and folding.
#pragma once

#include <span>
#include <string>

#include "core/lang/ast.h"
#include "core/lang/resolve.h"
#include "core/vm/value.h"

namespace teal::lang {

class Folder {
 public:
  enum class Outcome : uint8_t {
    kValue,
    kNotConstant,  // culprit() says which part
    kRaises,       // culprit() where, *out the error value
    kReported,     // a constant it refers to has failed; reported there
  };
  // Tells whether a name is hidden by a local variable; never called when null.
  struct Locals {
    virtual bool IsLocal(const std::string& name) const = 0;

   protected:
    ~Locals() = default;
  };

  Folder(Program& program, Unit& unit, const Locals* locals) : program_(program), unit_(unit), locals_(locals) {}

  // Everything: literals, operators, lists, hashes, access, pure builtins.
  Outcome Evaluate(const Expr& expr, vm::Value* out);
  // The same for a constant of the top level: kRaises with `limit` when those have taken too much (fold.cpp).
  Outcome EvaluateMetered(const Expr& expr, vm::Value* out);
  // For folding: the same, of what is cheap and small only. True: the value is *out.
  bool Fold(const Expr& expr, vm::Value* out);
  // One step of a chain of binary operators.
  static bool Apply(BinaryOp op, vm::Value left, const vm::Value& right, vm::Value* out);

  const Expr* culprit() const { return culprit_; }

 private:
  Outcome Visit(const Expr& expr, vm::Value* out);
  Outcome Name(const Expr& expr, const std::string& name, vm::Value* out);
  Outcome Field(const FieldExpr& field, vm::Value* out);
  Outcome Binary(const BinaryExpr& binary, vm::Value* out);
  Outcome Call(const Expr& at, const Expr& callee, std::span<const Argument> arguments, const vm::Value* first,
               vm::Value* out);
  Outcome Pipe(const PipeExpr& pipe, vm::Value* out);
  Outcome Hash(const HashExpr& hash, vm::Value* out);
  Outcome Constant(Global& global, vm::Value* out);
  Outcome Refuse(const Expr& expr) {
    culprit_ = &expr;
    return Outcome::kNotConstant;
  }
  Outcome Raise(const Expr& expr) {
    culprit_ = &expr;
    return Outcome::kRaises;
  }
  // Result of an operator that tells whether it went well.
  Outcome Done(bool ok, const Expr& expr) { return ok ? Outcome::kValue : Raise(expr); }

  Program& program_;
  Unit& unit_;
  const Locals* locals_;
  bool folding_ = false;
  bool metered_ = false;
  const Expr* culprit_ = nullptr;
};

// The value of a constant of the top level; reports what is wrong with it, once. Null: it has none.
const vm::Value* ConstantValue(Program& program, Global& global);

}  // namespace teal::lang

// From checked trees to code. One Codegen makes the code of one function.
//
// Registers: parameters, captured values, the closure itself (where it needs one), the function's locals, and above
// them a stack of temporaries, which also hold the variables of blocks. Every expression is generated towards a
// destination, so that a value is made where it is needed. A variable's register is written only when its new value is
// whole: the expression, and handlers, may still read the old one. Precondition of all: the program was checked without
// errors.
//
// Windows: instructions that take a range of registers consume it. A variable among the operands is moved into the
// window last, when the others have been evaluated: that move is then often its last use, which liveness.h makes a
// transfer of ownership, so that `xs = set(xs, i, xs[i] + 1)` changes the list in place.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/lang/check_attributes.h"
#include "core/lang/emit.h"
#include "core/lang/fold.h"
#include "core/lang/resolve.h"

namespace teal::lang {

// Where the value of an expression goes.
struct Dest {
  enum class Kind : uint8_t { kNone, kVariable, kTemp, kTail };
  Kind kind = Kind::kNone;
  Reg reg = 0;

  static Dest None() { return {}; }
  static Dest Variable(Reg reg) { return {Kind::kVariable, reg}; }
  static Dest Temp(Reg reg) { return {Kind::kTemp, reg}; }  // nothing else looks at it until it is whole
  static Dest Tail() { return {Kind::kTail, 0}; }           // returned; only where no handler is in force
  bool IsReg() const { return kind == Kind::kVariable || kind == Kind::kTemp; }
};

class Codegen final : private Folder::Locals {
 public:
  // registers_of: by NameId, all kNoReg; given back so. wide: no 16-bit jumps.
  Codegen(Program& program, FunctionScope& scope, std::vector<Reg>& registers_of, bool wide);
  // False: a limit was passed; problem() says which, or NeedsWide().
  bool Run(Code* code);
  bool NeedsWide() const { return needs_wide_; }
  const std::string& problem() const { return problem_; }
  // R[parameters + captures] is the closure itself.
  static bool NeedsSelfRegister(const FunctionScope& scope);

  static constexpr Reg kNoReg = UINT32_MAX;

 private:
  static constexpr uint32_t kFirstExit = 2;  // reasons below are codegen_try.cpp's own
  static constexpr Reg kSelfFunction =
      UINT32_MAX - 1;  // the name stands for the running function, which captures nothing

  struct Callee {
    enum class Kind : uint8_t { kFunction, kBuiltin, kForeign, kRaise, kApply, kValue };
    Kind kind = Kind::kValue;
    FunctionScope* function = nullptr;
    uint32_t index = 0;  // kBuiltin, kForeign
  };
  struct CallParts {
    const Expr* callee;
    std::span<const Argument> arguments;
    std::optional<Reg> piped;     // the first argument stands here, on top of the temporaries
    const Expr* first = nullptr;  // or it is this variable, which need not be copied before the others are evaluated
    uint32_t offset;              // of the source
    uint32_t End() const { return arguments.empty() ? callee->span.end : arguments.back().value->span.end; }
    size_t Count() const { return arguments.size() + (piped || first != nullptr ? 1 : 0); }
  };
  struct Region {  // a loop or a try with a finally around the present code
    bool loop = false;
    Label break_to = 0, continue_to = 0;  // loop
    Label entry = 0;                      // finally
    Reg value = 0, reason = 0;            // finally: the pending error or value, and why it is run
    struct Exit {
      enum class Kind : uint8_t { kReturn, kBreak, kContinue } kind;
      size_t loop;  // index of its region
    };
    std::vector<Exit> exits;
  };
  class TempScope {
   public:
    explicit TempScope(Codegen& gen) : gen_(gen), saved_(gen.next_) {}
    ~TempScope() { gen_.next_ = saved_; }

   private:
    Codegen& gen_;
    const Reg saved_;
  };

  // codegen.cpp
  void Declare();
  void Body();
  void Wrapper();
  void BindBlockName(const Ident& ident, Reg reg);
  void UnbindBlockNames(size_t count);
  bool IsLocal(const std::string& name) const override;
  Reg LocalOf(const std::string& name) const;
  Reg NewTemp(uint32_t count = 1);
  void Fail(std::string problem);
  void Deliver(Dest dest, Reg from);
  void Null(Dest dest);
  void LoadValue(const vm::Value& value, Reg to);
  void LoadConstant(uint32_t index, Reg to);
  Reg WholeReg(Dest dest);
  bool Folded(const Expr& expr, vm::Value* value);

  // codegen_expr.cpp
  void Gen(const Expr& expr, Dest dest);
  void GenInto(const Expr& expr, Dest dest);
  Reg Any(const Expr& expr, uint32_t until = 0);
  Reg VariableOf(const Expr& expr) const;
  bool Reassigned(const Expr& name, uint32_t from, uint32_t until) const;
  void Operand(const Expr& expr, Reg to, uint32_t until);
  void CloseWindow(size_t pending);
  void Name(const NameExpr& name, Dest dest);
  void GlobalValue(const Expr& expr, Global& global, Dest dest);
  void Assign(const AssignExpr& assign, Dest dest);
  void Unary(const UnaryExpr& unary, Dest dest);
  void Binary(const BinaryExpr& binary, Dest dest);
  void AssertComparison(const BinaryExpr& comparison, uint32_t offset, Dest dest);
  void Logical(const BinaryExpr& binary, Dest dest);
  void Step(BinaryOp op, Reg to, Reg left, const Expr& right);
  void List(const ListExpr& list, Dest dest);
  void Hash(const HashExpr& hash, Dest dest);
  void Format(const FormatExpr& format, Dest dest);
  void Index(const IndexExpr& index, Dest dest);
  void Slice(const SliceExpr& slice, Dest dest);
  void Field(const FieldExpr& field, Dest dest);
  void Closure(const FunctionExpr& function, Dest dest);
  void Pipe(const PipeExpr& pipe, Dest dest);

  // codegen_call.cpp
  Callee Resolve(const Expr& callee);
  void Call(const CallParts& call, Dest dest);
  void Spawn(const CallParts& call, Dest dest);
  void LoadCallee(const Callee& callee, const CallParts& call, Reg to);
  void FunctionArguments(const FunctionScope& function, const CallParts& call);
  uint32_t Positional(const CallParts& call);
  bool Keywords(const CallParts& call);
  void RaiseNew(const CallParts& call);
  bool UpdatesVariable(const CallParts& call, Dest dest) const;
  bool Special(const Callee& callee, const CallParts& call, Dest dest, Reg base);

  // codegen_control.cpp
  void Block(const BlockExpr& block, Dest dest);
  void If(const IfExpr& expr, Dest dest);
  void While(const WhileExpr& loop, Dest dest);
  void For(const ForExpr& loop, Dest dest);
  bool ForRange(const ForExpr& loop);
  void LoopBody(const ForExpr& loop, Reg first, Label continue_to, Label end);
  void Return(const ReturnExpr& expr);
  void LeaveLoop(bool is_break, uint32_t offset);
  void Exit(Region::Exit exit, size_t depth, Reg value);
  void Branch(const Expr& condition, bool when, Label label);
  bool BranchCompare(const BinaryExpr& binary, bool when, Label label);

  // codegen_try.cpp
  void Try(const TryExpr& expr, Dest dest);
  void Clauses(const TryExpr& expr, Dest dest, Dest inner);
  void Finally(const TryExpr& expr, const Region& region, uint32_t from, uint32_t to);

  Program& program_;
  FunctionScope& scope_;
  std::vector<Reg>& registers_of_;
  const bool wide_;
  const bool optimize_;
  CodeBuilder code_;
  Folder folder_;
  Reg next_ = 0;
  Reg highest_ = 0;
  int protected_ = 0;    // handlers in force
  size_t closures_ = 0;  // next child of scope_ to be made
  std::vector<Region> regions_;
  // Variables that the windows being filled still have to take up, those of the innermost at the end.
  std::vector<std::pair<const Expr*, Reg>> pending_;
  std::vector<std::pair<NameId, Reg>> block_names_;  // what the names were bound to before
  struct OpenLocal {
    std::string name;
    Reg reg;
    uint32_t from;
  };
  std::vector<OpenLocal> open_locals_;
  std::string problem_;
  bool needs_wide_ = false;
};

}  // namespace teal::lang

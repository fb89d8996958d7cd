// The syntax tree.
//
// Invariants:
//  - Every node has the exact span of the text it came from; a child's span lies within its parent's.
//  - Nodes own their children (unique_ptr); no node is shared, no pointer goes upwards.
//  - Chains of binary operators of one precedence level are one Binary node, so that depth of the tree is bounded by
//    kNestingMax and every pass may recurse over it. Clauses of if/else-if are one If node for the same reason.
//  - The parser does no name resolution: Name nodes are plain text. Pipes are kept as Pipe nodes (fmt needs them).
//  - The tree holds what was written; meaning (defaults, desugaring) is the compiler's.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/lang/source.h"

namespace teal::lang {

inline constexpr int kNestingMax = 200;     // nested expressions and blocks
inline constexpr int kParametersMax = 255;  // of one function

enum class ExprKind : uint8_t {
  kNull,
  kBool,
  kInt,
  kFloat,
  kString,
  kFormat,
  kSymbol,
  kDuration,
  kName,
  kList,
  kHash,
  kUnary,
  kBinary,
  kPipe,
  kAssign,
  kCall,
  kIndex,
  kSlice,
  kField,
  kFunction,
  kBlock,
  kIf,
  kFor,
  kWhile,
  kTry,
  kBreak,
  kContinue,
  kReturn,
};

struct Expr {
  ExprKind kind;
  Span span;
  virtual ~Expr() = default;

 protected:
  Expr(ExprKind k, Span s) : kind(k), span(s) {}
};
using ExprPtr = std::unique_ptr<Expr>;

// A name where it is bound (parameter, loop variable, function name, …).
struct Ident {
  std::string text;
  Span span;
};

template <ExprKind K>
struct ExprOf : Expr {
  static constexpr ExprKind kKind = K;
  explicit ExprOf(Span s) : Expr(K, s) {}
};

// Precondition: e.kind == T::kKind.
template <typename T>
const T& As(const Expr& e) {
  return static_cast<const T&>(e);
}
template <typename T>
T& As(Expr& e) {
  return static_cast<T&>(e);
}

struct NullExpr : ExprOf<ExprKind::kNull> {
  using ExprOf::ExprOf;
};
struct BoolExpr : ExprOf<ExprKind::kBool> {
  using ExprOf::ExprOf;
  bool value = false;
};
struct IntExpr : ExprOf<ExprKind::kInt> {
  using ExprOf::ExprOf;
  // The magnitude. 2^63 is legal only as the operand of unary minus (then the pair is the literal
  // -9223372036854775808); the lexer reports anything larger, the checker 2^63 elsewhere.
  uint64_t magnitude = 0;
};
struct FloatExpr : ExprOf<ExprKind::kFloat> {
  using ExprOf::ExprOf;
  double value = 0;
};
struct StringExpr : ExprOf<ExprKind::kString> {
  using ExprOf::ExprOf;
  std::string value; /* decoded UTF-8 */
};
struct SymbolExpr : ExprOf<ExprKind::kSymbol> {
  using ExprOf::ExprOf;
  std::string name; /* without the colon */
};
struct DurationExpr : ExprOf<ExprKind::kDuration> {
  using ExprOf::ExprOf;
  // A number of seconds: an integer when the written value is a whole number of seconds, else a float.
  bool integral = true;
  int64_t whole_seconds = 0;
  double seconds = 0;
};
// f"…": literals.size() == parts.size() + 1, interleaved literal, part, literal, …
struct FormatExpr : ExprOf<ExprKind::kFormat> {
  using ExprOf::ExprOf;
  std::vector<std::string> literals;
  std::vector<ExprPtr> parts;
};
struct NameExpr : ExprOf<ExprKind::kName> {
  using ExprOf::ExprOf;
  std::string name;
};
struct ListExpr : ExprOf<ExprKind::kList> {
  using ExprOf::ExprOf;
  std::vector<ExprPtr> items;
};
struct HashExpr : ExprOf<ExprKind::kHash> {
  using ExprOf::ExprOf;
  std::vector<std::pair<ExprPtr, ExprPtr>> entries;
};

enum class UnaryOp : uint8_t { kNegate, kNot, kAsync, kAwait };
struct UnaryExpr : ExprOf<ExprKind::kUnary> {
  using ExprOf::ExprOf;
  UnaryOp op = UnaryOp::kNegate;
  Span op_span;
  ExprPtr operand;
};

enum class BinaryOp : uint8_t { kOr, kAnd, kEq, kNe, kLt, kLe, kGt, kGe, kAdd, kSub, kMul, kDiv, kMod };
// As written, by BinaryOp.
inline constexpr std::array kBinaryTexts = {"||", "&&", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"};
// operands[0] ops[0] operands[1] ops[1] …, all of one precedence level, left-associative.
// operands.size() == ops.size() + 1 >= 2.
struct BinaryExpr : ExprOf<ExprKind::kBinary> {
  using ExprOf::ExprOf;
  std::vector<ExprPtr> operands;
  std::vector<BinaryOp> ops;
  std::vector<Span> op_spans;
};
// stages[0] |> stages[1] |> …: stages[i>0] is a Call (first argument inserted), a bare `await` (kUnary kAwait with a
// null operand) or any other expression, which is called with the value.
struct PipeExpr : ExprOf<ExprKind::kPipe> {
  using ExprOf::ExprOf;
  std::vector<ExprPtr> stages;
};
struct AssignExpr : ExprOf<ExprKind::kAssign> {
  using ExprOf::ExprOf;
  // Anything that parses as an operand; the checker reports whatever is no plain name ("assignment to a non-variable").
  ExprPtr target;
  ExprPtr value;
};

struct Argument {
  std::optional<Ident> keyword;  // f(:size 3); the span includes the colon, the text does not
  ExprPtr value;
};
struct CallExpr : ExprOf<ExprKind::kCall> {
  using ExprOf::ExprOf;
  ExprPtr callee;
  std::vector<Argument> arguments;
};
struct IndexExpr : ExprOf<ExprKind::kIndex> {
  using ExprOf::ExprOf;
  ExprPtr object;
  ExprPtr index;
};
struct SliceExpr : ExprOf<ExprKind::kSlice> {
  using ExprOf::ExprOf;
  ExprPtr object;
  ExprPtr from;  // null: from the beginning
  ExprPtr to;    // null: to the end
};
struct FieldExpr : ExprOf<ExprKind::kField> {
  using ExprOf::ExprOf;
  ExprPtr object;
  Ident field;
};

struct BlockExpr : ExprOf<ExprKind::kBlock> {
  using ExprOf::ExprOf;
  std::vector<ExprPtr> statements;
};
using BlockPtr = std::unique_ptr<BlockExpr>;

struct FunctionExpr : ExprOf<ExprKind::kFunction> {  // fn(a) {…} or lambda(a) {…}
  using ExprOf::ExprOf;
  bool spelled_lambda = false;
  std::vector<Ident> parameters;
  BlockPtr body;
};

struct IfExpr : ExprOf<ExprKind::kIf> {
  using ExprOf::ExprOf;
  struct Clause {
    ExprPtr condition;
    BlockPtr body;
  };
  std::vector<Clause> clauses;  // at least one
  BlockPtr otherwise;           // null when there is no else
};
struct ForExpr : ExprOf<ExprKind::kFor> {
  using ExprOf::ExprOf;
  Ident first;
  std::optional<Ident> second;  // for k, v in h
  ExprPtr subject;
  BlockPtr body;
};
struct WhileExpr : ExprOf<ExprKind::kWhile> {
  using ExprOf::ExprOf;
  ExprPtr condition;
  BlockPtr body;
};
struct TryExpr : ExprOf<ExprKind::kTry> {
  using ExprOf::ExprOf;
  struct Clause {
    Span span;
    std::optional<Ident> name;  // catch {…} binds nothing
    ExprPtr guard;              // null: none
    BlockPtr body;
  };
  BlockPtr body;
  std::vector<Clause> clauses;
  BlockPtr finally;  // null: none; a try has at least one clause or a finally
};
struct BreakExpr : ExprOf<ExprKind::kBreak> {
  using ExprOf::ExprOf;
};
struct ContinueExpr : ExprOf<ExprKind::kContinue> {
  using ExprOf::ExprOf;
};
struct ReturnExpr : ExprOf<ExprKind::kReturn> {
  using ExprOf::ExprOf;
  ExprPtr value; /* null: returns null */
};

// ---- top level ----

// #[name(arg, key=value)]
struct Attribute {
  struct Arg {
    std::optional<Ident> key;
    ExprPtr value;  // a literal, duration, list of such, or Name (a parameter's)
    Span span;
  };
  Ident name;
  std::vector<Arg> arguments;
  Span span;
};

enum class ItemKind : uint8_t { kFunction, kConstant, kImportForeign, kImportModule, kStray };

struct Item {
  ItemKind kind = ItemKind::kFunction;
  Span span;  // without its attributes
  std::vector<Attribute> attributes;

  // kFunction: fn name(a, b) {…}
  Ident name;  // also kConstant's, and the local name of kImportModule
  std::vector<Ident> parameters;
  BlockPtr body;

  // kConstant: NAME = value
  ExprPtr value;

  // kImportForeign: import(f, src.main, 1), import(f, :python src.main, 1, local), from src.main import f, g as h
  struct Foreign {
    Ident function;                 // Python's name
    Ident local;                    // the name bound here; same as function unless renamed
    std::optional<uint32_t> arity;  // left out: any number
    Span arity_span;
  };
  std::string language = "python";  // as written after the colon
  Span language_span;
  Ident module;                    // "src.main"
  std::vector<Foreign> functions;  // one for import(…), any number for from … import
  bool call_form = false;          // import(…)

  // kImportModule: import "lib/util.tl" as util
  std::string path;  // decoded
  Span path_span;

  // kStray: any other expression at top level; the checker reports it (parsed so that nothing cascades)
  ExprPtr stray;
};

// A comment, for fmt. Not attached to nodes: fmt places it by position.
struct Comment {
  Span span;  // with its // or /* */, without the newline
  bool block = false;
};

struct Module {
  const SourceFile* file = nullptr;  // outlives the tree
  std::vector<Item> items;
  std::vector<Comment> comments;  // in order of position
};

}  // namespace teal::lang

// The parser's inside, shared by the parser_*.cpp files; nothing else includes this.
//
// How one mistake gives one error: reporting an error sets panic_. While it is set every function returns at once, with
// whatever it has so far, up to the innermost block (or to the top level), which skips to the border of the next
// statement and clears it. Functions never return null: what is missing is a NullExpr of no width.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/mutant.h"
#include "core/lang/ast.h"
#include "core/lang/diagnostic.h"
#include "core/lang/lexer.h"

namespace teal::lang {

class Parser {
 public:
  Parser(const SourceFile& file, Diagnostics& diagnostics, Module& module)
      : file_(file),
        text_(file.text()),
        diagnostics_(diagnostics),
        module_(module),
        lexer_(file, diagnostics, module.comments) {}

  void Run();

 private:
  // A bracket that is open where the parser stands.
  struct Open {
    TokenKind kind;  // the opening token
    uint32_t begin;
    bool reported = false;  // its inside is known to be broken: its end gives no error of its own
  };

  // What brackets, blocks and heads change for their inside.
  struct Context {
    bool newline_ends = true;  // a newline may end a statement here
    bool in_head = false;      // a `{` opens the block that the head awaits, no hash
  };
  class ContextScope {
   public:
    ContextScope(Parser& parser, Context inside) : parser_(parser), saved_(parser.context_) {
      parser.context_ = inside;
    }
    ~ContextScope() { parser_.context_ = saved_; }
    ContextScope(const ContextScope&) = delete;
    ContextScope& operator=(const ContextScope&) = delete;

   private:
    Parser& parser_;
    const Context saved_;
  };
  static constexpr Context kInBrackets{false, false};
  static constexpr Context kInBlock{true, false};

  // ---- tokens (parser.cpp) ----
  void Advance();
  Token Peek();
  bool At(TokenKind kind) const { return cur_.kind == kind; }
  bool Accept(TokenKind kind);
  std::string_view Text(Span span) const { return text_.substr(span.begin, span.end - span.begin); }
  // The current token begins a line where that may end a statement.
  bool OnNewLine() const {
    return cur_.newline_before && (context_.newline_ends || TEAL_MUTANT("newline_ends_in_brackets"));
  }
  // A `:` with a letter directly after it.
  bool AtSymbol() const;
  bool AtOperand() const;
  // A named function, import or attribute in the first column: no sensible text has that inside a block.
  bool AtItemBorder();
  bool AtColumnOne() const { return cur_.begin == 0 || text_[cur_.begin - 1] == '\n'; }
  Span From(uint32_t begin) const { return {begin, prev_end_ > begin ? prev_end_ : begin}; }

  // ---- errors (parser_recover.cpp) ----
  void Error(Span span, std::string message, std::string hint);   // once per panic
  void Report(Span span, std::string message, std::string hint);  // no panic
  // "expected WHAT, found …" at the current token.
  void Expected(std::string_view what, std::string hint);
  std::string Found() const;
  std::string Where(uint32_t offset) const;  // "line:column"
  std::string HintForStray() const;          // what a token that ends no statement may have meant
  bool Expect(TokenKind kind, const char* what, const char* hint);
  void OpenBracket();
  bool CloseBracket(TokenKind close, const char* or_what);
  void Unclosed(const Open& open);
  void Synchronize(size_t base, uint32_t begun);
  bool LooksLikeStatement();
  bool EnterNesting();
  void LeaveNesting(int height_inside);
  bool CheckChain(Span span);

  // ---- expressions (parser_expr.cpp, parser_operand.cpp, parser_block.cpp) ----
  ExprPtr ParseExpr();
  ExprPtr ParsePipe();
  ExprPtr ParseStage();
  ExprPtr ParseBinary(int precedence);
  bool AtBinary(uint32_t left_begin);
  void WarnOfMinus(uint32_t left_begin);
  ExprPtr ParseUnary();
  ExprPtr ParsePostfix();
  ExprPtr ParseCall(ExprPtr callee, uint32_t begin);
  void ParseArgument(CallExpr& call);
  ExprPtr ParseSubscript(ExprPtr object, uint32_t begin);
  ExprPtr ParseField(ExprPtr object, uint32_t begin);
  ExprPtr ParsePrimary();
  ExprPtr ParseSymbol();
  Ident ReadSymbol();
  ExprPtr ParseString();
  ExprPtr ParseFormat();
  ExprPtr ParseFormatPart(FormatExpr& format, uint32_t* offset);
  ExprPtr ParseParen();
  ExprPtr ParseList();
  ExprPtr ParseHash();
  bool LooksLikeHash();
  ExprPtr ParseFunction();
  ExprPtr ParseIf();
  ExprPtr ParseFor();
  ExprPtr ParseWhile();
  ExprPtr ParseTry();
  ExprPtr ParseControl();
  ExprPtr ParseHead(const char* keyword);
  ExprPtr Missing();
  std::vector<Ident> ParseParameters();
  bool ParseIdent(Ident* ident, const char* what, const char* hint);
  // counted: the block is one level of nesting (a named function's body is not).
  BlockPtr ParseBlock(const char* owner, bool counted = true);
  void ParseStatements(BlockExpr& block);
  ExprPtr ParseStatement();
  void EndStatement();
  void CheckIndent(const Open& open, uint32_t close);

  // Elements separated by commas up to `close`, a trailing comma allowed. What `item` reads is its own.
  template <typename ItemFn>
  void ParseElements(TokenKind close, const ItemFn& item);

  // ---- top level (parser_item.cpp) ----
  void ParseItem();
  std::vector<Attribute> ParseAttributes();
  void ParseAttribute(std::vector<Attribute>& attributes);
  void CheckAttributeValue(const Expr& value);
  void ParseNamedFunction(Item item);
  void ParseImport(Item item);
  void ParseForeign(Item& item);
  bool ParseForeignCount(Item::Foreign& foreign);
  void ParseModuleImport(Item& item);
  void ParseFrom(Item item);
  bool ParseModulePath(Item& item);
  void ParseOther(Item item);
  void EndItem();

  const SourceFile& file_;
  const std::string_view text_;
  Diagnostics& diagnostics_;
  Module& module_;
  Lexer lexer_;

  Token cur_;
  uint32_t prev_end_ = 0;  // where the token before cur_ ended
  Context context_;
  std::vector<Open> open_;
  bool panic_ = false;
  bool block_lost_ = false;  // an unclosed block was reported: those around it are silent about it
  bool stray_lost_ = false;  // a `}` too many was reported: what follows it at top level belongs to no one
  uint32_t warned_to_ = 0;   // `-` at the start of a line is warned of once
  Open suspect_{TokenKind::kEnd, 0, false};  // the first block whose `}` stands further left than its line
  // Nesting: the levels around the parser, and the levels inside the expression it returned last. Brackets, blocks,
  // unary operators and each link of a chain of calls, fields and indexes are one level.
  int depth_ = 0;
  int height_ = 0;
};

template <typename ItemFn>
void Parser::ParseElements(TokenKind close, const ItemFn& item) {
  int height = 0;
  while (!panic_ && !At(close)) {
    item();
    height = height_ > height ? height_ : height;
    if (panic_ || At(close)) break;
    if (Accept(TokenKind::kComma)) continue;
    if (!cur_.newline_before || !AtOperand() || open_.back().reported || AtItemBorder()) break;
    // A comma is missing at the end of a line, or the bracket is never closed. Going on as if there were a comma
    // gives no further error in either case.
    Report(cur_.span(), "expected `,` or `" + std::string(Spelling(close)) + "` before this line",
           "`" + std::string(Spelling(open_.back().kind)) + "` opened at " + Where(open_.back().begin) +
               " is not closed, or a `,` is missing");
    open_.back().reported = true;
  }
  height_ = height;
}

}  // namespace teal::lang

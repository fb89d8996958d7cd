// Blocks, statements, and the expressions that hold blocks.
#include <algorithm>
#include <cassert>

#include "core/lang/parser_impl.h"

namespace teal::lang {

bool Parser::ParseIdent(Ident* ident, const char* what, const char* hint) {
  if (panic_) return false;
  if (!At(TokenKind::kName)) {
    Expected(what,
             IsKeyword(cur_.kind) ? "`" + std::string(Spelling(cur_.kind)) + "` is a keyword; use another name" : hint);
    return false;
  }
  *ident = {std::string(Text(cur_.span())), cur_.span()};
  Advance();
  return true;
}

std::vector<Ident> Parser::ParseParameters() {
  std::vector<Ident> parameters;
  if (panic_) return parameters;
  if (!At(TokenKind::kLeftParen)) {
    Expected("`(` and the parameters", "a function without parameters is written with `()`");
    return parameters;
  }
  OpenBracket();
  {
    ContextScope inside(*this, kInBrackets);
    ParseElements(TokenKind::kRightParen, [&] {
      height_ = 0;
      Ident parameter;
      if (!ParseIdent(&parameter, "a parameter's name", "parameters are plain names: `fn f(a, b) {…}`")) return;
      if (parameters.size() == static_cast<size_t>(kParametersMax)) {
        Error(parameter.span, "more than " + std::to_string(kParametersMax) + " parameters",
              "pass some of them together, in a list or hash");
        return;
      }
      parameters.push_back(std::move(parameter));
      if (At(TokenKind::kAssign)) {
        Error(cur_.span(), "parameters have no default values", "test for `null` in the body instead");
      }
    });
  }
  CloseBracket(TokenKind::kRightParen, "`,` or ");
  return parameters;
}

ExprPtr Parser::ParseFunction() {
  const uint32_t begin = cur_.begin;
  auto function = std::make_unique<FunctionExpr>(cur_.span());
  function->spelled_lambda = At(TokenKind::kLambda);
  Advance();
  ExprPtr name;
  if (At(TokenKind::kName)) {
    const std::string called(Text(cur_.span()));
    Report(cur_.span(), "a function with a name stands at top level only",
           "write `" + called + " = fn(…) {…}`, or move it out");
    // Taken as what the hint says, so that its calls are no mistakes too.
    name = ParsePrimary();
  }
  if (IsKeyword(cur_.kind)) {
    Expected("a name or `(`", "`" + std::string(Spelling(cur_.kind)) + "` is a keyword; use another name");
  }
  function->parameters = ParseParameters();
  function->body = ParseBlock("the function");
  function->span = From(begin);
  if (name == nullptr) return function;
  auto assign = std::make_unique<AssignExpr>(From(begin));
  assign->target = std::move(name);
  assign->value = std::move(function);
  return assign;
}

// The expression between a keyword and the block that it awaits.
ExprPtr Parser::ParseHead(const char* keyword) {
  if (panic_) return Missing();
  ContextScope head(*this, {context_.newline_ends, true});
  if (At(TokenKind::kLeftBrace) && !LooksLikeHash()) {
    ExprPtr missing = Missing();
    Error(cur_.span(), std::string("`") + keyword + "` needs an expression before its block",
          std::string("write e.g. `") +
              (std::string_view(keyword) == "in" ? "for x in xs" : keyword + std::string(" c")) + " {…}`");
    return missing;
  }
  return ParseExpr();
}

ExprPtr Parser::ParseIf() {
  const uint32_t begin = cur_.begin;
  auto made = std::make_unique<IfExpr>(cur_.span());
  int height = 0;
  while (true) {
    Advance();
    IfExpr::Clause clause;
    clause.condition = ParseHead("if");
    height = std::max(height, height_);
    clause.body = ParseBlock("the condition");
    height = std::max(height, height_);
    made->clauses.push_back(std::move(clause));
    if (panic_ || !At(TokenKind::kElse)) break;
    Advance();
    if (At(TokenKind::kIf)) continue;
    made->otherwise = ParseBlock("`else`");
    height = std::max(height, height_);
    break;
  }
  height_ = height;
  made->span = From(begin);
  return made;
}

ExprPtr Parser::ParseFor() {
  const uint32_t begin = cur_.begin;
  auto made = std::make_unique<ForExpr>(cur_.span());
  Advance();
  if (At(TokenKind::kLeftParen)) {
    Error(cur_.span(), "`for` takes no parentheses here", "write `for x in xs {…}` or `for k, v in h {…}`");
  }
  ParseIdent(&made->first, "a variable's name", "write `for x in xs {…}` or `for k, v in h {…}`");
  if (!panic_ && Accept(TokenKind::kComma)) {
    Ident second;
    if (ParseIdent(&second, "a second variable's name", "write `for k, v in h {…}`")) made->second = std::move(second);
  }
  Expect(TokenKind::kIn, "`in`", "write `for x in xs {…}` or `for k, v in h {…}`");
  made->subject = ParseHead("in");
  const int height = height_;
  made->body = ParseBlock("the head of the loop");
  height_ = std::max(height, height_);
  made->span = From(begin);
  return made;
}

ExprPtr Parser::ParseWhile() {
  const uint32_t begin = cur_.begin;
  auto made = std::make_unique<WhileExpr>(cur_.span());
  Advance();
  made->condition = ParseHead("while");
  const int height = height_;
  made->body = ParseBlock("the condition");
  height_ = std::max(height, height_);
  made->span = From(begin);
  return made;
}

ExprPtr Parser::ParseTry() {
  const Token keyword = cur_;
  auto made = std::make_unique<TryExpr>(cur_.span());
  Advance();
  made->body = ParseBlock("`try`");
  int height = height_;
  while (!panic_ && At(TokenKind::kCatch)) {
    TryExpr::Clause clause;
    const uint32_t begin = cur_.begin;
    Advance();
    if (At(TokenKind::kName)) {
      clause.name = Ident{std::string(Text(cur_.span())), cur_.span()};
      Advance();
    } else if (At(TokenKind::kLeftParen)) {
      Error(cur_.span(), "`catch` takes no parentheses here",
            "write `catch e {…}` or `catch e if e.kind == \"…\" {…}`");
    }
    if (!panic_ && Accept(TokenKind::kIf)) {
      clause.guard = ParseHead("if");
      height = std::max(height, height_);
    }
    clause.body = ParseBlock("`catch`");
    height = std::max(height, height_);
    clause.span = From(begin);
    made->clauses.push_back(std::move(clause));
  }
  if (!panic_ && Accept(TokenKind::kFinally)) {
    made->finally = ParseBlock("`finally`");
    height = std::max(height, height_);
  }
  if (!panic_ && made->clauses.empty() && made->finally == nullptr) {
    Report(keyword.span(), "`try` has neither a `catch` nor a `finally`",
           "add `catch e {…}` or `finally {…}` after its block");
  }
  height_ = height;
  made->span = From(keyword.begin);
  return made;
}

ExprPtr Parser::ParseControl() {
  height_ = 0;
  const Token keyword = cur_;
  Advance();
  if (keyword.kind == TokenKind::kBreak) return std::make_unique<BreakExpr>(keyword.span());
  if (keyword.kind == TokenKind::kContinue) return std::make_unique<ContinueExpr>(keyword.span());
  auto made = std::make_unique<ReturnExpr>(keyword.span());
  if (!OnNewLine() && AtOperand()) made->value = ParseExpr();
  made->span = From(keyword.begin);
  return made;
}

BlockPtr Parser::ParseBlock(const char* owner, bool counted) {
  const uint32_t begin = cur_.begin;
  auto block = std::make_unique<BlockExpr>(Span{begin, begin});
  height_ = 0;
  if (panic_) return block;
  if (!At(TokenKind::kLeftBrace)) {
    std::string hint = HintForStray();
    if (!cur_.newline_before && At(TokenKind::kAssign)) hint = "equality is written `==`";
    Expected(std::string("`{` after ") + owner,
             hint.starts_with("statements") ? std::string("the body of ") + owner + " stands in braces" : hint);
    return block;
  }
  if (counted && !EnterNesting()) return block;
  OpenBracket();
  {
    ContextScope inside(*this, kInBlock);
    ParseStatements(*block);
  }
  if (counted) LeaveNesting(height_);
  block->span = From(begin);
  return block;
}

// Statements up to the `}` of the block on top of open_, and that.
void Parser::ParseStatements(BlockExpr& block) {
  const size_t base = open_.size();
  const Open open = open_.back();
  int height = 0;
  while (true) {
    while (Accept(TokenKind::kSemicolon)) continue;
    if (At(TokenKind::kRightBrace)) {
      CheckIndent(open, cur_.begin);
      // prev_end_ must become the brace's end: the next token is read only after the block is popped.
      open_.pop_back();
      Advance();
      break;
    }
    if (At(TokenKind::kEnd) || AtItemBorder()) {
      if (!block_lost_) Unclosed(open);
      panic_ = true;
      break;
    }
    const uint32_t begun = cur_.begin;
    block.statements.push_back(ParseStatement());
    height = std::max(height, height_);
    if (block_lost_) break;
    if (!panic_) EndStatement();
    if (panic_) Synchronize(base, begun);
  }
  height_ = height;
}

// A `}` that begins its line further left than the line of its `{` has most likely been meant for another one.
void Parser::CheckIndent(const Open& open, uint32_t close) {
  if (suspect_.kind == TokenKind::kLeftBrace || !cur_.newline_before) return;
  const auto line_indent = [this](uint32_t offset) {
    const size_t newline = offset == 0 ? std::string_view::npos : text_.rfind('\n', offset - 1);
    const size_t line = newline == std::string_view::npos ? 0 : newline + 1;
    return text_.find_first_not_of(" \t", line) - line;
  };
  if (line_indent(close) < line_indent(open.begin)) suspect_ = open;
}

ExprPtr Parser::ParseStatement() {
  switch (cur_.kind) {
    case TokenKind::kReturn:
    case TokenKind::kBreak:
    case TokenKind::kContinue:
      return ParseControl();
    default:
      return ParseExpr();
  }
}

void Parser::EndStatement() {
  if (At(TokenKind::kSemicolon) || At(TokenKind::kRightBrace) || At(TokenKind::kEnd)) return;
  const bool goes_on = At(TokenKind::kElse) || At(TokenKind::kCatch) || At(TokenKind::kFinally);
  if (cur_.newline_before && !goes_on) return;
  if (At(TokenKind::kRightParen) || At(TokenKind::kRightBracket)) {
    Error(cur_.span(), "`" + std::string(Spelling(cur_.kind)) + "` closes nothing", "remove it, or open it before");
    return;
  }
  Expected("the end of the statement", HintForStray());
}

}  // namespace teal::lang

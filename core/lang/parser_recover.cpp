// Errors of the parser, and how it finds its way back.
#include <array>
#include <cassert>

#include "core/lang/parser_impl.h"

namespace teal::lang {
namespace {

TokenKind CloserOf(TokenKind open) {
  switch (open) {
    case TokenKind::kLeftParen:
      return TokenKind::kRightParen;
    case TokenKind::kLeftBracket:
    case TokenKind::kAttribute:
      return TokenKind::kRightBracket;
    default:
      return TokenKind::kRightBrace;
  }
}

enum BracketCount : size_t { kParens, kSquares, kBraces };

// Tokens that go on with the statement of the line before.
bool Continues(TokenKind kind) {
  return kind == TokenKind::kElse || kind == TokenKind::kCatch || kind == TokenKind::kFinally ||
         kind == TokenKind::kDot || kind == TokenKind::kPipe || (IsBinaryOperator(kind) && kind != TokenKind::kMinus);
}

}  // namespace

void Parser::Report(Span span, std::string message, std::string hint) {
  diagnostics_.Error(file_, span, std::move(message), std::move(hint));
}

void Parser::Error(Span span, std::string message, std::string hint) {
  // A bad token has been reported by the lexer; that the grammar does not fit there is the same mistake.
  if (!panic_ && !At(TokenKind::kBad) && !lexer_.lost_comment()) Report(span, std::move(message), std::move(hint));
  panic_ = true;
  // At the end of the file everything that is open is unclosed; that is no further news.
  block_lost_ |= At(TokenKind::kEnd);
}

std::string Parser::Found() const {
  switch (cur_.kind) {
    case TokenKind::kEnd:
      return "the end of the file";
    case TokenKind::kString:
    case TokenKind::kBadString:
    case TokenKind::kFormat:
      return "a string";
    case TokenKind::kName:
    case TokenKind::kInt:
    case TokenKind::kFloat:
    case TokenKind::kDuration:
    case TokenKind::kBadNumber: {
      constexpr size_t kShownMax = 40;
      std::string shown(Text(cur_.span()));
      return shown.size() > kShownMax ? "a long word" : "`" + shown + "`";
    }
    default:
      return "`" + std::string(Spelling(cur_.kind)) + "`";
  }
}

std::string Parser::Where(uint32_t offset) const {
  const Position position = file_.At(offset);
  return std::to_string(position.line) + ":" + std::to_string(position.column);
}

void Parser::Expected(std::string_view what, std::string hint) {
  Error(cur_.span(), "expected " + std::string(what) + ", found " + Found(), std::move(hint));
}

bool Parser::Expect(TokenKind kind, const char* what, const char* hint) {
  if (panic_) return false;
  if (Accept(kind)) return true;
  Expected(what, hint);
  return false;
}

std::string Parser::HintForStray() const {
  const std::string_view word = Text(cur_.span());
  const std::string_view before = text_.substr(0, prev_end_);
  if (At(TokenKind::kName)) {
    if (word == "and") return "`and` is written `&&`";
    if (word == "or") return "`or` is written `||`";
    if (word == "is") return "equality is written `==`";
    if (word == "elif" || word == "elseif" || word == "elsif") return "write `else if`";
    if (word == "except" || word == "rescue") return "write `catch`";
    if (before.ends_with("let") || before.ends_with("var") || before.ends_with("const")) {
      return "a variable needs no word before its name: write `" + std::string(word) + " = …`";
    }
    if (before.ends_with("def") || before.ends_with("function") || before.ends_with("func")) {
      return "functions begin with `fn`";
    }
  }
  if (At(TokenKind::kColon)) return "a hash at the start of a block or in a head needs parentheses: `({…})`";
  if (At(TokenKind::kAssign) && cur_.newline_before) return "put the `=` on the line of the name";
  if (At(TokenKind::kElse)) return "`else` follows the block of an `if`, with no `;` between";
  if (At(TokenKind::kCatch) || At(TokenKind::kFinally)) return "it follows the block of a `try`, with no `;` between";
  if (At(TokenKind::kLeftBrace)) return "blocks follow `fn`, `if`, `else`, `for`, `while`, `try`, `catch` or `finally`";
  if (At(TokenKind::kAssign) || At(TokenKind::kGreater)) return "an operator is missing its operand, or does not exist";
  return "statements are separated by a new line or `;`";
}

void Parser::OpenBracket() {
  open_.push_back({cur_.kind, cur_.begin});
  Advance();
}

void Parser::Unclosed(const Open& open) {
  // The `}` that stood too far left has most likely closed a block of its surroundings.
  const Open& named = open.kind == TokenKind::kLeftBrace && suspect_.kind == TokenKind::kLeftBrace ? suspect_ : open;
  const std::string bracket(Spelling(named.kind));
  if (!panic_ && !lexer_.lost_comment()) {
    Report({named.begin, named.begin + static_cast<uint32_t>(bracket.size())}, "`" + bracket + "` is never closed",
           "close it with `" + std::string(Spelling(CloserOf(named.kind))) + "`");
  }
  panic_ = true;
  block_lost_ = true;
}

bool Parser::CloseBracket(TokenKind close, const char* or_what) {
  assert(!open_.empty());
  if (panic_) return false;
  const Open open = open_.back();
  if (At(close)) {
    open_.pop_back();
    Advance();
    return true;
  }
  if (open.reported) {
    panic_ = true;
    return false;
  }
  if (At(TokenKind::kEnd) || AtItemBorder()) {
    Unclosed(open);
    return false;
  }
  const std::string opened = "`" + std::string(Spelling(open.kind)) + "` opened at " + Where(open.begin);
  if (At(TokenKind::kRightParen) || At(TokenKind::kRightBracket) || At(TokenKind::kRightBrace)) {
    Error(cur_.span(), "`" + std::string(Spelling(cur_.kind)) + "` does not match " + opened,
          "close that one first, with `" + std::string(Spelling(close)) + "`");
    return false;
  }
  Expected(std::string(or_what) + "`" + std::string(Spelling(close)) + "`", opened + " is not closed here");
  return false;
}

bool Parser::EnterNesting() {
  if (depth_ >= kNestingMax) {
    Error(cur_.span(), "nesting deeper than " + std::to_string(kNestingMax) + " levels",
          "give inner parts names of their own, or make functions of them");
    return false;
  }
  ++depth_;
  return true;
}

void Parser::LeaveNesting(int height_inside) {
  assert(depth_ > 0);
  --depth_;
  height_ = height_inside + 1;
}

bool Parser::CheckChain(Span span) {
  if (depth_ + height_ < kNestingMax) return true;
  Error(span, "nesting deeper than " + std::to_string(kNestingMax) + " levels",
        "give the beginning of this chain a name of its own");
  return false;
}

// While skipping inside an unclosed bracket: does this line begin what can only be a statement?
bool Parser::LooksLikeStatement() {
  switch (cur_.kind) {
    case TokenKind::kReturn:
    case TokenKind::kBreak:
    case TokenKind::kContinue:
    case TokenKind::kFor:
    case TokenKind::kWhile:
    case TokenKind::kTry:
      return true;
    case TokenKind::kName:
      return Peek().kind == TokenKind::kAssign;
    default:
      return false;
  }
}

// Skips to the end of a broken statement: `base` brackets are open around it, it began at `begun`.
void Parser::Synchronize(size_t base, uint32_t begun) {
  assert(panic_ && open_.size() >= base);
  lexer_.set_silent(true);
  lexer_.set_in_format(false);
  // How many of each kind are open above `base`, so that skipping stays linear in the text.
  std::array<size_t, 3> counts{};
  const auto kind_of = [](TokenKind open) {
    return open == TokenKind::kLeftBrace ? kBraces : open == TokenKind::kLeftParen ? kParens : kSquares;
  };
  const auto pop = [&] {
    --counts[kind_of(open_.back().kind)];
    open_.pop_back();
  };
  for (size_t i = base; i < open_.size(); ++i) ++counts[kind_of(open_[i].kind)];
  while (!At(TokenKind::kEnd)) {
    const bool moved = cur_.begin != begun;
    const bool in_block = counts[kBraces] > 0;
    if (moved && AtItemBorder()) break;
    if (At(TokenKind::kSemicolon) && !in_block) break;
    if (moved && cur_.newline_before && !in_block) {
      const bool closer = At(TokenKind::kRightParen) || At(TokenKind::kRightBracket);
      if (open_.size() == base ? !Continues(cur_.kind) && !closer : LooksLikeStatement()) break;
    }
    if (At(TokenKind::kLeftParen) || At(TokenKind::kLeftBracket) || At(TokenKind::kLeftBrace) ||
        At(TokenKind::kAttribute)) {
      ++counts[kind_of(cur_.kind)];
      open_.push_back({cur_.kind, cur_.begin});
    } else if (At(TokenKind::kRightParen) || At(TokenKind::kRightBracket) || At(TokenKind::kRightBrace)) {
      const size_t closed = At(TokenKind::kRightBrace) ? kBraces : At(TokenKind::kRightParen) ? kParens : kSquares;
      if (counts[closed] == 0) {
        if (closed == kBraces) break;  // it belongs to the block around the statement
      } else {
        while (kind_of(open_.back().kind) != closed) pop();
        pop();
      }
    }
    Advance();
  }
  // What was skipped may have held the missing bracket.
  block_lost_ |= At(TokenKind::kEnd);
  open_.resize(base);
  lexer_.set_silent(false);
  panic_ = false;
}

}  // namespace teal::lang

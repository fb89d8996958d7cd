// Errors of the parser, and how it finds its way back.
#include <algorithm>
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
  if (!panic_ && !At(TokenKind::kBad)) Report(span, std::move(message), std::move(hint));
  panic_ = true;
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
  if (!panic_ && !At(TokenKind::kBad)) {
    Report({named.begin, named.begin + static_cast<uint32_t>(bracket.size())}, "`" + bracket + "` is never closed",
           "close it with `" + std::string(Spelling(CloserOf(named.kind))) + "`");
  }
  panic_ = true;
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

// A closing bracket while skipping. False: it belongs to the block that called.
bool Parser::SkipCloser(size_t base) {
  for (size_t i = open_.size(); i > base; --i) {
    if (CloserOf(open_[i - 1].kind) == cur_.kind) {
      open_.resize(i - 1);
      return true;
    }
  }
  return !At(TokenKind::kRightBrace);
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
  while (!At(TokenKind::kEnd)) {
    const bool moved = cur_.begin != begun;
    const bool in_block = std::any_of(open_.begin() + static_cast<std::ptrdiff_t>(base), open_.end(),
                                      [](const Open& open) { return open.kind == TokenKind::kLeftBrace; });
    if (moved && AtItemBorder()) break;
    if (At(TokenKind::kSemicolon) && !in_block) break;
    if (moved && cur_.newline_before && !in_block) {
      if (open_.size() == base ? !Continues(cur_.kind) && !At(TokenKind::kRightParen) && !At(TokenKind::kRightBracket)
                               : LooksLikeStatement()) {
        break;
      }
    }
    if (At(TokenKind::kLeftParen) || At(TokenKind::kLeftBracket) || At(TokenKind::kLeftBrace) ||
        At(TokenKind::kAttribute)) {
      open_.push_back({cur_.kind, cur_.begin});
    } else if (At(TokenKind::kRightParen) || At(TokenKind::kRightBracket) || At(TokenKind::kRightBrace)) {
      if (!SkipCloser(base)) break;
    }
    Advance();
  }
  open_.resize(base);
  lexer_.set_silent(false);
  panic_ = false;
}

}  // namespace teal::lang

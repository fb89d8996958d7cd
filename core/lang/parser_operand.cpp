// Operands: literals, names, lists, hashes, and what stands in parentheses.
#include <algorithm>
#include <cassert>

#include "core/lang/lexer_char.h"
#include "core/lang/lexer_literal.h"
#include "core/lang/parser_impl.h"

namespace teal::lang {

ExprPtr Parser::ParsePrimary() {
  height_ = 0;
  const Span span = cur_.span();
  switch (cur_.kind) {
    case TokenKind::kName: {
      auto name = std::make_unique<NameExpr>(span);
      name->name = Text(span);
      Advance();
      return name;
    }
    case TokenKind::kInt: {
      auto number = std::make_unique<IntExpr>(span);
      number->magnitude = DecodeInt(Text(span));
      Advance();
      return number;
    }
    case TokenKind::kFloat: {
      auto number = std::make_unique<FloatExpr>(span);
      number->value = DecodeFloat(Text(span));
      Advance();
      return number;
    }
    case TokenKind::kDuration: {
      auto duration = std::make_unique<DurationExpr>(span);
      const DurationValue value = DecodeDuration(Text(span));
      duration->integral = value.integral;
      duration->whole_seconds = value.whole_seconds;
      duration->seconds = value.seconds;
      Advance();
      return duration;
    }
    case TokenKind::kTrue:
    case TokenKind::kFalse: {
      auto boolean = std::make_unique<BoolExpr>(span);
      boolean->value = At(TokenKind::kTrue);
      Advance();
      return boolean;
    }
    case TokenKind::kNull:
      Advance();
      return std::make_unique<NullExpr>(span);
    case TokenKind::kBadNumber: {
      ExprPtr missing = Missing();
      Advance();
      return missing;
    }
    case TokenKind::kString:
    case TokenKind::kBadString:
      return ParseString();
    case TokenKind::kFormat:
      return ParseFormat();
    case TokenKind::kColon:
      if (AtSymbol()) return ParseSymbol();
      break;
    case TokenKind::kLeftParen:
      return ParseParen();
    case TokenKind::kLeftBracket:
      return ParseList();
    case TokenKind::kLeftBrace:
      return ParseHash();
    case TokenKind::kFn:
    case TokenKind::kLambda:
      return ParseFunction();
    case TokenKind::kIf:
      return ParseIf();
    case TokenKind::kFor:
      return ParseFor();
    case TokenKind::kWhile:
      return ParseWhile();
    case TokenKind::kTry:
      return ParseTry();
    case TokenKind::kBreak:
    case TokenKind::kContinue:
    case TokenKind::kReturn: {
      const std::string word(Spelling(cur_.kind));
      Report(span, "`" + word + "` stands inside an expression",
             "make it a statement of its own, e.g. `if c {" + word + "}`");
      return ParseControl();
    }
    default:
      break;
  }
  if ((At(TokenKind::kRightParen) || At(TokenKind::kRightBracket)) &&
      (open_.empty() || open_.back().kind == TokenKind::kLeftBrace)) {
    ExprPtr missing = Missing();
    Error(span, "`" + std::string(Spelling(cur_.kind)) + "` closes nothing", "remove it, or open it before");
    return missing;
  }
  std::string hint = "an expression is a literal, a name, a call, …";
  if (At(TokenKind::kAssign)) {
    hint = cur_.newline_before ? "put the `=` on the line of the name" : "equality is written `==`";
  } else if (At(TokenKind::kPlus)) {
    hint = "there is neither `++` nor a `+` in front of a value";
  } else if (At(TokenKind::kStar)) {
    hint = "for powers call `pow(a, b)`";
  } else if (At(TokenKind::kDot)) {
    hint = "a number needs a digit before its point, e.g. `0.5`";
  } else if (At(TokenKind::kImport) || At(TokenKind::kFrom)) {
    hint = "imports stand at top level";
  } else if (At(TokenKind::kElse) || At(TokenKind::kCatch) || At(TokenKind::kFinally)) {
    hint = HintForStray();
  } else if (At(TokenKind::kAttribute)) {
    hint = "attributes stand before an import or a function at top level";
  } else if (IsKeyword(cur_.kind)) {
    hint = "`" + std::string(Spelling(cur_.kind)) + "` is a keyword; use another name";
  }
  ExprPtr missing = Missing();
  Expected("an expression", std::move(hint));
  return missing;
}

// Precondition: AtSymbol(). The span includes the colon.
Ident Parser::ReadSymbol() {
  const uint32_t begin = cur_.begin;
  Advance();  // the word may be a keyword too
  Ident ident{std::string(Text(cur_.span())), {begin, cur_.end}};
  if (At(TokenKind::kFormat)) {  // :f"…": the word is only the letter
    ident = {"f", {begin, cur_.begin + 1}};
    prev_end_ = cur_.begin + 1;
    cur_ = lexer_.Next(prev_end_);
    return ident;
  }
  Advance();
  return ident;
}

ExprPtr Parser::ParseSymbol() {
  Ident ident = ReadSymbol();
  auto symbol = std::make_unique<SymbolExpr>(ident.span);
  symbol->name = std::move(ident.text);
  height_ = 0;
  return symbol;
}

ExprPtr Parser::ParseString() {
  auto string = std::make_unique<StringExpr>(cur_.span());
  if (At(TokenKind::kString)) {
    string->value = DecodeString(file_, {cur_.begin + 1, cur_.end - 1}, false, diagnostics_);
  } else if (lexer_.in_format()) {
    Error(cur_.span(), "unterminated f-string", "close its `{` with `}`, and the string with its quote, on its line");
  } else {
    // Closers may have been swallowed by the string: their absence is no mistake of its own.
    for (Open& open : open_) open.reported |= open.kind != TokenKind::kLeftBrace;
  }
  Advance();
  return string;
}

ExprPtr Parser::ParseFormat() {
  const Token opener = cur_;
  const char quote = text_[opener.end - 1];
  auto format = std::make_unique<FormatExpr>(opener.span());
  if (!EnterNesting()) return format;
  int height = 0;
  uint32_t offset = opener.end;
  bool closed = false;
  while (!panic_ && !closed) {
    const FormatPiece piece = lexer_.NextPiece(offset, quote);
    format->literals.push_back(DecodeString(file_, {offset, piece.end}, true, diagnostics_));
    offset = piece.end;
    if (piece.stop == FormatPiece::Stop::kBrace) {
      ExprPtr part = ParseFormatPart(*format, &offset);
      height = std::max(height, height_);
      if (!panic_) format->parts.push_back(std::move(part));
    } else if (piece.stop == FormatPiece::Stop::kQuote) {
      closed = true;
      ++offset;
    } else {
      if (!lexer_.in_format()) {
        Report({opener.begin, piece.end}, "unterminated string",
               std::string("close it with `") + quote + "` on its line; a new line inside is written `\\n`");
      }
      for (Open& open : open_) open.reported |= open.kind != TokenKind::kLeftBrace;
      closed = true;
    }
  }
  LeaveNesting(height);
  if (closed) {
    cur_.end = offset;
    Advance();
  }
  format->span = From(opener.begin);
  assert(panic_ || format->literals.size() == format->parts.size() + 1);
  while (format->literals.size() <= format->parts.size()) format->literals.emplace_back();
  return format;
}

// The `{…}` at *offset; sets *offset behind it.
ExprPtr Parser::ParseFormatPart(FormatExpr& format, uint32_t* offset) {
  const uint32_t brace = *offset;
  const bool outer = lexer_.in_format();
  lexer_.set_in_format(true);
  open_.push_back({TokenKind::kLeftBrace, brace});
  cur_.end = brace + 1;
  Advance();
  ExprPtr part;
  {
    ContextScope inside(*this, kInBrackets);
    if (At(TokenKind::kRightBrace)) {
      Error({brace, cur_.end}, "nothing between the braces of an f-string",
            "put an expression between them; a brace of the text is doubled: `{{`");
      part = Missing();
    } else {
      part = ParseExpr();
    }
  }
  lexer_.set_in_format(outer);
  const bool one_line = text_.substr(brace, prev_end_ - brace).find('\n') == std::string_view::npos;
  if (!panic_ && one_line && At(TokenKind::kRightBrace) && !cur_.newline_before) {
    open_.pop_back();
    *offset = cur_.end;
    return part;
  }
  if (cur_.newline_before || !one_line || At(TokenKind::kEnd) || At(TokenKind::kBadString)) {
    Error({brace, brace + 1}, "`{` in an f-string is not closed on its line",
          "close it with `}`; a brace of the text is doubled: `{{`");
  } else {
    Error(cur_.span(), "expected `}` in the f-string, found " + Found(),
          "braces hold one expression; a brace of the text is doubled: `{{`");
  }
  // The rest of the string's line up to its quote is lost.
  open_.pop_back();
  const char quote = text_[format.span.end - 1];
  size_t at = std::max(brace, std::min(prev_end_, cur_.begin));
  while (at < text_.size() && text_[at] != quote && text_[at] != '\n') ++at;
  lexer_.set_silent(true);
  cur_.end = static_cast<uint32_t>(at < text_.size() && text_[at] == quote ? at + 1 : at);
  Advance();
  return part;
}

ExprPtr Parser::ParseParen() {
  if (!EnterNesting()) return Missing();
  const Token opener = cur_;
  OpenBracket();
  ExprPtr inner;
  {
    ContextScope inside(*this, kInBrackets);
    if (At(TokenKind::kRightParen)) {
      Error({opener.begin, cur_.end}, "nothing between the parentheses", "put an expression between them");
      inner = Missing();
    } else {
      inner = ParseExpr();
    }
  }
  LeaveNesting(height_);
  CloseBracket(TokenKind::kRightParen, "");
  return inner;
}

ExprPtr Parser::ParseList() {
  const uint32_t begin = cur_.begin;
  auto list = std::make_unique<ListExpr>(cur_.span());
  if (!EnterNesting()) return list;
  OpenBracket();
  {
    ContextScope inside(*this, kInBrackets);
    ParseElements(TokenKind::kRightBracket, [&] { list->items.push_back(ParseExpr()); });
  }
  LeaveNesting(height_);
  CloseBracket(TokenKind::kRightBracket, "`,` or ");
  list->span = From(begin);
  return list;
}

// At a `{`: do `}` or `key :` follow?
bool Parser::LooksLikeHash() {
  const Token first = Peek();
  if (first.kind == TokenKind::kRightBrace) return true;
  if (first.kind != TokenKind::kString && first.kind != TokenKind::kName && first.kind != TokenKind::kInt) return false;
  return lexer_.Next(first.end).kind == TokenKind::kColon;
}

ExprPtr Parser::ParseHash() {
  const uint32_t begin = cur_.begin;
  if (context_.in_head) {
    if (!LooksLikeHash()) {
      ExprPtr missing = Missing();
      Expected("an expression", "`{` opens the block here; what stands before it is missing");
      return missing;
    }
    Report(cur_.span(), "a hash needs parentheses here", "write `({…})`; a `{` without them opens the block");
  }
  auto hash = std::make_unique<HashExpr>(cur_.span());
  if (!EnterNesting()) return hash;
  OpenBracket();
  {
    ContextScope inside(*this, kInBrackets);
    ParseElements(TokenKind::kRightBrace, [&] {
      ExprPtr key = ParseExpr();
      const int height = height_;
      if (panic_) return;
      if (!Accept(TokenKind::kColon)) {
        Expected("`:` and a value", "`{` opens a hash here: `{\"key\": value}`; blocks follow `fn`, `if`, `for`, …");
        return;
      }
      ExprPtr value = ParseExpr();
      height_ = std::max(height_, height);
      hash->entries.emplace_back(std::move(key), std::move(value));
    });
  }
  LeaveNesting(height_);
  CloseBracket(TokenKind::kRightBrace, "`,` or ");
  hash->span = From(begin);
  return hash;
}

}  // namespace teal::lang

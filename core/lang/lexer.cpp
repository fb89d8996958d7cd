#include "core/lang/lexer.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "core/base/mutant.h"
#include "core/lang/lexer_char.h"
#include "core/lang/lexer_literal.h"

namespace teal::lang {

void Lexer::Report(Span span, std::string message, std::string hint) {
  // A place may be read twice; its mistake is told once.
  if (silent_ || span.begin < reported_to_) return;
  reported_to_ = span.begin + 1;
  diagnostics_.Error(file_, span, std::move(message), std::move(hint));
}

uint32_t Lexer::SkipBlockComment(uint32_t begin) {
  const size_t close = text_.find("*/", begin + 2);
  if (close == std::string_view::npos) {
    lost_comment_ = true;
    Report({begin, begin + 2}, "unterminated comment", "close it with `*/`");
    return static_cast<uint32_t>(text_.size());
  }
  return static_cast<uint32_t>(close + 2);
}

uint32_t Lexer::SkipTrivia(uint32_t offset, bool* newline) {
  const auto size = static_cast<uint32_t>(text_.size());
  while (offset < size) {
    const char c = text_[offset];
    if (HasClass(c, kCharBlank)) {
      ++offset;
    } else if (c == '\n') {
      *newline = true;
      ++offset;
    } else if (c == '/' && At(offset + 1) == '/') {
      const void* end = std::memchr(text_.data() + offset, '\n', size - offset);
      const uint32_t begin = offset;
      offset = end == nullptr ? size : static_cast<uint32_t>(static_cast<const char*>(end) - text_.data());
      uint32_t comment_end = offset;
      while (HasClass(text_[comment_end - 1], kCharBlank)) --comment_end;
      if (comments_.empty() || comments_.back().span.begin < begin) comments_.push_back({{begin, comment_end}, false});
    } else if (c == '/' && At(offset + 1) == '*') {
      const uint32_t begin = offset;
      offset = SkipBlockComment(begin);
      if (text_.substr(begin, offset - begin).find('\n') != std::string_view::npos) {
        *newline = !TEAL_MUTANT("comment_hides_newline");
      }
      if (comments_.empty() || comments_.back().span.begin < begin) comments_.push_back({{begin, offset}, true});
    } else {
      break;
    }
  }
  return offset;
}

Token Lexer::Next(uint32_t offset) {
  Token token;
  token.newline_before = offset == 0;
  token.begin = SkipTrivia(offset, &token.newline_before);
  token.end = token.begin;
  if (token.begin >= text_.size()) return token;
  const char c = text_[token.begin];
  if (BeginsWord(c)) {
    uint32_t end = token.begin + 1;
    while (end < text_.size() && IsWordChar(text_[end])) ++end;
    token.end = end;
    const std::string_view word = text_.substr(token.begin, end - token.begin);
    if (At(end) == '?') {
      ++token.end;
      token.kind = TokenKind::kName;
    } else if (word == "f" && (At(end) == '"' || At(end) == '\'')) {
      ++token.end;
      token.kind = TokenKind::kFormat;
    } else {
      token.kind = ClassifyWord(word);
    }
    return token;
  }
  if (IsDigit(c)) return Number(token);
  if (c == '"' || c == '\'') return String(token);
  return Punctuation(token);
}

Token Lexer::Punctuation(Token token) {
  const char next = At(token.begin + 1);
  const auto one = [&](TokenKind kind) {
    token.kind = kind;
    token.end = token.begin + 1;
    return token;
  };
  const auto two = [&](char second, TokenKind both, TokenKind single) {
    if (next != second) return one(single);
    token.kind = both;
    token.end = token.begin + 2;
    return token;
  };
  switch (text_[token.begin]) {
    case '(':
      return one(TokenKind::kLeftParen);
    case ')':
      return one(TokenKind::kRightParen);
    case '[':
      return one(TokenKind::kLeftBracket);
    case ']':
      return one(TokenKind::kRightBracket);
    case '{':
      return one(TokenKind::kLeftBrace);
    case '}':
      return one(TokenKind::kRightBrace);
    case ',':
      return one(TokenKind::kComma);
    case ';':
      return one(TokenKind::kSemicolon);
    case ':':
      return one(TokenKind::kColon);
    case '.':
      return one(TokenKind::kDot);
    case '+':
      return one(TokenKind::kPlus);
    case '-':
      return one(TokenKind::kMinus);
    case '*':
      return one(TokenKind::kStar);
    case '/':
      return one(TokenKind::kSlash);
    case '%':
      return one(TokenKind::kPercent);
    case '=':
      return two('=', TokenKind::kEqual, TokenKind::kAssign);
    case '!':
      return two('=', TokenKind::kNotEqual, TokenKind::kBang);
    case '<':
      return two('=', TokenKind::kLessEqual, TokenKind::kLess);
    case '>':
      return two('=', TokenKind::kGreaterEqual, TokenKind::kGreater);
    case '|':
      if (next == '>') return two('>', TokenKind::kPipe, TokenKind::kBad);
      if (next == '|') return two('|', TokenKind::kOrOr, TokenKind::kBad);
      break;
    case '&':
      if (next == '&') return two('&', TokenKind::kAndAnd, TokenKind::kBad);
      break;
    case '#':
      if (next == '[') return two('[', TokenKind::kAttribute, TokenKind::kBad);
      break;
    default:
      break;
  }
  return Odd(token);
}

Token Lexer::Odd(Token token) {
  token.end = token.begin + 1;
  while (token.end < text_.size() && (static_cast<uint8_t>(text_[token.end]) & 0xC0) == 0x80) ++token.end;
  const std::string_view shown = text_.substr(token.begin, token.end - token.begin);
  const auto report = [&](const char* hint) {
    Report(token.span(), "unexpected character `" + std::string(shown) + "`", hint);
  };
  token.kind = TokenKind::kBad;
  switch (shown[0]) {
    case '&':
      report("`and` is written `&&`");
      token.kind = TokenKind::kAndAnd;
      return token;
    case '|':
      report("`or` is written `||`, a pipe `|>`");
      token.kind = TokenKind::kOrOr;
      return token;
    case '#':
      report("comments begin with `//`, attributes with `#[`");
      return token;
    case '?':
      report("a `?` is allowed only at the end of a name; a choice is written `if c {a} else {b}`");
      return token;
    case '^':
      report("for powers call `pow(a, b)`");
      return token;
    case '`':
      report("strings are written with `\"` or `'`; values go into f\"… {x} …\"");
      return token;
    case '@':
      report("attributes are written `#[name(…)]`");
      return token;
    default:
      break;
  }
  const auto code = static_cast<uint8_t>(shown[0]);
  if (code < 0x20 || code == 0x7F) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    Report(token.span(), std::string("unexpected control character U+00") + kHex[code >> 4] + kHex[code & 15],
           "remove it; inside a string write it as an escape, e.g. `\\x00`");
  } else if (shown == "\u201C" || shown == "\u201D" || shown == "\u2018" || shown == "\u2019" || shown == "\u00AB") {
    report("strings are written with the straight quotes `\"` or `'`");
    // What follows, up to a closing quote on the line, is that string.
    const std::string_view line = text_.substr(token.end, text_.substr(token.end).find('\n'));
    for (const std::string_view close : {"\u201D", "\u2019", "\u00BB"}) {
      if (const size_t at = line.find(close); at != std::string_view::npos) {
        token.end += static_cast<uint32_t>(at + close.size());
        token.kind = TokenKind::kBadNumber;
        break;
      }
    }
  } else if (shown == "\u00A0" || shown == "\u200B" || shown == "\uFEFF" || shown == "\u3000") {
    Report(token.span(), "unexpected invisible character", "replace it by a plain space");
  } else if (code >= 0x80) {
    report("names are made of the letters A to Z, digits and `_`; other characters belong in strings or comments");
  } else {
    report("it has no meaning in Teal; inside a string it needs quotes around");
  }
  return token;
}

Token Lexer::Number(Token token) {
  NumberError error;
  token.kind = ScanNumber(text_, token.begin, &token.end, &error);
  if (token.kind == TokenKind::kBadNumber) Report(token.span(), error.message, error.hint);
  return token;
}

Token Lexer::String(Token token) {
  const char quote = text_[token.begin];
  size_t at = token.begin + 1;
  while (at < text_.size() && text_[at] != quote && text_[at] != '\n') {
    at += text_[at] == '\\' && at + 1 < text_.size() && text_[at + 1] != '\n' ? 2 : 1;
  }
  if (at < text_.size() && text_[at] == quote) {
    token.kind = TokenKind::kString;
    token.end = static_cast<uint32_t>(at + 1);
    return token;
  }
  // The closers at the end of the line are taken as code, so that only the quote is missing to the parser.
  size_t end = std::min(at, text_.size());
  while (end > token.begin + 1 && std::strchr(" \t\r)]},;{", text_[end - 1]) != nullptr) --end;
  token.kind = TokenKind::kBadString;
  token.end = static_cast<uint32_t>(end);
  if (!in_format_) {
    Report(token.span(), "unterminated string",
           std::string("close it with `") + quote + "` on its line; a new line inside is written `\\n`");
  }
  return token;
}

FormatPiece Lexer::NextPiece(uint32_t offset, char quote) const {
  size_t at = offset;
  while (at < text_.size() && text_[at] != '\n') {
    const char c = text_[at];
    if (c == quote) return {FormatPiece::Stop::kQuote, static_cast<uint32_t>(at)};
    if (c == '{') {
      if (At(at + 1) != '{') return {FormatPiece::Stop::kBrace, static_cast<uint32_t>(at)};
      at += 2;
    } else if (c == '\\') {
      // Braces cannot be escaped by a backslash; but the one in `\u{…}` belongs to the escape.
      const char next = At(at + 1);
      if (next == 'u' && At(at + 2) == '{') {
        at += 3;
        while (IsHexDigit(At(at))) ++at;
        if (At(at) == '}') ++at;
      } else {
        at += next == '\0' || next == '\n' || next == '{' || next == '}' ? 1 : 2;
      }
    } else {
      ++at;
    }
  }
  return {FormatPiece::Stop::kLost, static_cast<uint32_t>(std::min(at, text_.size()))};
}

}  // namespace teal::lang

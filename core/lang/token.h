// The words of the language, as the lexer hands them to the parser.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/lang/source.h"

namespace teal::lang {

enum class TokenKind : uint8_t {
  kEnd,
  kBad,        // a character that begins no token; reported already
  kBadNumber,  // a malformed number; reported already
  kBadString,  // an unterminated string; reported already. Ends before the closers at the end of its line
  kName,
  kInt,
  kFloat,
  kDuration,
  kString,
  kFormat,  // the f" or f' that opens an f-string; the parser asks for its pieces
  // Keywords; kFirstKeyword and kLastKeyword bound them.
  kFn,
  kLambda,
  kIf,
  kIn,
  kElse,
  kAsync,
  kAwait,
  kTrue,
  kFalse,
  kNull,
  kImport,
  kFrom,
  kAs,
  kFor,
  kWhile,
  kBreak,
  kContinue,
  kReturn,
  kTry,
  kCatch,
  kFinally,
  // Punctuation.
  kLeftParen,
  kRightParen,
  kLeftBracket,
  kRightBracket,
  kLeftBrace,
  kRightBrace,
  kComma,
  kSemicolon,
  kColon,
  kDot,
  kAssign,
  kPipe,
  kBang,
  kAttribute /* #[ */,
  // Binary operators.
  kOrOr,
  kAndAnd,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kPlus,
  kMinus,
  kStar,
  kSlash,
  kPercent,
};

inline constexpr TokenKind kFirstKeyword = TokenKind::kFn;
inline constexpr TokenKind kLastKeyword = TokenKind::kFinally;
inline constexpr TokenKind kFirstBinary = TokenKind::kOrOr;

struct Token {
  TokenKind kind = TokenKind::kEnd;
  bool newline_before = false;  // the first on its line, comments aside
  uint32_t begin = 0;
  uint32_t end = 0;

  Span span() const { return {begin, end}; }
};

inline bool IsKeyword(TokenKind kind) {
  return kind >= kFirstKeyword && kind <= kLastKeyword;
}
inline bool IsBinaryOperator(TokenKind kind) {
  return kind >= kFirstBinary;
}

// kName, or the keyword that the word is.
TokenKind ClassifyWord(std::string_view word);
// May an operand begin with this token? A colon may, when a letter follows; the parser looks.
bool BeginsOperand(TokenKind kind);
// The token as it is always spelled, e.g. "|>"; empty for those that have no fixed spelling.
std::string_view Spelling(TokenKind kind);

}  // namespace teal::lang

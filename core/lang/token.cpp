#include "core/lang/token.h"

#include <array>
#include <cassert>

namespace teal::lang {
namespace {

struct Word {
  std::string_view text;
  TokenKind kind;
};

// In the order of the enumeration.
constexpr std::array kKeywords = {
    Word{"fn", TokenKind::kFn},       Word{"lambda", TokenKind::kLambda},     Word{"if", TokenKind::kIf},
    Word{"in", TokenKind::kIn},       Word{"else", TokenKind::kElse},         Word{"async", TokenKind::kAsync},
    Word{"await", TokenKind::kAwait}, Word{"true", TokenKind::kTrue},         Word{"false", TokenKind::kFalse},
    Word{"null", TokenKind::kNull},   Word{"import", TokenKind::kImport},     Word{"from", TokenKind::kFrom},
    Word{"as", TokenKind::kAs},       Word{"for", TokenKind::kFor},           Word{"while", TokenKind::kWhile},
    Word{"break", TokenKind::kBreak}, Word{"continue", TokenKind::kContinue}, Word{"return", TokenKind::kReturn},
    Word{"try", TokenKind::kTry},     Word{"catch", TokenKind::kCatch},       Word{"finally", TokenKind::kFinally},
};
static_assert(kKeywords.size() == static_cast<size_t>(kLastKeyword) - static_cast<size_t>(kFirstKeyword) + 1);

constexpr size_t kKeywordLengthMax = 8;

// The first keyword of each length and first letter; -1: none. Where two share them they are neighbours.
struct KeywordTable {
  std::array<std::array<int8_t, 26>, kKeywordLengthMax + 1> index{};

  constexpr KeywordTable() {
    for (auto& row : index) row.fill(-1);
    for (size_t i = 0; i < kKeywords.size(); ++i) {
      int8_t& slot = index[kKeywords[i].text.size()][static_cast<size_t>(kKeywords[i].text[0] - 'a')];
      if (slot < 0) slot = static_cast<int8_t>(i);
    }
  }
};
constexpr KeywordTable kKeywordTable;

}  // namespace

TokenKind ClassifyWord(std::string_view word) {
  assert(!word.empty());
  if (word.size() > kKeywordLengthMax || word[0] < 'a' || word[0] > 'z') return TokenKind::kName;
  const int first = kKeywordTable.index[word.size()][static_cast<size_t>(word[0] - 'a')];
  if (first < 0) return TokenKind::kName;
  const auto at = static_cast<size_t>(first);
  if (kKeywords[at].text == word) return kKeywords[at].kind;
  if (at + 1 < kKeywords.size() && kKeywords[at + 1].text == word) return kKeywords[at + 1].kind;
  return TokenKind::kName;
}

bool BeginsOperand(TokenKind kind) {
  switch (kind) {
    case TokenKind::kBadNumber:
    case TokenKind::kBadString:
    case TokenKind::kName:
    case TokenKind::kInt:
    case TokenKind::kFloat:
    case TokenKind::kDuration:
    case TokenKind::kString:
    case TokenKind::kFormat:
    case TokenKind::kFn:
    case TokenKind::kLambda:
    case TokenKind::kIf:
    case TokenKind::kAsync:
    case TokenKind::kAwait:
    case TokenKind::kTrue:
    case TokenKind::kFalse:
    case TokenKind::kNull:
    case TokenKind::kFor:
    case TokenKind::kWhile:
    case TokenKind::kBreak:
    case TokenKind::kContinue:
    case TokenKind::kReturn:
    case TokenKind::kTry:
    case TokenKind::kLeftParen:
    case TokenKind::kLeftBracket:
    case TokenKind::kLeftBrace:
    case TokenKind::kColon:
    case TokenKind::kBang:
    case TokenKind::kMinus:
      return true;
    default:
      return false;
  }
}

std::string_view Spelling(TokenKind kind) {
  if (IsKeyword(kind)) return kKeywords[static_cast<size_t>(kind) - static_cast<size_t>(kFirstKeyword)].text;
  switch (kind) {
    case TokenKind::kLeftParen:
      return "(";
    case TokenKind::kRightParen:
      return ")";
    case TokenKind::kLeftBracket:
      return "[";
    case TokenKind::kRightBracket:
      return "]";
    case TokenKind::kLeftBrace:
      return "{";
    case TokenKind::kRightBrace:
      return "}";
    case TokenKind::kComma:
      return ",";
    case TokenKind::kSemicolon:
      return ";";
    case TokenKind::kColon:
      return ":";
    case TokenKind::kDot:
      return ".";
    case TokenKind::kAssign:
      return "=";
    case TokenKind::kPipe:
      return "|>";
    case TokenKind::kBang:
      return "!";
    case TokenKind::kAttribute:
      return "#[";
    case TokenKind::kOrOr:
      return "||";
    case TokenKind::kAndAnd:
      return "&&";
    case TokenKind::kEqual:
      return "==";
    case TokenKind::kNotEqual:
      return "!=";
    case TokenKind::kLess:
      return "<";
    case TokenKind::kLessEqual:
      return "<=";
    case TokenKind::kGreater:
      return ">";
    case TokenKind::kGreaterEqual:
      return ">=";
    case TokenKind::kPlus:
      return "+";
    case TokenKind::kMinus:
      return "-";
    case TokenKind::kStar:
      return "*";
    case TokenKind::kSlash:
      return "/";
    case TokenKind::kPercent:
      return "%";
    default:
      return {};
  }
}

}  // namespace teal::lang

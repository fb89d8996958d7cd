// Operators, and what follows an operand: calls, indexes, fields.
#include <algorithm>
#include <array>
#include <cassert>

#include "core/base/mutant.h"
#include "core/lang/lexer_char.h"
#include "core/lang/parser_impl.h"

namespace teal::lang {
namespace {

constexpr int kLoosest = 1;

struct Operator {
  int precedence;
  BinaryOp op;
};
// In the order of the token kinds.
constexpr std::array kOperators = {
    Operator{1, BinaryOp::kOr},  Operator{2, BinaryOp::kAnd}, Operator{3, BinaryOp::kEq},  Operator{3, BinaryOp::kNe},
    Operator{4, BinaryOp::kLt},  Operator{4, BinaryOp::kLe},  Operator{4, BinaryOp::kGt},  Operator{4, BinaryOp::kGe},
    Operator{5, BinaryOp::kAdd}, Operator{5, BinaryOp::kSub}, Operator{6, BinaryOp::kMul}, Operator{6, BinaryOp::kDiv},
    Operator{6, BinaryOp::kMod},
};
static_assert(kOperators.size() ==
              static_cast<size_t>(TokenKind::kPercent) - static_cast<size_t>(TokenKind::kOrOr) + 1);

const Operator& OperatorOf(TokenKind kind) {
  assert(IsBinaryOperator(kind));
  return kOperators[static_cast<size_t>(kind) - static_cast<size_t>(kFirstBinary)];
}

}  // namespace

ExprPtr Parser::Missing() {
  height_ = 0;
  return std::make_unique<NullExpr>(Span{cur_.begin, cur_.begin});
}

ExprPtr Parser::ParseExpr() {
  const uint32_t begin = cur_.begin;
  ExprPtr target = ParsePipe();
  if (panic_ || !At(TokenKind::kAssign) || OnNewLine()) return target;
  const int target_height = height_;
  Advance();
  if (!EnterNesting()) return target;
  ExprPtr value = ParseExpr();
  LeaveNesting(std::max(target_height, height_));
  auto assign = std::make_unique<AssignExpr>(From(begin));
  assign->target = std::move(target);
  assign->value = std::move(value);
  return assign;
}

ExprPtr Parser::ParsePipe() {
  const uint32_t begin = cur_.begin;
  ExprPtr first = ParseBinary(kLoosest);
  if (panic_ || !At(TokenKind::kPipe)) return first;
  auto pipe = std::make_unique<PipeExpr>(Span{begin, begin});
  pipe->stages.push_back(std::move(first));
  int height = height_;
  while (!panic_ && Accept(TokenKind::kPipe)) {
    pipe->stages.push_back(ParseStage());
    height = std::max(height, height_);
  }
  height_ = height;
  pipe->span = From(begin);
  return pipe;
}

// A stage of a pipe: an expression, or `await` with nothing after it.
ExprPtr Parser::ParseStage() {
  if (!At(TokenKind::kAwait)) return ParseBinary(kLoosest);
  const Token next = Peek();
  const bool bare = (next.newline_before && context_.newline_ends) || !BeginsOperand(next.kind) ||
                    (next.kind == TokenKind::kLeftBrace && context_.in_head) ||
                    (next.kind == TokenKind::kColon && !(next.end < text_.size() && BeginsWord(text_[next.end])));
  if (!bare) return ParseBinary(kLoosest);
  auto await = std::make_unique<UnaryExpr>(cur_.span());
  await->op = UnaryOp::kAwait;
  await->op_span = cur_.span();
  Advance();
  height_ = 0;
  return await;
}

// Does a binary operator go on with the expression that began at left_begin?
bool Parser::AtBinary(uint32_t left_begin) {
  if (!IsBinaryOperator(cur_.kind)) return false;
  if (!At(TokenKind::kMinus) || !OnNewLine() || TEAL_MUTANT("minus_on_new_line_subtracts")) return true;
  const char after = cur_.end < text_.size() ? text_[cur_.end] : '\n';
  if (after == ' ' || after == '\t' || after == '\n' || after == '\r') return true;
  WarnOfMinus(left_begin);
  return false;
}

void Parser::WarnOfMinus(uint32_t left_begin) {
  if (cur_.begin < warned_to_) return;
  warned_to_ = cur_.end;
  const auto brief = [](std::string_view line) {
    constexpr size_t kShownMax = 30;
    line = line.substr(0, line.find_first_of("\r\n"));
    if (line.size() <= kShownMax) return std::string(line);
    size_t cut = kShownMax;
    while ((static_cast<uint8_t>(line[cut]) & 0xC0) == 0x80) --cut;
    return std::string(line.substr(0, cut)) + "…";
  };
  const std::string left = brief(text_.substr(left_begin, prev_end_ - left_begin));
  const std::string right = brief(text_.substr(cur_.end));
  diagnostics_.Warning(file_, cur_.span(), "`-` begins a new statement here",
                       "this reads `" + left + "; -" + right + "`; for the difference `" + left + " - " + right +
                           "` put a space after the `-`");
}

ExprPtr Parser::ParseBinary(int precedence) {
  const uint32_t begin = cur_.begin;
  ExprPtr left = ParseUnary();
  int height = height_;
  while (!panic_ && AtBinary(begin)) {
    const int level = OperatorOf(cur_.kind).precedence;
    if (level < precedence) break;
    auto chain = std::make_unique<BinaryExpr>(Span{begin, begin});
    chain->operands.reserve(2);
    chain->operands.push_back(std::move(left));
    do {
      chain->ops.push_back(OperatorOf(cur_.kind).op);
      chain->op_spans.push_back(cur_.span());
      Advance();
      chain->operands.push_back(ParseBinary(level + (TEAL_MUTANT("operators_bind_to_the_right") ? 0 : 1)));
      height = std::max(height, height_);
    } while (!panic_ && AtBinary(begin) && OperatorOf(cur_.kind).precedence == level);
    chain->span = From(begin);
    left = std::move(chain);
  }
  height_ = height;
  return left;
}

ExprPtr Parser::ParseUnary() {
  UnaryOp op;
  switch (cur_.kind) {
    case TokenKind::kMinus:
      op = UnaryOp::kNegate;
      break;
    case TokenKind::kBang:
      op = UnaryOp::kNot;
      break;
    case TokenKind::kAsync:
      op = UnaryOp::kAsync;
      break;
    case TokenKind::kAwait:
      op = UnaryOp::kAwait;
      break;
    default:
      return ParsePostfix();
  }
  const Token written = cur_;
  auto unary = std::make_unique<UnaryExpr>(written.span());
  unary->op = op;
  unary->op_span = written.span();
  Advance();
  if (OnNewLine()) {
    const std::string word(Spelling(written.kind));
    Error(written.span(), "nothing follows `" + word + "` on its line",
          "a new line ends the statement here; put what `" + word + "` applies to on the same line");
    unary->operand = Missing();
    return unary;
  }
  if (!EnterNesting()) {
    unary->operand = Missing();
    return unary;
  }
  unary->operand = TEAL_MUTANT("unary_binds_loosely") ? ParseBinary(kLoosest) : ParseUnary();
  LeaveNesting(height_);
  unary->span = From(written.begin);
  return unary;
}

ExprPtr Parser::ParsePostfix() {
  const uint32_t begin = cur_.begin;
  ExprPtr expr = ParsePrimary();
  while (!panic_) {
    if (At(TokenKind::kDot)) {
      if (!CheckChain(cur_.span())) break;
      expr = ParseField(std::move(expr), begin);
    } else if (At(TokenKind::kLeftParen) && (!OnNewLine() || TEAL_MUTANT("paren_on_new_line_calls"))) {
      if (!CheckChain(cur_.span())) break;
      expr = ParseCall(std::move(expr), begin);
    } else if (At(TokenKind::kLeftBracket) && (!OnNewLine() || TEAL_MUTANT("bracket_on_new_line_indexes"))) {
      if (!CheckChain(cur_.span())) break;
      expr = ParseSubscript(std::move(expr), begin);
    } else {
      break;
    }
  }
  return expr;
}

ExprPtr Parser::ParseField(ExprPtr object, uint32_t begin) {
  Advance();
  auto field = std::make_unique<FieldExpr>(Span{begin, begin});
  field->object = std::move(object);
  // Keywords are allowed: the keys of data from outside are often such words.
  if (!At(TokenKind::kName) && !IsKeyword(cur_.kind)) {
    Expected("a key after `.`", "write `h.key`, or `h[…]` where the key is computed");
    return std::move(field->object);
  }
  field->field = {std::string(Text(cur_.span())), cur_.span()};
  Advance();
  ++height_;
  field->span = From(begin);
  return field;
}

ExprPtr Parser::ParseCall(ExprPtr callee, uint32_t begin) {
  const int callee_height = height_;
  auto call = std::make_unique<CallExpr>(Span{begin, begin});
  call->callee = std::move(callee);
  if (!EnterNesting()) return call;
  OpenBracket();
  {
    ContextScope inside(*this, kInBrackets);
    ParseElements(TokenKind::kRightParen, [&] { ParseArgument(*call); });
  }
  LeaveNesting(std::max(callee_height, height_));
  CloseBracket(TokenKind::kRightParen, "`,` or ");
  call->span = From(begin);
  // Of a call whose arguments are lost nothing true can be said later on; its callee may still be checked.
  if (panic_) return std::move(call->callee);
  return call;
}

void Parser::ParseArgument(CallExpr& call) {
  Argument argument;
  const uint32_t begin = cur_.begin;
  if (AtSymbol()) {
    const Token word = Peek();
    const Token after = lexer_.Next(word.end);
    const bool value_follows = after.kind == TokenKind::kColon
                                   ? after.end < text_.size() && BeginsWord(text_[after.end])
                                   : BeginsOperand(after.kind);
    if (value_follows && !(TEAL_MUTANT("keyword_before_minus_is_symbol") && after.kind == TokenKind::kMinus))
      argument.keyword = ReadSymbol();
  }
  argument.value = ParseExpr();
  if (!panic_ && !argument.keyword && !call.arguments.empty() && call.arguments.back().keyword) {
    Report({begin, argument.value->span.end}, "positional argument after a keyword argument",
           "move it before `:" + call.arguments.back().keyword->text + "`, or name it too");
  }
  call.arguments.push_back(std::move(argument));
}

ExprPtr Parser::ParseSubscript(ExprPtr object, uint32_t begin) {
  const int object_height = height_;
  if (!EnterNesting()) return object;
  OpenBracket();
  ExprPtr from;
  ExprPtr to;
  bool slice = false;
  int height = object_height;
  {
    ContextScope inside(*this, kInBrackets);
    if (At(TokenKind::kRightBracket)) {
      Expected("an index", "write `xs[i]`, or `xs[a:b]` for a slice");
    } else if (!At(TokenKind::kColon) || AtSymbol()) {
      from = ParseExpr();
      height = std::max(height, height_);
    }
    if (!panic_ && !(TEAL_MUTANT("slice_colon_begins_symbol") && AtSymbol()) && Accept(TokenKind::kColon)) {
      slice = true;
      if (!At(TokenKind::kRightBracket)) {
        to = ParseExpr();
        height = std::max(height, height_);
      }
    }
  }
  LeaveNesting(height);
  CloseBracket(TokenKind::kRightBracket, slice ? "" : "`:` or ");
  if (slice) {
    auto made = std::make_unique<SliceExpr>(From(begin));
    made->object = std::move(object);
    made->from = std::move(from);
    made->to = std::move(to);
    return made;
  }
  if (from == nullptr) return object;
  auto made = std::make_unique<IndexExpr>(From(begin));
  made->object = std::move(object);
  made->index = std::move(from);
  return made;
}

}  // namespace teal::lang

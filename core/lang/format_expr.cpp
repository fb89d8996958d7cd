// How each expression is written.
#include <array>
#include <cassert>

#include "core/lang/format_impl.h"
#include "core/lang/lexer_char.h"

namespace teal::lang {
namespace {

// How tightly an expression binds, loosest first.
enum Tightness : int {
  kAssignTight,
  kPipeTight,
  kOrTight,
  kAndTight,
  kEqualTight,
  kOrderTight,
  kAddTight,
  kMulTight,
  kUnaryTight,
  kOperandTight
};

constexpr std::array kBinaryTightness = {kOrTight,    kAndTight,   kEqualTight, kEqualTight, kOrderTight,
                                         kOrderTight, kOrderTight, kOrderTight, kAddTight,   kAddTight,
                                         kMulTight,   kMulTight,   kMulTight};

Tightness TightnessOf(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kAssign:
      return kAssignTight;
    case ExprKind::kPipe:
      return kPipeTight;
    case ExprKind::kBinary:
      return kBinaryTightness[static_cast<size_t>(As<BinaryExpr>(expr).ops[0])];
    case ExprKind::kUnary:
      return kUnaryTight;
    default:
      return kOperandTight;
  }
}

// Breaks well inside itself, behind whatever stands before it on its line.
bool BreaksInside(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kFunction:
    case ExprKind::kList:
    case ExprKind::kHash:
    case ExprKind::kCall:
    case ExprKind::kIf:
    case ExprKind::kTry:
      return true;
    case ExprKind::kUnary:
      return As<UnaryExpr>(expr).operand != nullptr && BreaksInside(*As<UnaryExpr>(expr).operand);
    default:
      return false;
  }
}

}  // namespace

void Formatter::Print(const Expr& expr, int loosest) {
  if (flat_ && failed_) return;
  if (TightnessOf(expr) < loosest) return PrintParens(expr);
  if (flat_) return PrintNode(expr);
  FlushInside(expr.span.begin, false);
  if (!TryFlat([&] { PrintNode(expr); })) PrintNode(expr);
}

void Formatter::PrintParens(const Expr& expr) {
  const bool head = std::exchange(in_head_, false);
  Emit("(");
  Print(expr, 0);
  Emit(")");
  in_head_ = head;
}

void Formatter::PrintLeaf(const Expr& expr) {
  FlushInside(expr.span.begin, false);
  Emit(Text(expr.span));
  // Those inside an f-string have been written with it.
  while (CommentBefore(expr.span.end)) ++comment_;
}

void Formatter::PrintNode(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kString:
      return PrintString(As<StringExpr>(expr));
    case ExprKind::kUnary:
      return PrintUnary(As<UnaryExpr>(expr));
    case ExprKind::kBinary:
      return PrintChain(As<BinaryExpr>(expr).operands, &As<BinaryExpr>(expr));
    case ExprKind::kPipe:
      return PrintChain(As<PipeExpr>(expr).stages, nullptr);
    case ExprKind::kAssign:
      Print(*As<AssignExpr>(expr).target, kPipeTight);
      Emit(" = ");
      return Print(*As<AssignExpr>(expr).value, kAssignTight);
    case ExprKind::kCall:
      return PrintCall(As<CallExpr>(expr));
    case ExprKind::kIndex: {
      const auto& index = As<IndexExpr>(expr);
      PrintObject(*index.object);
      Emit("[");
      const bool head = std::exchange(in_head_, false);
      Print(*index.index, kAssignTight);
      in_head_ = head;
      FlushInside(expr.span.end - 1, true);
      return Emit("]");
    }
    case ExprKind::kSlice:
      return PrintSlice(As<SliceExpr>(expr));
    case ExprKind::kField: {
      const auto& field = As<FieldExpr>(expr);
      PrintObject(*field.object);
      FlushInside(field.field.span.begin, true);
      return Emit("." + field.field.text);
    }
    case ExprKind::kList: {
      std::vector<Element> elements;
      for (const ExprPtr& item : As<ListExpr>(expr).items) {
        Element element;
        element.span = item->span;
        element.value = item.get();
        elements.push_back(element);
      }
      return PrintElements("[", "]", elements, expr.span.end - 1);
    }
    case ExprKind::kHash: {
      std::vector<Element> elements;
      for (const auto& [key, value] : As<HashExpr>(expr).entries) {
        Element element;
        element.span = {key->span.begin, value->span.end};
        element.key = key.get();
        element.value = value.get();
        elements.push_back(element);
      }
      const bool parens = in_head_;
      return PrintElements(parens ? "({" : "{", parens ? "})" : "}", elements, expr.span.end - 1);
    }
    case ExprKind::kFunction: {
      const auto& function = As<FunctionExpr>(expr);
      FlushInside(expr.span.begin, false);
      Emit(function.spelled_lambda ? "lambda" : "fn");
      PrintParameters(function.parameters, function.body->span.begin);
      Emit(" ");
      return PrintBlock(*function.body);
    }
    case ExprKind::kBlock:
      return PrintBlock(As<BlockExpr>(expr));
    case ExprKind::kIf:
      return PrintIf(As<IfExpr>(expr));
    case ExprKind::kFor: {
      const auto& loop = As<ForExpr>(expr);
      Emit("for " + loop.first.text + (loop.second ? ", " + loop.second->text : "") + " in ");
      PrintHead(*loop.subject);
      return PrintBlock(*loop.body);
    }
    case ExprKind::kWhile:
      Emit("while ");
      PrintHead(*As<WhileExpr>(expr).condition);
      return PrintBlock(*As<WhileExpr>(expr).body);
    case ExprKind::kTry:
      return PrintTry(As<TryExpr>(expr));
    case ExprKind::kReturn:
      Emit("return");
      if (As<ReturnExpr>(expr).value != nullptr) {
        Emit(" ");
        Print(*As<ReturnExpr>(expr).value, kAssignTight);
      }
      return;
    default:
      return PrintLeaf(expr);
  }
}

// Double quotes, unless single ones save escapes. All other escapes stay as they were written.
void Formatter::PrintString(const StringExpr& expr) {
  FlushInside(expr.span.begin, false);
  const std::string_view inside = text_.substr(expr.span.begin + 1, expr.span.end - expr.span.begin - 2);
  bool has_double = false;
  bool has_single = false;
  for (size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] == '\\') ++i;
    if (i < inside.size()) {
      has_double |= inside[i] == '"';
      has_single |= inside[i] == '\'';
    }
  }
  const char quote = has_double && !has_single ? '\'' : '"';
  std::string written(1, quote);
  for (size_t i = 0; i < inside.size(); ++i) {
    const bool escape = inside[i] == '\\' && i + 1 < inside.size();
    if (escape) ++i;
    if (inside[i] == '"' || inside[i] == '\'') {
      if (inside[i] == quote) written += '\\';
    } else if (escape) {
      written += '\\';
    }
    written += inside[i];
  }
  written += quote;
  Emit(written);
}

void Formatter::PrintUnary(const UnaryExpr& expr) {
  FlushInside(expr.span.begin, false);
  switch (expr.op) {
    case UnaryOp::kNegate:
      Emit("-");
      break;
    case UnaryOp::kNot:
      Emit("!");
      break;
    case UnaryOp::kAsync:
      Emit("async ");
      break;
    case UnaryOp::kAwait:
      Emit(expr.operand == nullptr ? "await" : "await ");
      break;
  }
  if (expr.operand != nullptr) Print(*expr.operand, kUnaryTight);
}

void Formatter::PrintOperand(const std::vector<ExprPtr>& parts, size_t i, const BinaryExpr* binary) {
  if (binary == nullptr) return Print(*parts[i], kOrTight);
  // `:a - 3` would be read as an argument's name where an argument begins.
  if (i == 0 && parts[0]->kind == ExprKind::kSymbol && binary->ops[0] == BinaryOp::kSub) return PrintParens(*parts[0]);
  Print(*parts[i], TightnessOf(*binary) + 1);
}

// Binary operators of one level, or stages of a pipe (binary: null).
void Formatter::PrintChain(const std::vector<ExprPtr>& parts, const BinaryExpr* binary) {
  const auto op = [&](size_t i) {
    return std::string(binary == nullptr ? "|>" : kBinaryTexts[static_cast<size_t>(binary->ops[i - 1])]);
  };
  const auto all_but_last = [&] {
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      if (i > 0) Emit(" " + op(i) + " ");
      PrintOperand(parts, i, binary);
    }
    Emit(" " + op(parts.size() - 1) + " ");
  };
  if (flat_) {
    all_but_last();
    return PrintOperand(parts, parts.size() - 1, binary);
  }
  const Mark mark = Save();
  if (BreaksInside(*parts.back()) && TryFlat(all_but_last)) {
    if (!CommentBefore(parts.back()->span.begin)) return PrintOperand(parts, parts.size() - 1, binary);
    Restore(mark);
  }
  PrintOperand(parts, 0, binary);
  indent_ += kFormatIndent;
  for (size_t i = 1; i < parts.size(); ++i) {
    bool first = false;
    uint32_t last_end = Trail(parts[i - 1]->span.end, parts[i]->span.begin);
    // Comments on lines of their own before the operator.
    while (CommentBefore(parts[i]->span.begin) && !OneLineBlock(comments_[comment_])) {
      StartLine(comments_[comment_].span.begin, &first, last_end, false);
      Emit(Text(comments_[comment_].span));
      last_end = comments_[comment_].span.end;
      ++comment_;
    }
    NewLine();
    Emit(op(i) + " ");
    PrintOperand(parts, i, binary);
  }
  indent_ -= kFormatIndent;
}

void Formatter::PrintObject(const Expr& object) {
  // A symbol would be read as an argument's name.
  if (object.kind == ExprKind::kSymbol) return PrintParens(object);
  Print(object, kOperandTight);
}

void Formatter::PrintCall(const CallExpr& expr) {
  PrintObject(*expr.callee);
  std::vector<Element> elements;
  for (const Argument& argument : expr.arguments) {
    Element element;
    element.span = argument.value->span;
    element.value = argument.value.get();
    if (argument.keyword) {
      element.keyword = &*argument.keyword;
      element.span.begin = argument.keyword->span.begin;
    }
    elements.push_back(element);
  }
  if (!flat_ && PrintHugged(expr, elements)) return;
  PrintElements("(", ")", elements, expr.span.end - 1);
}

// f(a, fn() {…}): only the last argument breaks.
bool Formatter::PrintHugged(const CallExpr& call, const std::vector<Element>& elements) {
  if (elements.empty()) return false;
  const Element& last = elements.back();
  const ExprKind kind = last.value->kind;
  if (kind != ExprKind::kFunction && kind != ExprKind::kList && kind != ExprKind::kHash) return false;
  // Comments among the arguments need lines of their own.
  for (size_t i = comment_; i < comments_.size() && comments_[i].span.begin < call.span.end; ++i) {
    if (comments_[i].span.begin < last.value->span.begin || comments_[i].span.begin > last.value->span.end)
      return false;
  }
  const Mark mark = Save();
  const bool head = std::exchange(in_head_, false);
  const bool fits = TryFlat([&] {
    Emit("(");
    for (size_t i = 0; i + 1 < elements.size(); ++i) {
      PrintElement(elements[i]);
      Emit(", ");
    }
    if (last.keyword != nullptr) Emit(":" + last.keyword->text + " ");
  });
  if (fits) {
    Print(*last.value, kAssignTight);
    Emit(")");
  } else {
    Restore(mark);
  }
  in_head_ = head;
  return fits;
}

void Formatter::PrintSlice(const SliceExpr& expr) {
  PrintObject(*expr.object);
  Emit("[");
  const bool head = std::exchange(in_head_, false);
  const auto simple = [](const Expr* side) {
    return side == nullptr || side->kind == ExprKind::kName || side->kind == ExprKind::kInt ||
           (side->kind == ExprKind::kUnary && As<UnaryExpr>(*side).op == UnaryOp::kNegate &&
            As<UnaryExpr>(*side).operand->kind == ExprKind::kInt);
  };
  const bool tight = simple(expr.from.get()) && simple(expr.to.get());
  if (expr.from != nullptr) Print(*expr.from, kAssignTight);
  if (expr.from != nullptr && !tight) Emit(" ");
  Emit(":");
  if (expr.to != nullptr) {
    // `[:b]` would be an index by the symbol `:b`.
    if (!tight || (expr.from == nullptr && BeginsWord(text_[expr.to->span.begin]))) Emit(" ");
    Print(*expr.to, kAssignTight);
  }
  in_head_ = head;
  FlushInside(expr.span.end - 1, true);
  Emit("]");
}

void Formatter::PrintElement(const Element& element) {
  if (element.value == nullptr) {
    FlushInside(element.span.begin, false);
    return Emit(Text(element.span));
  }
  FlushInside(element.span.begin, false);
  if (element.keyword != nullptr) {
    Emit(element.attribute ? element.keyword->text + "=" : ":" + element.keyword->text + " ");
  }
  if (element.key != nullptr) {
    Print(*element.key, kAssignTight);
    Emit(": ");
  }
  Print(*element.value, kAssignTight);
}

// limit: where the closing bracket stands, or something a little behind it.
void Formatter::PrintElements(std::string_view open, std::string_view close, const std::vector<Element>& elements,
                              uint32_t limit) {
  const bool head = std::exchange(in_head_, false);
  Emit(open);
  if (flat_) {
    for (size_t i = 0; i < elements.size() && !failed_; ++i) {
      if (i > 0) Emit(", ");
      PrintElement(elements[i]);
    }
    FlushInside(limit, true);
  } else if (!elements.empty() || CommentBefore(limit)) {
    const size_t tail = std::exchange(tail_, 1);
    indent_ += kFormatIndent;
    std::vector<std::string_view> outer = std::exchange(deferred_, {});
    bool first = true;
    uint32_t last_end = limit;
    for (size_t i = 0; i < elements.size(); ++i) {
      if (!Lead(elements[i].span.begin, &first, &last_end, false)) NewLine();
      last_end = limit;
      PrintElement(elements[i]);
      Emit(",");
      Trail(elements[i].span.end, i + 1 < elements.size() ? elements[i + 1].span.begin : limit);
    }
    Lead(limit, &first, &last_end, false);
    deferred_ = std::move(outer);
    indent_ -= kFormatIndent;
    tail_ = tail;
    NewLine();
  }
  Emit(close);
  in_head_ = head;
}

}  // namespace teal::lang

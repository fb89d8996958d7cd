// Blocks, and the expressions that hold them.
#include <cassert>

#include "core/lang/format_impl.h"

namespace teal::lang {

void Formatter::PrintStatement(const Expr& expr) {
  assert(!in_head_ || flat_);
  Print(expr, 0);
}

// A block stays on one line if it was written so, holds at most one statement, and fits.
void Formatter::PrintBlock(const BlockExpr& block) {
  const uint32_t close = block.span.end - 1;
  const bool head = std::exchange(in_head_, false);
  if (block.statements.empty() && !CommentBefore(close)) {
    Emit("{}");
  } else if (!flat_) {
    PrintStatements(block);
  } else if (block.statements.size() > 1 || MultiLine(block.span.begin, close)) {
    failed_ = true;
  } else {
    FlushInside(block.span.begin, false);
    Emit("{ ");
    if (!block.statements.empty()) Print(*block.statements[0], 0);
    FlushInside(close, true);
    Emit(" }");
  }
  in_head_ = head;
}

void Formatter::PrintStatements(const BlockExpr& block) {
  const size_t tail = std::exchange(tail_, 0);
  const uint32_t close = block.span.end - 1;
  // What stood on the way to the brace goes inside; what was left over from the head comes first.
  std::vector<std::string_view> before = std::exchange(deferred_, {});
  for (; CommentBefore(block.span.begin); ++comment_) before.push_back(Text(comments_[comment_].span));
  Emit("{");
  indent_ += kFormatIndent;
  bool first = true;
  uint32_t last_end = block.span.begin + 1;
  const uint32_t first_begin = block.statements.empty() ? close : block.statements[0]->span.begin;
  if (before.empty()) {
    last_end = Trail(last_end, first_begin);
  } else {
    for (const std::string_view comment : before) {
      NewLine();
      Emit(comment);
      first = false;
    }
  }
  for (size_t i = 0; i < block.statements.size(); ++i) {
    const Expr& statement = *block.statements[i];
    const uint32_t limit = i + 1 < block.statements.size() ? block.statements[i + 1]->span.begin : close;
    if (!Lead(statement.span.begin, &first, &last_end, false)) {
      StartLine(statement.span.begin, &first, last_end, false);
    }
    PrintStatement(statement);
    last_end = Trail(statement.span.end, limit);
  }
  Lead(close, &first, &last_end, false);
  indent_ -= kFormatIndent;
  NewLine();
  Emit("}");
  tail_ = tail;
}

void Formatter::PrintHead(const Expr& expr) {
  const bool head = std::exchange(in_head_, true);
  const size_t tail = std::exchange(tail_, 2);
  indent_ += kFormatIndent;
  Print(expr, 0);
  indent_ -= kFormatIndent;
  tail_ = tail;
  in_head_ = head;
  Emit(" ");
}

void Formatter::PrintParameters(const std::vector<Ident>& parameters, uint32_t limit) {
  std::vector<Element> elements;
  for (const Ident& parameter : parameters) {
    Element element;
    element.span = parameter.span;
    elements.push_back(element);
  }
  if (parameters.empty()) {
    Emit("()");
    return;
  }
  const auto print = [&] { PrintElements("(", ")", elements, limit); };
  if (!TryFlat(print)) print();
}

void Formatter::PrintIf(const IfExpr& expr) {
  bool chained = false;
  for (const IfExpr::Clause& clause : expr.clauses) {
    if (chained) Emit(" else ");
    chained = true;
    Emit("if ");
    PrintHead(*clause.condition);
    PrintBlock(*clause.body);
  }
  if (expr.otherwise != nullptr) {
    Emit(" else ");
    PrintBlock(*expr.otherwise);
  }
}

void Formatter::PrintTry(const TryExpr& expr) {
  Emit("try ");
  PrintBlock(*expr.body);
  for (const TryExpr::Clause& clause : expr.clauses) {
    Emit(" catch ");
    if (clause.name) Emit(clause.name->text + " ");
    if (clause.guard != nullptr) {
      Emit("if ");
      PrintHead(*clause.guard);
    }
    PrintBlock(*clause.body);
  }
  if (expr.finally != nullptr) {
    Emit(" finally ");
    PrintBlock(*expr.finally);
  }
}

}  // namespace teal::lang

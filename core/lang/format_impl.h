// The formatter's inside, shared by the format_*.cpp files; nothing else includes this.
//
// Every node is first tried on one line; where that does not fit, its kind says how it breaks. Lines break only at
// places where a newline never ends a statement: inside brackets, or before a binary operator or `|>`.
//
// Comments are placed by position. A "host" (statement, element of a list, operand of a broken chain) keeps the
// comments before it and behind it. A comment at any other place stays where it is when it fits the line, else it goes
// behind its host (deferred_).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/lang/ast.h"

namespace teal::lang {

inline constexpr size_t kFormatColumnsMax = 100;
inline constexpr size_t kFormatIndent = 2;

class Formatter {
 public:
  explicit Formatter(const Module& module) : module_(module), text_(module.file->text()), comments_(module.comments) {}

  std::string Run();

 private:
  struct Mark {
    size_t size;
    size_t column;
    size_t comment;
    size_t deferred;
  };
  // An element between brackets: its text's span, without the comma.
  struct Element {
    Span span;
    const Expr* key = nullptr;       // of a hash
    const Expr* value = nullptr;     // null: a plain name, taken from the span
    const Ident* keyword = nullptr;  // of an argument
    bool attribute = false;          // written key=value
  };

  // ---- output (format.cpp) ----
  std::string_view Text(Span span) const { return text_.substr(span.begin, span.end - span.begin); }
  void Emit(std::string_view text);
  void NewLine();
  bool MultiLine(uint32_t begin, uint32_t end) const;
  bool BlankLine(uint32_t begin, uint32_t end) const;
  Mark Save() const { return {out_.size(), column_, comment_, deferred_.size()}; }
  void Restore(const Mark& mark);
  template <typename Fn>
  bool TryFlat(const Fn& print);

  // ---- comments (format_comment.cpp) ----
  bool CommentBefore(uint32_t limit) const {
    return comment_ < comments_.size() && comments_[comment_].span.begin < limit;
  }
  bool OneLineBlock(const Comment& comment) const;
  void FlushInside(uint32_t limit, bool space_first);
  // The comments before a host that begins at `limit`. True: the last stands on the line that the host goes on.
  bool Lead(uint32_t limit, bool* first, uint32_t* last_end, bool force_blank);
  void StartLine(uint32_t begin, bool* first, uint32_t last_end, bool force_blank);
  // Behind a host that ends at `end`; what begins at `limit` or later is another's. Gives the end of what it wrote.
  uint32_t Trail(uint32_t end, uint32_t limit);

  // ---- items (format_item.cpp) ----
  void PrintItem(const Item& item);
  void PrintImport(const Item& item);
  void PrintAttribute(const Attribute& attribute);
  void PrintNamedFunction(const Item& item);

  // ---- statements and blocks (format_block.cpp) ----
  void PrintBlock(const BlockExpr& block);
  void PrintStatements(const BlockExpr& block);
  void PrintStatement(const Expr& expr);
  void PrintHead(const Expr& expr);
  void PrintParameters(const std::vector<Ident>& parameters, uint32_t limit);
  void PrintIf(const IfExpr& expr);
  void PrintTry(const TryExpr& expr);

  // ---- expressions (format_expr.cpp) ----
  void Print(const Expr& expr, int loosest);
  void PrintNode(const Expr& expr);
  void PrintParens(const Expr& expr);
  void PrintLeaf(const Expr& expr);
  void PrintString(const StringExpr& expr);
  void PrintUnary(const UnaryExpr& expr);
  void PrintChain(const std::vector<ExprPtr>& parts, const BinaryExpr* binary);
  void PrintOperand(const std::vector<ExprPtr>& parts, size_t i, const BinaryExpr* binary);
  void PrintCall(const CallExpr& expr);
  bool PrintHugged(const CallExpr& call, const std::vector<Element>& elements);
  void PrintSlice(const SliceExpr& expr);
  void PrintObject(const Expr& object);
  void PrintElements(std::string_view open, std::string_view close, const std::vector<Element>& elements,
                     uint32_t limit);
  void PrintElement(const Element& element);

  const Module& module_;
  const std::string_view text_;
  const std::vector<Comment>& comments_;
  std::string out_;
  size_t column_ = 0;
  size_t indent_ = 0;
  size_t comment_ = 0;  // the next one to be placed
  std::vector<std::string_view> deferred_;
  size_t tail_ = 0;       // columns that must stay free at the end of the line
  bool flat_ = false;     // trying to stay on one line
  bool failed_ = false;   // that did not work
  bool in_head_ = false;  // a hash needs parentheses
};

template <typename Fn>
bool Formatter::TryFlat(const Fn& print) {
  if (flat_) {
    print();
    return !failed_;
  }
  const Mark mark = Save();
  flat_ = true;
  failed_ = false;
  print();
  flat_ = false;
  if (failed_) Restore(mark);
  return !failed_;
}

}  // namespace teal::lang

// Text to tokens, one at a time. The lexer has no position of its own: the parser says where to go on, so that looking
// ahead and the nested expressions of f-strings need no further state. Allocates only for comments and diagnostics.
#pragma once

#include <string_view>
#include <vector>

#include "core/lang/ast.h"
#include "core/lang/diagnostic.h"
#include "core/lang/token.h"

namespace teal::lang {

// A run of literal text inside an f-string.
struct FormatPiece {
  enum class Stop : uint8_t {
    kBrace,  // a `{` at `end`: an expression follows
    kQuote,  // the closing quote at `end`
    kLost,   // the line or file ends at `end`; not reported
  };
  Stop stop = Stop::kLost;
  uint32_t end = 0;
};

class Lexer {
 public:
  // All three outlive the lexer. Comments are gathered in order, each once, however often a place is read.
  Lexer(const SourceFile& file, Diagnostics& diagnostics, std::vector<Comment>& comments)
      : file_(file), text_(file.text()), diagnostics_(diagnostics), comments_(comments) {}

  // The token at or after `offset`, white space and comments skipped.
  Token Next(uint32_t offset);
  // The literal text of an f-string from `offset` on.
  FormatPiece NextPiece(uint32_t offset, char quote) const;

  // While silent nothing is reported: the parser skips over text it has given up on.
  void set_silent(bool silent) { silent_ = silent; }
  // Inside the braces of an f-string an unterminated string is the f-string's own mistake, which the parser reports.
  void set_in_format(bool in_format) { in_format_ = in_format; }
  bool in_format() const { return in_format_; }
  // An unterminated comment has swallowed the rest of the file, and was reported.
  bool lost_comment() const { return lost_comment_; }

 private:
  uint32_t SkipTrivia(uint32_t offset, bool* newline);
  uint32_t SkipBlockComment(uint32_t begin);
  Token Punctuation(Token token);
  Token Number(Token token);
  Token String(Token token);
  Token Odd(Token token);
  void Report(Span span, std::string message, std::string hint);
  char At(size_t offset) const { return offset < text_.size() ? text_[offset] : '\0'; }

  const SourceFile& file_;
  const std::string_view text_;
  Diagnostics& diagnostics_;
  std::vector<Comment>& comments_;
  uint32_t reported_to_ = 0;  // text before this has been reported on
  bool silent_ = false;
  bool in_format_ = false;
  bool lost_comment_ = false;
};

}  // namespace teal::lang

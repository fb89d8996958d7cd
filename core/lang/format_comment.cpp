// Where the formatter puts comments.
#include <algorithm>

#include "core/lang/format_impl.h"

namespace teal::lang {

bool Formatter::OneLineBlock(const Comment& comment) const {
  return comment.block && !MultiLine(comment.span.begin, comment.span.end);
}

// Comments inside an expression, before `limit`.
void Formatter::FlushInside(uint32_t limit, bool space_first) {
  for (; CommentBefore(limit); ++comment_) {
    const Comment& comment = comments_[comment_];
    if (OneLineBlock(comment)) {
      if (space_first) Emit(" ");
      Emit(Text(comment.span));
      if (!space_first) Emit(" ");
    } else if (flat_) {
      failed_ = true;
      return;
    } else {
      deferred_.push_back(Text(comment.span));
    }
  }
}

void Formatter::StartLine(uint32_t begin, bool* first, uint32_t last_end, bool force_blank) {
  if (!*first && (force_blank || BlankLine(last_end, begin))) out_ += '\n';
  if (!out_.empty()) NewLine();
  *first = false;
}

bool Formatter::Lead(uint32_t limit, bool* first, uint32_t* last_end, bool force_blank) {
  bool same_line = false;
  for (; CommentBefore(limit); ++comment_) {
    const Comment& comment = comments_[comment_];
    if (!same_line) StartLine(comment.span.begin, first, *last_end, force_blank);
    force_blank = false;
    Emit(Text(comment.span));
    *last_end = comment.span.end;
    const uint32_t next = comment_ + 1 < comments_.size() ? std::min(limit, comments_[comment_ + 1].span.begin) : limit;
    same_line = OneLineBlock(comment) && !MultiLine(comment.span.end, next);
    if (same_line) Emit(" ");
  }
  return same_line;
}

uint32_t Formatter::Trail(uint32_t end, uint32_t limit) {
  for (; CommentBefore(end); ++comment_) deferred_.push_back(Text(comments_[comment_].span));
  while (CommentBefore(limit)) {
    const Comment& comment = comments_[comment_];
    if (MultiLine(end, comment.span.begin)) break;
    // A block comment with code behind it on its line belongs to that.
    if (comment.block && limit < text_.size() && !MultiLine(comment.span.end, limit)) break;
    deferred_.push_back(Text(comment.span));
    end = comment.span.end;
    ++comment_;
    if (!comment.block) break;
  }
  bool after_line_comment = false;
  for (const std::string_view comment : deferred_) {
    if (after_line_comment) {
      NewLine();
    } else {
      Emit(" ");
    }
    Emit(comment);
    after_line_comment = comment.starts_with("//");
  }
  deferred_.clear();
  return end;
}

}  // namespace teal::lang

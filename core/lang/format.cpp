#include "core/lang/format.h"

#include <cassert>
#include <cstring>

#include "core/lang/format_impl.h"
#include "core/lang/parser.h"

namespace teal::lang {

void Formatter::Emit(std::string_view text) {
  out_ += text;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) ++column_;
  }
  if (flat_ && column_ + tail_ > kFormatColumnsMax) failed_ = true;
}

void Formatter::NewLine() {
  if (flat_) {
    failed_ = true;
    return;
  }
  while (!out_.empty() && out_.back() == ' ') out_.pop_back();
  out_ += '\n';
  out_.append(indent_, ' ');
  column_ = indent_;
}

bool Formatter::MultiLine(uint32_t begin, uint32_t end) const {
  return begin < end && std::memchr(text_.data() + begin, '\n', end - begin) != nullptr;
}

bool Formatter::BlankLine(uint32_t begin, uint32_t end) const {
  bool newline = false;
  for (uint32_t i = begin; i < end; ++i) {
    if (text_[i] == '\n') {
      if (newline) return true;
      newline = true;
    } else if (text_[i] != ' ' && text_[i] != '\t' && text_[i] != '\r') {
      newline = false;
    }
  }
  return false;
}

void Formatter::Restore(const Mark& mark) {
  out_.resize(mark.size);
  column_ = mark.column;
  comment_ = mark.comment;
  deferred_.resize(mark.deferred);
}

std::string Format(const Module& module) {
  std::string formatted = Formatter(module).Run();
  // A comment that moved behind its host may leave a line that now fits: done again until nothing changes, which is
  // nearly always at once.
  constexpr int kPassesMax = 4;
  for (int pass = 1; pass < kPassesMax; ++pass) {
    const SourceFile file(module.file->name(), formatted);
    Diagnostics diagnostics;
    const auto again = Parse(file, diagnostics);
    assert(!diagnostics.HasErrors());
    std::string next = Formatter(*again).Run();
    if (next == formatted) break;
    formatted = std::move(next);
  }
  return formatted;
}

}  // namespace teal::lang

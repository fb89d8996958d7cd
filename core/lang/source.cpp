#include "core/lang/source.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace teal::lang {
namespace {

constexpr uint32_t kMarkEveryBytes = 1024;

// The Unicode scalar values that begin in text[begin, end).
uint32_t ScalarsIn(const std::string& text, uint32_t begin, uint32_t end) {
  return static_cast<uint32_t>(
      std::count_if(text.begin() + begin, text.begin() + end, [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

SourceFile::SourceFile(std::string name, std::string text) : name_(std::move(name)), text_(std::move(text)) {
  assert(text_.size() <= kSourceBytesMax);
  if (text_.starts_with(kByteOrderMark)) text_.erase(0, kByteOrderMark.size());
  line_starts_.push_back(0);
  const char* const begin = text_.data();
  const char* const end = begin + text_.size();
  for (const char* at = begin; at != end;) {
    const void* newline = std::memchr(at, '\n', static_cast<size_t>(end - at));
    if (newline == nullptr) break;
    at = static_cast<const char*>(newline) + 1;
    const auto next = static_cast<uint32_t>(at - begin);
    MarkLongLine(line_starts_.back(), next);
    line_starts_.push_back(next);
  }
  MarkLongLine(line_starts_.back(), static_cast<uint32_t>(text_.size()));
}

void SourceFile::MarkLongLine(uint32_t begin, uint32_t end) {
  uint32_t column = 1;
  for (uint32_t at = begin; end - at > kMarkEveryBytes;) {
    column += ScalarsIn(text_, at, at + kMarkEveryBytes);
    at += kMarkEveryBytes;
    marks_.push_back({at, column});
  }
}

Position SourceFile::At(uint32_t offset) const {
  offset = std::min(offset, static_cast<uint32_t>(text_.size()));
  const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  assert(after != line_starts_.begin());
  uint32_t known = *(after - 1);
  Position position{static_cast<uint32_t>(after - line_starts_.begin()), 1};
  const auto beyond = std::upper_bound(marks_.begin(), marks_.end(), offset,
                                       [](uint32_t at, const Mark& mark) { return at < mark.offset; });
  if (beyond != marks_.begin() && (beyond - 1)->offset > known) {
    known = (beyond - 1)->offset;
    position.column = (beyond - 1)->column;
  }
  position.column += ScalarsIn(text_, known, offset);
  return position;
}

std::string_view SourceFile::Line(uint32_t line) const {
  if (line == 0 || line > line_starts_.size()) return {};
  const size_t begin = line_starts_[line - 1];
  const size_t end = line < line_starts_.size() ? line_starts_[line] - 1 : text_.size();
  std::string_view found = std::string_view(text_).substr(begin, end - begin);
  if (!found.empty() && found.back() == '\r') found.remove_suffix(1);
  return found;
}

}  // namespace teal::lang

// Source text and places in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace teal::lang {

// Half-open range of bytes in one file. Positions for people (line, column) are computed from it when needed.
struct Span {
  uint32_t begin = 0;
  uint32_t end = 0;
};

struct Position {
  uint32_t line = 1;    // from 1
  uint32_t column = 1;  // from 1, in Unicode scalar values, as editors count
};

// One file of a program. Immutable after construction. Safe to read from any thread.
class SourceFile {
 public:
  // name: as shown in messages. text: valid UTF-8 of at most kSourceBytesMax bytes (source_read.h checks both). A byte
  // order mark before it says nothing in UTF-8 and is not part of the file's text.
  SourceFile(std::string name, std::string text);

  const std::string& name() const { return name_; }
  std::string_view text() const { return text_; }
  Position At(uint32_t offset) const;          // O(log lines), in long lines as well
  std::string_view Line(uint32_t line) const;  // without its newline; empty when there is no such line
  uint32_t LineCount() const { return static_cast<uint32_t>(line_starts_.size()); }

 private:
  std::string name_;
  std::string text_;
  std::vector<uint32_t> line_starts_;
  // Places in long lines whose column is known, so that none is counted from far away; in the order of the text.
  struct Mark {
    uint32_t offset;
    uint32_t column;
  };
  std::vector<Mark> marks_;
  void MarkLongLine(uint32_t begin, uint32_t end);
};

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// The one limit on a source file, for all commands.
inline constexpr uint32_t kSourceBytesMax = 50u << 20;

}  // namespace teal::lang

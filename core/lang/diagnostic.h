// What the compiler tells its user. cli.md fixes both printed forms.
#pragma once

#include <string>
#include <vector>

#include "core/lang/source.h"

namespace teal::lang {

enum class Severity { kError, kWarning };

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string file;
  Position position;
  uint32_t width = 1;   // columns the caret line underlines, at least 1
  std::string line;     // the source line, without its newline
  std::string message;  // no full stop, no position
  std::string hint;     // what to do; never empty for errors
};

inline constexpr size_t kDiagnosticsMax = 20;

// Gathers diagnostics in the order of the source. Not thread-safe.
class Diagnostics {
 public:
  void Error(const SourceFile& file, Span span, std::string message, std::string hint);
  void Warning(const SourceFile& file, Span span, std::string message, std::string hint);
  // For errors about a file as a whole (unreadable, not UTF-8, …): line and column as given, no source line.
  void ErrorAt(std::string file, Position position, std::string message, std::string hint);

  bool HasErrors() const { return errors_ > 0; }
  // What was found so far, in no particular order.
  const std::vector<Diagnostic>& items() const { return items_; }
  // After kDiagnosticsMax errors nothing more is kept and every pass stops early.
  bool Full() const { return errors_ >= kDiagnosticsMax; }
  // Sorted by file (order of first appearance) and position; duplicates at one position removed.
  std::vector<Diagnostic> Take();

 private:
  std::vector<Diagnostic> items_;
  size_t errors_ = 0;
};

// "file:line:col: error: message", the line, a caret line, "hint: …"; ends with a newline. color: ANSI colours.
std::string RenderText(const Diagnostic& diagnostic, bool color);
// {"file","line","col","severity","message","hint"} on one line, no newline at the end.
std::string RenderJson(const Diagnostic& diagnostic);

}  // namespace teal::lang

#include "core/lang/diagnostic.h"

#include <algorithm>
#include <cassert>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>
#include <unordered_map>

namespace teal::lang {
namespace {

// Longer lines are not repeated to the user whole.
constexpr size_t kShownColumnsMax = 400;
constexpr size_t kContextColumns = 60;
// Warnings kept: enough for any reader, and a bound for programs made by machines.
constexpr size_t kWarningsMax = 100;

bool IsContinuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

uint32_t CountColumns(std::string_view text) {
  return static_cast<uint32_t>(std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

size_t ByteOfColumn(std::string_view text, size_t column) {
  size_t at = 0;
  for (size_t seen = 1; at < text.size() && seen < column; ++seen) {
    do {
      ++at;
    } while (at < text.size() && IsContinuation(text[at]));
  }
  return at;
}

Diagnostic Make(Severity severity, const SourceFile& file, Span span, std::string message, std::string hint) {
  assert(span.begin <= span.end);
  Diagnostic made;
  made.severity = severity;
  made.file = file.name();
  made.position = file.At(span.begin);
  made.line = std::string(file.Line(made.position.line));
  const size_t size = file.text().size();
  const size_t begin = std::min<size_t>(span.begin, size);
  std::string_view marked = file.text().substr(begin, std::min<size_t>(span.end, size) - begin);
  marked = marked.substr(0, marked.find_first_of("\r\n"));
  made.width = std::max(1u, CountColumns(marked));
  made.message = std::move(message);
  made.hint = std::move(hint);
  return made;
}

}  // namespace

void Diagnostics::Error(const SourceFile& file, Span span, std::string message, std::string hint) {
  assert(!hint.empty());
  if (Full()) return;
  const Diagnostic made = Make(Severity::kError, file, span, std::move(message), std::move(hint));
  // Two errors at one place are one mistake seen twice; only the first counts towards the cap.
  const bool known = std::any_of(items_.begin(), items_.end(), [&](const Diagnostic& item) {
    return item.severity == Severity::kError && item.file == made.file && item.position.line == made.position.line &&
           item.position.column == made.position.column;
  });
  if (known) return;
  items_.push_back(made);
  ++errors_;
}

void Diagnostics::Warning(const SourceFile& file, Span span, std::string message, std::string hint) {
  if (Full() || items_.size() - errors_ >= kWarningsMax) return;
  items_.push_back(Make(Severity::kWarning, file, span, std::move(message), std::move(hint)));
}

void Diagnostics::ErrorAt(std::string file, Position position, std::string message, std::string hint) {
  assert(!hint.empty());
  if (Full()) return;
  Diagnostic made;
  made.file = std::move(file);
  made.position = position;
  made.message = std::move(message);
  made.hint = std::move(hint);
  items_.push_back(std::move(made));
  ++errors_;
}

std::vector<Diagnostic> Diagnostics::Take() {
  std::unordered_map<std::string, size_t> files;
  for (const Diagnostic& item : items_) files.emplace(item.file, files.size());
  // An error comes before a warning of the same place, so that it is the one that stays; then the first to come.
  using Key = std::tuple<size_t, uint32_t, uint32_t, Severity, size_t>;
  std::vector<Key> keys;
  for (size_t i = 0; i < items_.size(); ++i) {
    const Diagnostic& item = items_[i];
    keys.emplace_back(files.at(item.file), item.position.line, item.position.column, item.severity, i);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<Diagnostic> taken;
  for (const Key& key : keys) {
    Diagnostic& item = items_[std::get<4>(key)];
    const bool repeated = !taken.empty() && taken.back().file == item.file &&
                          taken.back().position.line == item.position.line &&
                          taken.back().position.column == item.position.column;
    if (!repeated) taken.push_back(std::move(item));
  }
  items_.clear();
  errors_ = 0;
  return taken;
}

std::string RenderText(const Diagnostic& diagnostic, bool color) {
  const auto paint = [color](const char* code) { return color ? code : ""; };
  const bool error = diagnostic.severity == Severity::kError;
  std::string out;
  out += paint("\x1b[1m");
  out += diagnostic.file + ":" + std::to_string(diagnostic.position.line) + ":" +
         std::to_string(diagnostic.position.column) + ": ";
  out += paint(error ? "\x1b[31m" : "\x1b[35m");
  out += error ? "error: " : "warning: ";
  out += paint("\x1b[0m");
  out += diagnostic.message + "\n";
  if (!diagnostic.line.empty()) {
    // Of an over-long line only the neighbourhood of the mistake is shown.
    std::string_view line = diagnostic.line;
    size_t column = diagnostic.position.column;
    if (CountColumns(line) > kShownColumnsMax) {
      const size_t first = column > kContextColumns ? column - kContextColumns : 1;
      const size_t from = ByteOfColumn(line, first);
      const size_t to = ByteOfColumn(line, first + kShownColumnsMax);
      line = line.substr(from, to - from);
      column -= first - 1;
    }
    out += std::string(line) + "\n";
    // A tab is repeated as a tab, so that the caret stands right whatever the tab width.
    const size_t mark = ByteOfColumn(line, column);
    for (size_t i = 0; i < mark; ++i) {
      if (!IsContinuation(line[i])) out += line[i] == '\t' ? '\t' : ' ';
    }
    const size_t room = std::max<size_t>(1, CountColumns(line.substr(mark)));
    out += paint(error ? "\x1b[31m" : "\x1b[35m");
    out += "^" + std::string(std::min<size_t>(diagnostic.width, room) - 1, '~');
    out += paint("\x1b[0m");
    out += "\n";
  }
  if (!diagnostic.hint.empty()) out += "hint: " + diagnostic.hint + "\n";
  return out;
}

std::string RenderJson(const Diagnostic& diagnostic) {
  nlohmann::ordered_json out;
  out["file"] = diagnostic.file;
  out["line"] = diagnostic.position.line;
  out["col"] = diagnostic.position.column;
  out["severity"] = diagnostic.severity == Severity::kError ? "error" : "warning";
  out["message"] = diagnostic.message;
  out["hint"] = diagnostic.hint;
  // File names may hold any bytes; those that are not UTF-8 become U+FFFD.
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace teal::lang

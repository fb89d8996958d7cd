// Reading one program text, for the commands that need no more than its syntax.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/globals.h"
#include "core/lang/ast.h"
#include "core/lang/source.h"

namespace teal::cli {

// The text of a file, or of standard input for "-". nullopt: reported (unreadable, a folder, too large, not UTF-8).
std::optional<std::string> ReadSource(const Globals& globals, const std::string& file);

struct ParsedSource {
  std::unique_ptr<lang::SourceFile> file;  // what the tree points into
  std::unique_ptr<lang::Module> module;
};
// nullopt: it has errors, which were printed.
std::optional<ParsedSource> ParseSource(const Globals& globals, const std::string& name, std::string text);

}  // namespace teal::cli

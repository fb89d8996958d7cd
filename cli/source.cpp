#include "cli/source.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "cli/program.h"
#include "core/lang/diagnostic.h"
#include "core/lang/parser.h"
#include "core/vm/value.h"

namespace teal::cli {
namespace {

std::nullopt_t Report(const Globals& globals, const std::string& file, std::string message, std::string hint) {
  lang::Diagnostic diagnostic;
  diagnostic.file = file;
  diagnostic.message = std::move(message);
  diagnostic.hint = std::move(hint);
  PrintDiagnostics(globals, {diagnostic});
  return std::nullopt;
}

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};

}  // namespace

std::optional<std::string> ReadSource(const Globals& globals, const std::string& file) {
  const std::string name = file == "-" ? "<stdin>" : file;
  std::error_code error;
  if (file != "-" && std::filesystem::is_directory(file, error)) {
    return Report(globals, name, "is a folder", "name a file that ends in .tl");
  }
  const std::unique_ptr<std::FILE, CloseFile> in(file == "-" ? stdin : std::fopen(file.c_str(), "rb"));
  if (in == nullptr) {
    return Report(globals, name, std::string("cannot be read: ") + std::strerror(errno),
                  "check the name and its permissions");
  }
  std::string text;
  char block[1 << 16];
  for (size_t n = 0; (n = std::fread(block, 1, sizeof block, in.get())) > 0;) {
    text.append(block, n);
    if (text.size() > lang::kSourceBytesMax) {
      return Report(globals, name, "is larger than 64 MiB", "split the program into modules");
    }
  }
  if (std::ferror(in.get()) != 0) return Report(globals, name, "cannot be read to its end", "try again");
  if (!vm::IsValidUtf8(text)) return Report(globals, name, "is not UTF-8", "save the file as UTF-8");
  return text;
}

std::optional<ParsedSource> ParseSource(const Globals& globals, const std::string& name, std::string text) {
  ParsedSource parsed;
  parsed.file = std::make_unique<lang::SourceFile>(name, std::move(text));
  lang::Diagnostics diagnostics;
  parsed.module = lang::Parse(*parsed.file, diagnostics);
  const bool wrong = diagnostics.HasErrors();
  PrintDiagnostics(globals, diagnostics.Take());
  if (wrong) return std::nullopt;
  return parsed;
}

}  // namespace teal::cli

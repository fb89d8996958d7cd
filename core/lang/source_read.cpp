#include "core/lang/source_read.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>

#include "core/vm/value.h"

namespace teal::lang {
namespace {

namespace fs = std::filesystem;

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

bool Bad(SourceProblem* problem, std::string message, std::string hint, Position position = {}) {
  *problem = {position, std::move(message), std::move(hint)};
  return false;
}

}  // namespace

bool HasSourceSuffix(const std::string& path) {
  return path.ends_with(".tl") || path.ends_with(".hk");
}

bool ReadSourceFile(const std::string& path, std::string* text, SourceProblem* problem) {
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  if (status.type() == fs::file_type::not_found) {
    const bool suffix_missing = !HasSourceSuffix(path) && fs::exists(path + ".tl", failed);
    return Bad(problem, "there is no file " + path,
               suffix_missing ? "did you mean " + path + ".tl?"
                              : "check the path; an import's is relative to the importing file");
  }
  if (status.type() == fs::file_type::directory) {
    return Bad(problem, path + " is a folder",
               "name a source file in it, such as " + (fs::path(path) / "main.tl").string());
  }
  const std::unique_ptr<std::FILE, FileCloser> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr)
    return Bad(problem, "cannot read " + path + ": " + std::strerror(errno), "check the file's permissions");
  return ReadSourceStream(file.get(), path, text, problem);
}

bool ReadSourceStream(std::FILE* stream, const std::string& name, std::string* text, SourceProblem* problem) {
  char buffer[65536];
  for (size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, stream)) > 0;) {
    text->append(buffer, got);
    if (text->size() > kSourceBytesMax) return true;
  }
  if (std::ferror(stream) == 0) return true;
  return Bad(problem, "cannot read " + name + ": " + std::strerror(errno), "check the file and its file system");
}

bool CheckSourceText(const std::string& text, SourceProblem* problem) {
  if (text.size() > kSourceBytesMax) {
    return Bad(problem, "this file is larger than " + std::to_string(kSourceBytesMax >> 20) + " MB",
               "a source file that large is likely data: keep data in a file that the program's Python code reads");
  }
  if (vm::IsValidUtf8(text)) return true;
  // The first line that is not UTF-8 has the first wrong byte.
  uint32_t line = 1;
  size_t begin = 0;
  while (begin < text.size()) {
    size_t end = text.find('\n', begin);
    if (end == std::string::npos) end = text.size();
    if (!vm::IsValidUtf8(std::string_view(text).substr(begin, end - begin))) break;
    begin = end + 1;
    ++line;
  }
  uint32_t column = 1;
  size_t at = begin;
  for (size_t size = 1; at < text.size(); ++column) {
    for (size = 1; size <= 4 && !vm::IsValidUtf8(std::string_view(text).substr(at, size)); ++size) {
    }
    if (size > 4) break;
    at += size;
  }
  return Bad(problem, "this file is not UTF-8",
             "save it as UTF-8; the first wrong byte is number " + std::to_string(at + 1), {line, column});
}

}  // namespace teal::lang

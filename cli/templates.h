// The projects that `teal new` makes: the folders examples/hello and examples/saga, made part of the command by the
// build (cli/embed_templates.cmake).
#pragma once

#include <string_view>

namespace teal::cli {

struct TemplateFile {
  std::string_view name;  // of the template
  std::string_view path;  // of the file, relative to the project
  std::string_view text;
};

extern const TemplateFile kTemplateFiles[];
extern const int kTemplateFileCount;

}  // namespace teal::cli

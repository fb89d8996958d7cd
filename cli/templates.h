// The projects that `teal new` and `teal plugin new` make: folders of examples/ and examples/plugins/, made part of the
// command by the build (cli/embed_templates.cmake).
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
extern const TemplateFile kPluginTemplateFiles[];
extern const int kPluginTemplateFileCount;

}  // namespace teal::cli
